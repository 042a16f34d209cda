import t, { type Test } from "tap";
import { InvalidArgumentError } from "../../src/errors.js";
import {
  type AnyValueType,
  assignable,
  BoundingBox,
  Bytes,
  Class,
  Classes,
  copyValue,
  Dict,
  Enum,
  Float,
  FloatRange,
  Image,
  Integer,
  IntegerRange,
  List,
  Optional,
  Point,
  parseValues,
  Tensor,
  String as Text,
  tensor,
} from "../../src/types/index.js";

/** The message begins with where in `inputs.x` the offending value is. */
const refuses = (t: Test, type: AnyValueType, value: unknown, message: string) =>
  t.throws(() => type.parse(value, "inputs.x"), { name: "InvalidArgumentError", message }, message);

const BOX = { x: 1, y: 2, width: 3, height: 4 };

t.test("the message names the offending part, however deep", async (t) => {
  const boxes = List(BoundingBox(), { maxLength: 4 });
  refuses(t, boxes, BOX, "inputs.x: expected an array, got an object");
  refuses(t, boxes, [BOX, { ...BOX, width: -1 }], "inputs.x[1].width: expected a finite number of at least 0, got -1");
  refuses(t, boxes, [BOX, { x: 1, y: 2, width: 3 }], "inputs.x[1].height: is missing; expected FloatRange 0..Infinity");
  refuses(t, boxes, [{ ...BOX, z: 1 }], "inputs.x[0].z: is not a known name; known: x, y, width, height");
  refuses(t, boxes, Array(5).fill(BOX), "inputs.x: expected at most 4 items, got 5");
  refuses(t, List(Integer(), { minLength: 2 }), [1], "inputs.x: expected at least 2 items, got 1");
  refuses(t, BoundingBox({ normalized: true }), { ...BOX, x: 0 }, "inputs.x.y: expected a number from 0 to 1, got 2");
  refuses(t, Point({ dimensions: 3 }), { x: 1, y: Number.NaN, z: 3 }, "inputs.x.y: expected a finite number, got NaN");
  const people = Dict(List(Dict({ name: Text(), age: Optional(Integer()) })));
  refuses(t, people, { "new ones": [{ name: 3 }] }, 'inputs.x["new ones"][0].name: expected a string, got 3');
  refuses(t, people, { a: [{ name: "b", age: 1.5 }] }, "inputs.x.a[0].age: expected an integer, got 1.5");
  refuses(t, people, JSON.parse('{ "__proto__": [] }'), "inputs.x.__proto__: is not a usable key");
  refuses(t, people, { "a\ud800": [] }, 'inputs.x["a\\ud800"]: is not a usable key');
  refuses(
    t,
    Class({ labels: ["cat"] }),
    { label: "dog", score: 1 },
    'inputs.x.label: expected one of "cat", got "dog"',
  );
  refuses(t, Classes(), [{ label: "dog", score: 2 }], "inputs.x[0].score: expected a number from 0 to 1, got 2");
  refuses(t, Optional(Integer()), "1", 'inputs.x: expected an integer, got "1"');
  refuses(t, Enum(["a", "b"]), "c", 'inputs.x: expected one of "a", "b", got "c"');
  refuses(
    t,
    IntegerRange({ min: 1, max: 9, step: 2 }),
    4,
    "inputs.x: expected an integer from 1 to 9 in steps of 2, got 4",
  );
  refuses(t, Bytes(), "a*b", 'inputs.x: expected a string of base64, got "a*b"');
  refuses(t, Bytes(), [1, 256], "inputs.x[1]: expected an integer from 0 to 255");
  refuses(
    t,
    Bytes(),
    new Float32Array(2),
    "inputs.x: expected a Uint8Array or a string of base64, got a Float32Array of 2",
  );
});

