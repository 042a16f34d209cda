import fc from "fast-check";
import t from "tap";
import { parseYaml } from "../../src/config/parse.js";
import type { ConfigPath } from "../../src/config/source.js";

/** Anything that JSON can say, without what means something else here. */
const anything = fc
  .dictionary(fc.string(), fc.jsonValue())
  .map((value) => JSON.stringify(value))
  .filter((text) => !text.includes("${") && !text.includes("__proto__"));

/** The scalars of a value with their paths. */
function scalars(value: unknown, path: ConfigPath = []): [ConfigPath, unknown][] {
  if (typeof value !== "object" || value === null) return [[path, value]];
  if (Array.isArray(value)) return value.flatMap((item, i) => scalars(item, [...path, i]));
  return Object.entries(value).flatMap(([key, item]) => scalars(item, [...path, key]));
}

t.test("JSON is read as what it says, and every value of it has its place", async () => {
  fc.assert(
    fc.property(anything, (text) => {
      const { value, source } = parseYaml(`\n${text}`, "h.yaml", {});
      if (JSON.stringify(value) !== text) return false;
      return scalars(value).every(([path, scalar]) => {
        const { line, column } = source.problem(path, "");
        return line === 2 && text.startsWith(JSON.stringify(scalar), column - 1);
      });
    }),
  );
});

t.test("what is missing has the place of the key it is missing under", async (t) => {
  const { source } = parseYaml("a:\n  b:\n    c: 1\n", "h.yaml", {});
  const place = (...path: (string | number)[]) => {
    const { line, column } = source.problem(path, "");
    return [line, column];
  };
  t.same(place("a", "b", "c"), [3, 8]);
  t.same(place("a", "b", "d"), [2, 3]);
  t.same(place("a", "b"), [3, 5]);
  t.same(place("x", "y"), [1, 1]);
});
