/** How deep JSON may be nested: the same limit whatever is inside, and brackets in strings are none. */
import fc from "fast-check";
import t from "tap";
import { parseJson } from "../../src/protocol/json.js";

const arrays = (depth: number, inner: string) => `${"[".repeat(depth)}${inner}${"]".repeat(depth)}`;
const objects = (depth: number, inner: string) => `${'{"a":'.repeat(depth)}${inner}${"}".repeat(depth)}`;
const refused = { code: "INVALID_ARGUMENT", path: "body", message: /nested deeper than 64/ };

t.test("64 levels are read, 65 are not", async (t) => {
  for (const nest of [arrays, objects]) {
    // An integer beyond 2^53 is read by other code.
    for (const inner of ["0", '"]"', "12345678901234567890"]) {
      t.ok(parseJson(nest(64, inner), "body"));
      t.throws(() => parseJson(nest(65, inner), "body"), refused);
      t.throws(() => parseJson(nest(1_000_000, inner), "body"), refused);
    }
  }
  t.throws(() => parseJson("[".repeat(1_000_000), "body"), refused, "unfinished, too");
});

t.test("many brackets side by side are not deep", async (t) => {
  const wide = `[${new Array(10_000).fill('{"a":[[]]}').join()}]`;
  t.same(parseJson(wide, "body"), JSON.parse(wide));
  const strings = `[${new Array(100).fill('"[[{\\"[\\\\"').join()}, ${"[]".repeat(1)}]`;
  t.same(parseJson(strings, "body"), JSON.parse(strings));
});

/** The depth of a value. */
function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

t.test("whatever the JSON, only its depth decides", async (t) => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), fc.integer({ min: 55, max: 70 }), (json, depth) => {
      const text = arrays(depth, json);
      const isDeep = depthOf(JSON.parse(text)) > 64;
      try {
        parseJson(text, "body");
        return !isDeep;
      } catch {
        return isDeep;
      }
    }),
    { numRuns: 500 },
  );
  t.pass();
});