t.test("V2 text and tensors are refused with the same paths", async (t) => {
  const json = (text: string) => ({ datatype: "BYTES", shape: [1], data: [Buffer.from(text)] }) as const;
  const refused = (type: AnyValueType, text: string, message: string | RegExp) =>
    t.throws(() => type.fromTensor(json(text), "inputs[2]"), { name: "InvalidArgumentError", message });
  const people = Dict({ ages: List(IntegerRange({ min: 0, max: 150 })) });
  refused(people, '{ "ages": [3, 151] }', "inputs[2].ages[1]: expected an integer from 0 to 150, got 151");
  refused(people, "{ ages: 3 }", /^inputs\[2\]: expected JSON text \(/);
  refused(Enum(["a"]), "b", 'inputs[2]: expected one of "a", got "b"');
  const data = Float64Array.of(1, 2, 3, 4, 1, 2, -3, 4);
  t.throws(() => List(BoundingBox()).fromTensor({ datatype: "FP64", shape: [2, 4], data }, "inputs[2]"), {
    message: "inputs[2][1].width: expected a finite number of at least 0, got -3",
  });
  t.throws(() => List(BoundingBox()).fromTensor({ datatype: "FP64", shape: [4, 2], data }, "inputs[2]"), {
    message: "inputs[2]: expected the shape [-1,4], got [4,2]",
  });
  t.throws(() => Optional(Integer()).toTensor(null), { code: "INVALID_ARGUMENT" });
});

t.test("what V2 clients see", async (t) => {
  const seen: [AnyValueType, unknown, string, number[], unknown][] = [
    [Enum(["on"]), "on", "BYTES", [1], ["on"]],
    [Point(), { y: 2, x: 1 }, "FP64", [2], [1, 2]],
    [BoundingBox(), { height: 4, width: 3, y: 2, x: 1 }, "FP64", [4], [1, 2, 3, 4]],
    [List(BoundingBox()), [BOX, BOX], "FP64", [-1, 4], [1, 2, 3, 4, 1, 2, 3, 4]],
    [List(Integer()), [1, 2], "INT64", [-1], [1n, 2n]],
    [List(Text()), ["a", "é"], "BYTES", [-1], ["a", "é"]],
    [List(Text()), [], "BYTES", [-1], []],
    [List(List(Integer())), [[1], []], "BYTES", [1], ["[[1],[]]"]],
    [List(Optional(Integer())), [1, null], "BYTES", [1], ["[1,null]"]],
    [Class(), { label: "a", score: 1 }, "BYTES", [1], ['{"label":"a","score":1}']],
    [Classes(), [{ label: "a", score: 1 }], "BYTES", [-1], ['{"label":"a","score":1}']],
    [Dict(Integer()), { a: 1 }, "BYTES", [1], ['{"a":1}']],
    [Dict({ a: Bytes(), b: Optional(Text()) }), { a: "/w==" }, "BYTES", [1], ['{"a":"/w==","b":null}']],
    [Optional(Point()), { x: 1, y: 2 }, "FP64", [2], [1, 2]],
  ];
  for (const [type, value, datatype, shape, data] of seen) {
    t.match(type, { datatype, shape }, type.label);
    const carried = type.toTensor(type.parse(value, "x"));
    const text = new TextDecoder();
    const elements = carried.datatype === "BYTES" ? carried.data.map((bytes) => text.decode(bytes)) : [...carried.data];
    t.strictSame(elements, data, type.label);
  }
});

t.test("an optional value may be left out, and so may what has a default", async (t) => {
  const types = { a: Optional(Integer()), b: Integer({ default: 3 }), c: Optional(Text(), { default: "c" }) };
  t.same(parseValues(types, {}, "inputs"), { a: null, b: 3, c: "c" });
  t.same(parseValues(types, { a: 1, b: 2, c: null }, "inputs"), { a: 1, b: 2, c: null });
  t.same(Dict(types).parse({}, "x"), { a: null, b: 3, c: "c" });
  t.same(Dict(Integer()).parse({ a: undefined, b: 1 }, "x"), { b: 1 });
  t.same(Optional(Integer({ default: 3 })).defaultValue(), null);
  t.same(Optional(Integer(), { title: "T" }).jsonSchema(), {
    anyOf: [Integer().jsonSchema(), { type: "null" }],
    title: "T",
    default: null,
  });
});

t.test("classes are kept in order of falling score", async (t) => {
  const given = ["a", "b", "c", "d"].map((label, i) => ({ label, score: [0.1, 0.5, 0.5, 0.9][i] ?? 0 }));
  t.same(
    Classes()
      .parse(given, "x")
      .map(({ label }) => label),
    ["d", "b", "c", "a"],
  );
  t.equal(given[0]?.label, "a");
  const tensor = List(Class()).toTensor(given);
  t.equal(Classes().fromTensor(tensor, "x")[0]?.label, "d");
});

t.test("a default is proven, copied, and part of the schema", async (t) => {
  const type = Dict({ bytes: Bytes(), rows: List(Tensor("FP32", [2])) });
  const bytes = Buffer.of(1);
  const withDefault = Dict({ bytes: Bytes(), rows: List(Tensor("FP32", [2])) }, { default: { bytes, rows: [[1, 2]] } });
  const [first, second] = [withDefault.defaultValue(), withDefault.defaultValue()];
  t.strictSame(first, second);
  first?.bytes.fill(9);
  t.strictSame(second?.bytes, Uint8Array.of(1));
  t.equal(bytes[0], 1);
  t.same(withDefault.jsonSchema().default, { bytes: "AQ==", rows: [[1, 2]] });
  t.throws(() => Dict({ a: Integer() }, { default: { a: 1.5 } }), { code: "INVALID_ARGUMENT", path: "Dict.default.a" });
  t.throws(() => List(Integer(), { default: [1, 1.5] }), { code: "INVALID_ARGUMENT", path: "List.default[1]" });
  t.throws(() => Optional(Integer(), { default: 1.5 }), { code: "INVALID_ARGUMENT", path: "Optional.default" });
  t.throws(() => Image({ default: "AAAA" }), { code: "INVALID_ARGUMENT", path: "Image.default" });
  t.equal(type.defaultValue(), undefined);
});

t.test("a copy keeps the shapes of tensors in lists and records", async (t) => {
  const value = { rows: [tensor(new Float32Array(6), [2, 3])], bytes: Buffer.of(1, 2) };
  const copy = copyValue(value) as typeof value;
  t.strictSame(copy, value);
  t.same(copy.rows[0]?.shape, [2, 3]);
  copy.bytes[0] = 9;
  copy.rows[0]?.fill(1);
  t.equal(value.bytes[0], 1);
  t.equal(value.rows[0]?.[0], 0);
});

t.test("bytes are not copied, and have the methods of a Uint8Array", async (t) => {
  const buffer = Buffer.of(1, 2, 3);
  const bytes = Bytes().parse(buffer, "x");
  t.equal(bytes.buffer, buffer.buffer);
  t.not(bytes.slice().buffer, buffer.buffer);
  t.strictSame(Bytes().parse("AQID", "x"), Uint8Array.of(1, 2, 3));
  t.strictSame(Bytes().parse("-_-_", "x"), Bytes().parse("+/+/", "x"));
  t.strictSame(Bytes().parse([1, 2, 3], "x"), Uint8Array.of(1, 2, 3));
  for (const wrong of ["A", "AA=", "AAA==", "A===", "AAAAA", "AA AA", "=", "AA==AA=="]) {
    t.throws(() => Bytes().parse(wrong, "x"), { code: "INVALID_ARGUMENT", path: "x" }, wrong);
  }
  for (const right of ["", "AA", "AA==", "AAA", "AAA=", "AAAA"]) t.ok(Bytes().parse(right, "x"), right);
});

t.test("megabytes of base64 are no problem", async (t) => {
  const text = "AAAA".repeat(4_000_000);
  t.equal(Bytes().parse(text, "x").length, 12_000_000);
  t.throws(() => Bytes().parse(`${text}A`, "x"), { code: "INVALID_ARGUMENT" });
  t.equal(Tensor("BYTES", [1]).parse([{ base64: text }], "x")[0]?.length, 12_000_000);
});

t.test("a float that JSON wrote as a long integer is a number", async (t) => {
  t.equal(Float().parse(10n ** 17n, "x"), 1e17);
  t.equal(FloatRange({ min: 0, max: 1e18 }).parse(10n ** 17n, "x"), 1e17);
  refuses(t, Float(), 1n, "inputs.x: expected a number, got 1n");
});

t.test("what is no type or no option is refused by name", async (t) => {
  const refused = (make: () => unknown, path: string) => t.throws(make, { code: "INVALID_ARGUMENT", path }, path);
  refused(() => Enum([]), "Enum.values");
  refused(() => Enum(["a", "a"]), "Enum.values[1]");
  refused(() => Enum(["a"], { default: "b" as "a" }), "Enum.default");
  refused(() => IntegerRange({ min: 0.5, max: 1 }), "IntegerRange.min");
  refused(() => IntegerRange({ min: 2, max: 1 }), "IntegerRange.max");
  refused(() => IntegerRange({ min: -1, max: Number.MAX_SAFE_INTEGER }), "IntegerRange.max");
  refused(() => IntegerRange({ min: 0, max: 1, step: 0 }), "IntegerRange.step");
  refused(() => IntegerRange({ min: 0, max: 9, step: 2, default: 3 }), "IntegerRange.default");
  refused(() => FloatRange({ min: Number.NaN, max: 1 }), "FloatRange.min");
  refused(() => FloatRange({ min: 1, max: 0 }), "FloatRange.max");
  refused(() => Point({ dimensions: 4 as 3 }), "Point.dimensions");
  refused(() => List(3 as never), "List");
  refused(() => List(Integer(), { minLength: -1 }), "List.minLength");
  refused(() => List(Integer(), { maxLength: 1.5 }), "List.maxLength");
  refused(() => List(Integer(), { minLength: 2, maxLength: 1 }), "List.maxLength");
  refused(() => Optional({} as never), "Optional");
  refused(() => Dict({ a: 3 } as never), "Dict.a");
  refused(() => Dict(null as never), "Dict");
  t.throws(() => Class({ labels: [] }), InvalidArgumentError);
});

t.test("which type may feed which", async (t) => {
  const range = IntegerRange({ min: 0, max: 9 });
  const box = BoundingBox();
  const fits: [AnyValueType, AnyValueType][] = [
    [range, Integer()],
    [Integer(), range],
    [range, Float()],
    [range, FloatRange({ min: 9, max: 10 })],
    [Float(), FloatRange({ min: 0, max: 1 })],
    [FloatRange({ min: 0, max: 1 }), Float()],
    [Enum(["a", "b"]), Enum(["b", "c"])],
    [Enum(["a"]), Text()],
    [Text(), Enum(["a"])],
    [Image(), Bytes()],
    [Bytes(), Image()],
    [Image({ encoding: "raw", width: 5 }), Image({ encoding: "raw", height: 5 })],
    [List(range), List(Float())],
    [Integer(), Optional(Integer())],
    [Optional(range), Optional(Float())],
    [Dict({ a: range }), Dict({ a: Integer(), b: Optional(Text()), c: Integer({ default: 1 }) })],
    [Dict({ a: range, b: Float() }), Dict(Float())],
    [Dict(Integer()), Dict({ a: Float() })],
    [Dict({ a: range }), Dict({ a: Optional(Integer()) })],
    [box, Dict({ x: Float(), y: Float(), width: Float(), height: Float() })],
    [Classes(), List(Class())],
    [List(Class({ labels: ["a"] })), Classes()],
  ];
  for (const [from, to] of fits) t.equal(assignable(from, to), undefined, `${from.label} into ${to.label}`);
  const refused: [AnyValueType, AnyValueType, string][] = [
    [Float(), range, "Float is not IntegerRange 0..9"],
    [range, IntegerRange({ min: 10, max: 11 }), "no value of IntegerRange 0..9 is in IntegerRange 10..11"],
    [
      FloatRange({ min: 0, max: 1 }),
      FloatRange({ min: 2, max: 3 }),
      "no value of FloatRange 0..1 is in FloatRange 2..3",
    ],
    [Enum(["a"]), Enum(["b"]), "they have no value in common"],
    [Integer(), Enum(["b"]), 'Integer is not Enum "b"'],
    [Text(), Bytes(), "String is not Bytes"],
    [Image(), Image({ encoding: "raw" }), "Image is not Image raw ? x ? x ?"],
    [Optional(Integer()), Integer(), "Optional(Integer) is not Integer"],
    [Optional(List(Integer())), List(Integer()), "Optional(List(Integer)) is not List(Integer)"],
    [Text(), Optional(Integer()), "String is not Integer"],
    [List(Text()), List(Integer()), "its items: String is not Integer"],
    [List(Integer(), { maxLength: 1 }), List(Integer(), { minLength: 2 }), "no length fits both"],
    [Dict({ a: Text() }), Dict({ a: Integer() }), 'field "a": String is not Integer'],
    [Dict({ a: Text(), b: Text() }), Dict({ a: Text() }), 'Dict {a} has no field "b"'],
    [Dict({ a: Text() }), Dict({ a: Text(), b: Text() }), 'field "b": Dict {a} does not have it'],
    [Dict({ a: Optional(Text()) }), Dict(Text()), 'field "a": Optional(String) is not String'],
    [Dict(Text()), Dict({ a: Integer() }), 'field "a": String is not Integer'],
    [Dict(Text()), Dict(Integer()), "String is not Integer"],
    [Tensor("INT64", [-1]), List(Integer()), "Tensor INT64[-1] is not List(Integer)"],
    [Point(), Point({ dimensions: 3 }), 'field "z": Point 2D does not have it'],
    [
      box,
      BoundingBox({ normalized: true }),
      "one is in pixels, the other in fractions of the image, and nothing converts on the way",
    ],
  ];
  for (const [from, to, reason] of refused) t.equal(assignable(from, to), reason);
});

t.test("the schemas of ranges and lists", async (t) => {
  t.same(IntegerRange({ min: 4, max: 9, step: 2 }).jsonSchema(), {
    type: "integer",
    minimum: 4,
    maximum: 9,
    multipleOf: 2,
    "x-step": 2,
  });
  t.same(IntegerRange({ min: 1, max: 9, step: 2 }).jsonSchema(), {
    type: "integer",
    minimum: 1,
    maximum: 9,
    "x-step": 2,
  });
  t.same(FloatRange({ min: 0, max: 1, default: 0.5 }).jsonSchema(), {
    type: "number",
    minimum: 0,
    maximum: 1,
    default: 0.5,
  });
  t.same(List(Text({ title: "T" }), { minLength: 1, maxLength: 2 }).jsonSchema(), {
    type: "array",
    items: { type: "string", title: "T" },
    minItems: 1,
    maxItems: 2,
  });
  t.match(Dict({ a: Text(), b: Optional(Text()) }).jsonSchema(), { required: ["a"], additionalProperties: false });
  t.same(Enum(["a", "b"]).jsonSchema(), { type: "string", enum: ["a", "b"] });
});
