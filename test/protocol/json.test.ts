import { deepStrictEqual } from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { InvalidArgumentError } from "../../src/errors.js";
import { parseJson, utf8Text } from "../../src/protocol/json.js";
import { rejects } from "./helpers.js";

/** An unsafe integer beside the value sends the whole text through the exact reader. */
const exactly = (json: string) => (parseJson(`[9007199254740993, ${json}]`, "body") as unknown[])[1];

/** What JSON.parse makes of the same value: its integers rounded. */
function rounded(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, rounded(entry)]));
}

t.test("integers that a number cannot hold come out exactly", async (t) => {
  t.equal(parseJson("[18446744073709551615]", "body")?.toString(), "18446744073709551615");
  t.same(parseJson('{"id": -9223372036854775808}', "body"), { id: -9223372036854775808n });
  t.same(parseJson("[\t9007199254740993\n]", "body"), [9007199254740993n]);
  t.same(parseJson("[1,9007199254740993]", "body"), [1, 9007199254740993n]);
  t.equal(exactly("9007199254740991"), 9007199254740991);
  t.equal(exactly("9007199254740992"), 9007199254740992n);
});

t.test("fractions, exponents and strings of digits are left alone", async (t) => {
  t.equal(exactly("0.12345678901234567890"), Number("0.12345678901234567890"));
  t.equal(exactly("12345678901234567890e-3"), Number("12345678901234567.890"));
  t.equal(exactly('"9007199254740993"'), "9007199254740993");
  t.ok(Object.is(exactly("-0"), -0));
});

t.test("an integer of a thousand digits costs nothing: it stays a number", async (t) => {
  t.equal(exactly("9".repeat(300)), Number("9".repeat(300)));
});

t.test("the exact reader reads all JSON as JSON.parse does", async () => {
  const space = fc.constantFrom(0, 1, 7);
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6, noUnicodeString: false }), space, (value, indent) => {
      const json = JSON.stringify(value, null, indent);
      deepStrictEqual(rounded(exactly(json)), JSON.parse(json));
    }),
  );
});

t.test("keys: escapes, the last of two, and __proto__ as a mere key", async (t) => {
  t.same(exactly('{"a\\"\\\\": 1, "b": 2, "b": 3}'), { 'a"\\': 1, b: 3 });
  const value = exactly('{"__proto__": {"polluted": true}}') as Record<string, unknown>;
  t.equal(value.polluted, undefined);
  t.ok(Object.hasOwn(value, "__proto__"));
});

t.test("nesting as deep as the text allows is an error, not a crash", async (t) => {
  const deep = "[".repeat(200_000) + "]".repeat(200_000);
  t.throws(() => exactly(deep), InvalidArgumentError);
});

t.test("says what is wrong", async (t) => {
  rejects(t, () => parseJson("{", "body"), "body", /not JSON/);
  rejects(t, () => parseJson("[1, NaN]", "body"), "body", /no NaN and no Infinity; write the strings/);
  rejects(t, () => parseJson('{"data":[-Infinity]}', "body"), "body", /write the strings/);
  rejects(t, () => utf8Text(Uint8Array.of(0x22, 0xff, 0x22), "body"), "body", /not UTF-8/);
});
