import fc from "fast-check";
import t, { type Test } from "tap";
import { InvalidArgumentError } from "../../src/errors.js";
import {
  type AnyValueType,
  Boolean as Bool,
  Float,
  Integer,
  Random,
  String as Text,
  type ValueType,
} from "../../src/types/index.js";

const refuses = (t: Test, type: AnyValueType, value: unknown, message: string) =>
  t.throws(() => type.parse(value, "inputs.x"), new InvalidArgumentError(message, { path: "inputs.x" }), message);

/** Through V2 and back, and through JSON text and back, every value stays what it is. */
function roundTrips<V>(t: Test, type: ValueType<V>, values: fc.Arbitrary<V>): void {
  fc.assert(
    fc.property(values, (value) => {
      t.ok(Object.is(type.parse(value, "v"), value));
      t.ok(Object.is(type.fromTensor(type.toTensor(value), "v"), value));
      t.ok(Object.is(type.parse(JSON.parse(JSON.stringify(type.toJson(value))), "v"), value));
    }),
    { numRuns: 200 },
  );
}

t.test("an integer is a safe integer, carried as INT64 [1]", async (t) => {
  const type = Integer();
  t.match(type, { kind: "Integer", label: "Integer", datatype: "INT64", shape: [1] });
  t.same(type.toTensor(-3), { datatype: "INT64", shape: [1], data: BigInt64Array.of(-3n) });
  refuses(t, type, 1.5, "expected an integer, got 1.5");
  refuses(t, type, "1", 'expected an integer, got "1"');
  refuses(t, type, 1n, "expected an integer, got 1n");
  refuses(t, type, Number.NaN, "expected an integer, got NaN");
  refuses(t, type, 2 ** 53, "expected an integer within ±(2^53 - 1), got 9007199254740992");
  t.ok(Object.is(type.parse(-0, "v"), 0));
  roundTrips(
    t,
    type,
    fc.maxSafeInteger().map((n) => n + 0),
  );
});

t.test("an INT64 that a number would round is refused", async (t) => {
  const data = BigInt64Array.of(2n ** 53n);
  t.throws(() => Integer().fromTensor({ datatype: "INT64", shape: [1], data }, "inputs.x"), {
    code: "INVALID_ARGUMENT",
    message: "inputs.x: 9007199254740992 is outside ±(2^53 - 1), where a number is exact",
  });
});

t.test("a scalar's tensor has exactly its datatype and shape", async (t) => {
  const wrong = (tensor: Parameters<AnyValueType["fromTensor"]>[0], message: string) =>
    t.throws(() => Integer().fromTensor(tensor, "inputs.x"), { code: "INVALID_ARGUMENT", message });
  wrong({ datatype: "INT32", shape: [1], data: Int32Array.of(1) }, "inputs.x: expected datatype INT64, got INT32");
  const one = BigInt64Array.of(1n);
  const shapeMessage = (got: string) => `inputs.x: expected shape [1] with one element, got ${got}`;
  wrong({ datatype: "INT64", shape: [], data: one }, shapeMessage("[] with 1 elements"));
  wrong({ datatype: "INT64", shape: [2], data: one }, shapeMessage("[2] with 1 elements"));
  wrong({ datatype: "INT64", shape: [1], data: new BigInt64Array(2) }, shapeMessage("[1] with 2 elements"));
});

t.test("a float may be NaN or infinite, also in JSON, but never null", async (t) => {
  const type = Float();
  t.match(type, { kind: "Float", datatype: "FP64", shape: [1] });
  roundTrips(
    t,
    type,
    fc.double().filter((n) => !Object.is(n, -0)),
  );
  t.equal(type.toJson(Number.NaN), "NaN");
  t.equal(type.parse("-Infinity", "v"), Number.NEGATIVE_INFINITY);
  refuses(t, type, null, "expected a number, got null");
  refuses(t, type, "1", 'expected a number, got "1"');
});

t.test("a boolean is true or false", async (t) => {
  roundTrips(t, Bool(), fc.boolean());
  refuses(t, Bool(), 1, "expected true or false, got 1");
  t.throws(() => Bool().fromTensor({ datatype: "BOOL", shape: [1], data: Uint8Array.of(2) }, "b"), {
    message: "b: expected 0 or 1, got 2",
  });
});

t.test("a string is carried as UTF-8, or refused", async (t) => {
  roundTrips(t, Text(), fc.string({ unit: "binary" }));
  roundTrips(t, Text(), fc.constant("\ufeffwith a byte order mark"));
  refuses(t, Text(), 1, "expected a string, got 1");
  refuses(t, Text(), "a\ud800b", "has half of a surrogate pair, which UTF-8 cannot carry");
  refuses(t, Integer(), "x".repeat(1000), `expected an integer, got "${"x".repeat(40)}"…`);
  t.throws(() => Text().fromTensor({ datatype: "BYTES", shape: [1], data: [Uint8Array.of(0xff)] }, "s"), {
    message: "s: is not valid UTF-8",
  });
});

t.test("annotations are part of the JSON Schema, and defaults are proven", async (t) => {
  t.same(Integer({ title: "T", description: "D", default: 3 }).jsonSchema(), {
    type: "integer",
    minimum: Number.MIN_SAFE_INTEGER,
    maximum: Number.MAX_SAFE_INTEGER,
    title: "T",
    description: "D",
    default: 3,
  });
  t.same(Float({ default: Number.NaN }).jsonSchema(), {
    anyOf: [{ type: "number" }, { enum: ["NaN", "Infinity", "-Infinity"] }],
    default: "NaN",
  });
  t.same(Bool().jsonSchema(), { type: "boolean" });
  t.same(Text().jsonSchema(), { type: "string" });
  t.throws(() => Integer({ default: 1.5 }), { message: "Integer.default: expected an integer, got 1.5" });
  t.equal(Integer().defaultValue(), undefined);
  t.equal(Bool({ default: false }).defaultValue(), false);
});

t.test("fake values fit, and are the same for the same seed", async (t) => {
  for (const type of [Integer(), Float(), Bool(), Text()] as AnyValueType[]) {
    const value = type.fake(new Random(7));
    t.equal(type.parse(value, "fake"), value);
    t.equal(type.fake(new Random(7)), value);
  }
  const random = new Random(1);
  t.same([random.integer(0, 9), random.integer(0, 9), random.integer(0, 9)], [6, 0, 5]);
  t.not(new Random(1).next(), new Random(2).next());
});
