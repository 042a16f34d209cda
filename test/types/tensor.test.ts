import { runInNewContext } from "node:vm";
import fc from "fast-check";
import t from "tap";
import { DATATYPES, type Datatype, elementCount } from "../../src/datatype.js";
import { fromHalf, Random, Tensor, tensor, toHalf } from "../../src/types/index.js";

const ALL = [...Object.keys(DATATYPES), "BYTES"] as Datatype[];

/** Elements and shape, as plain values that compare. */
const plain = (value: { readonly shape: readonly number[] } & ArrayLike<unknown>) => ({
  elements: Array.from(value),
  shape: value.shape,
});

t.test("a typed array of the right class is taken as it is", async (t) => {
  const type = Tensor("FP32", [-1, 512]);
  const data = new Float32Array(1024);
  const value = type.parse(data, "x");
  t.equal(value.buffer, data.buffer);
  t.same(value.shape, [2, 512]);
  t.notOk("shape" in data, "the caller's own array stays as it is");
  t.notOk(Object.keys(value).includes("shape"));
  t.throws(() => Object.assign(value, { shape: [1] }), TypeError);
  t.equal(type.parse(value, "x"), value, "and with its shape it is the value itself");
  t.same(type.parse(new Float32Array(512), "x").shape, [1, 512]);
  const offset = type.parse(data.subarray(512), "x");
  t.equal(offset.byteOffset, 2048);
});

t.test("an array of another realm is of the same class", async (t) => {
  const foreign: unknown = runInNewContext("new Float32Array([1, 2])");
  t.same(plain(Tensor("FP32", [2]).parse(foreign, "x")), { elements: [1, 2], shape: [2] });
});

t.test("the shape comes from the length when that leaves no choice", async (t) => {
  const shapeOf = (declared: number[], count: number) =>
    Tensor("FP32", declared).parse(new Float32Array(count), "x").shape;
  t.same(shapeOf([], 1), []);
  t.same(shapeOf([2, 3], 6), [2, 3]);
  t.same(shapeOf([-1], 5), [5]);
  t.same(shapeOf([1, -1], 5), [1, 5]);
  t.same(shapeOf([-1, -1], 5), [1, 5], "one row of the batch axis");
  t.same(shapeOf([-1, 2, -1], 6), [1, 2, 3]);
  const refused = (declared: number[], count: number, message: string) =>
    t.throws(() => shapeOf(declared, count), { code: "INVALID_ARGUMENT", message: `x: ${message}` });
  refused([2, 3], 5, "expected the shape [2,3], got 5 elements");
  refused([-1, 512], 500, "expected the shape [-1,512], got 500 elements");
  refused([-1, 512], 0, "expected the shape [-1,512], got 0 elements");
  const hint = "more than one dimension is free: say which with tensor(data, shape)";
  refused([-1, -1, -1], 8, `expected the shape [-1,-1,-1], got 8 elements; ${hint}`);
});

t.test("the same type infers every length on its own", async (t) => {
  const type = Tensor("FP32", [-1, 2]);
  t.same(
    [2, 2, 4, 2].map((count) => type.parse(new Float32Array(count), "x").shape),
    [
      [1, 2],
      [1, 2],
      [2, 2],
      [1, 2],
    ],
  );
});

t.test("a shape that the array carries has to fit", async (t) => {
  const type = Tensor("FP32", [-1, 4]);
  t.same(type.parse(tensor(new Float32Array(8), [2, 4]), "x").shape, [2, 4]);
  const row = tensor(new Float32Array(4), [4]);
  t.same(type.parse(row, "x").shape, [1, 4], "a row has no batch axis");
  t.same(row.shape, [4]);
  t.throws(() => type.parse(tensor(new Float32Array(8), [4, 2]), "x"), {
    message: "x: expected the shape [-1,4], got 8 elements as [4,2]",
  });
});

t.test("two negative sizes are no shape, though their product is right", async (t) => {
  const type = Tensor("FP32", [-1, -1]);
  const data = Object.defineProperty(new Float32Array(6), "shape", { value: [-2, -3] });
  t.throws(() => type.parse(data, "x"), { code: "INVALID_ARGUMENT", message: /got 6 elements as \[-2,-3\]/ });
  const raw = { datatype: "FP32", shape: [-2, -3], data: new Float32Array(6) } as const;
  t.throws(() => type.fromTensor(raw, "x"), { code: "INVALID_ARGUMENT", message: /got \[-2,-3\]/ });
});

t.test("an array of another class is refused by name", async (t) => {
  t.throws(() => Tensor("FP32", [2]).parse(new Float64Array(2), "inputs.x"), {
    code: "INVALID_ARGUMENT",
    message: "inputs.x: expected a Float32Array, got a Float64Array of 2",
  });
  t.throws(() => Tensor("FP16", [2]).parse(new Float32Array(2), "x"), {
    message: "x: expected a Uint16Array of FP16 bits or a plain array of numbers, got a Float32Array of 2",
  });
  t.throws(() => Tensor("BYTES", [2]).parse(new Float32Array(2), "x"), {
    message: "x: expected an array of strings or Uint8Arrays, got a Float32Array of 2",
  });
});

t.test("tensor() gives an array its shape", async (t) => {
  const data = new Float32Array(6);
  const value = tensor(data, [2, 3]);
  t.equal(value, data);
  t.equal(tensor(value, [2, 3]), value);
  const other = tensor(value, [3, 2]);
  t.not(other, value);
  t.equal(other.buffer, value.buffer);
  t.same(
    [value.shape, other.shape],
    [
      [2, 3],
      [3, 2],
    ],
  );
  t.ok(Object.isFrozen(value.shape));
  t.same(tensor(Object.preventExtensions(new Float32Array(2)), [2]).shape, [2]);
  t.throws(() => tensor(data, [2, 2]), { message: "shape: [2,2] has 4 elements, the data 6" });
  t.throws(() => tensor(data, [-1, 3]), { message: "shape[0]: expected a size, got -1" });
});

t.test("nested arrays are checked at every level, and the message says where", async (t) => {
  const type = Tensor("FP32", [-1, 3]);
  t.same(
    plain(
      type.parse(
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
        "x",
      ),
    ),
    { elements: [1, 2, 3, 4, 5, 6], shape: [2, 3] },
  );
  t.same(plain(type.parse([1, 2, 3], "x")), { elements: [1, 2, 3], shape: [1, 3] });
  t.same(plain(type.parse([Float32Array.of(1, 2, 3), [4, 5, 6]], "x")).shape, [2, 3]);
  const refused = (value: unknown, message: string) =>
    t.throws(() => type.parse(value, "inputs.x"), { code: "INVALID_ARGUMENT", message });
  refused(
    [
      [1, 2, 3],
      [4, "5", 6],
    ],
    'inputs.x[1][1]: expected a number that FP32 can hold, got "5"',
  );
  refused([1, null, 3], "inputs.x[1]: expected a number that FP32 can hold, got null");
  refused(
    [
      [1, 2, 3],
      [4, 5],
    ],
    "inputs.x[1]: expected 3 elements for the shape [-1,3], got 2",
  );
  refused([[1, 2, 3], 4], "inputs.x[1]: expected an array of 3, got 4");
  refused([[1, 1e39, 3]], "inputs.x[0][1]: expected a number that FP32 can hold, got 1e+39");
  t.same(plain(type.parse([["Infinity", 2, 3]], "x")).elements, [Number.POSITIVE_INFINITY, 2, 3]);
  refused([[1, 2, [3]]], "inputs.x[0][2]: expected a number that FP32 can hold, got an array of 1");
  refused([1, 2], "inputs.x: expected 3 elements for the shape [-1,3], got 2");
  refused([], "inputs.x: expected 3 elements for the shape [-1,3], got 0");
  refused(7, "inputs.x: expected arrays nested as [-1,3], got 7");
  refused({ 0: 1 }, "inputs.x: expected arrays nested as [-1,3], got an object");
  // biome-ignore lint/suspicious/noSparseArray: a hole is an element that is missing
  refused([1, , 3], "inputs.x[1]: expected a number that FP32 can hold, got undefined");
  t.throws(
    () =>
      Tensor("FP32", [-1, -1, 2]).parse(
        [
          [[1, 2]],
          [
            [1, 2],
            [3, 4],
          ],
        ],
        "x",
      ),
    {
      message: "x[1]: expected 1 elements for the shape [-1,-1,2], got 2",
    },
  );
});

t.test("nothing is allocated for arrays that do not fit", async (t) => {
  const type = Tensor("FP64", [-1, 2 ** 40]);
  t.throws(() => type.parse([[], [], []], "x"), { code: "INVALID_ARGUMENT" });
});

t.test("each datatype takes its own elements and no others", async (t) => {
  const parse = (datatype: Datatype, value: unknown) => Tensor(datatype, [1]).parse([value], "x")[0];
  const refused = (datatype: Datatype, ...values: unknown[]) => {
    for (const value of values) {
      t.throws(() => parse(datatype, value), { code: "INVALID_ARGUMENT", path: "x[0]" }, `${datatype} ${value}`);
    }
  };
  t.same(
    [true, false, 1, 0].map((value) => parse("BOOL", value)),
    [1, 0, 1, 0],
  );
  refused("BOOL", 2, "true", null);
  t.equal(parse("UINT8", 255), 255);
  refused("UINT8", 256, -1, 1.5, 1n, "1");
  t.equal(parse("INT32", -(2 ** 31)), -(2 ** 31));
  refused("INT32", 2 ** 31, Number.NaN, "NaN");
  t.equal(parse("INT64", "-9223372036854775808"), -(2n ** 63n));
  t.equal(parse("UINT64", 2n ** 64n - 1n), 2n ** 64n - 1n);
  refused("INT64", 2 ** 53, 2n ** 63n, "1.5", "0x10", "", "1".repeat(1e6));
  refused("UINT64", -1, "-1", 2n ** 64n);
  t.equal(parse("FP32", "-Infinity"), Number.NEGATIVE_INFINITY);
  t.equal(parse("FP32", 0.1), Math.fround(0.1));
  refused("FP32", "0.1", 1n, true, undefined);
  t.equal(parse("FP16", 0.5), 0x3800);
  t.same(parse("BYTES", "é"), Uint8Array.of(0xc3, 0xa9));
  t.same(parse("BYTES", { base64: "/w==" }), Buffer.of(0xff));
  refused("BYTES", 1, { base64: "not base64!" }, { base64: 1 }, [1]);
});

t.test("JSON is nested by shape and says what it cannot carry as a number", async (t) => {
  const json = (datatype: Datatype, shape: number[], value: unknown) => {
    const type = Tensor(datatype, shape);
    return type.toJson(type.parse(value, "x"));
  };
  t.same(json("FP32", [2, 1], Float32Array.of(1, Number.NaN)), [[1], ["NaN"]]);
  t.same(json("INT64", [3], BigInt64Array.of(1n, 2n ** 53n, -(2n ** 63n))), [1, `${2n ** 53n}`, `${-(2n ** 63n)}`]);
  t.same(json("BOOL", [2], Uint8Array.of(1, 0)), [true, false]);
  t.same(json("FP16", [2], Uint16Array.of(toHalf(0.1), 0xfc00)), [fromHalf(toHalf(0.1)), "-Infinity"]);
  t.same(json("BYTES", [2], [Uint8Array.of(0xff), "text"]), [{ base64: "/w==" }, "text"]);
  t.same(json("FP64", [], 1.5), 1.5);
});

t.test("a fake fits, is repeatable, and comes back from V2 and from JSON", async (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ALL),
      fc.array(fc.constantFrom(-1, 1, 2, 3), { maxLength: 3 }),
      fc.integer(),
      (datatype, shape, seed) => {
        const type = Tensor(datatype, shape);
        const value = type.fake(new Random(seed));
        t.equal(value.length, elementCount(value.shape));
        t.same(plain(type.fake(new Random(seed))), plain(value));
        t.equal(type.parse(value, "x"), value);
        t.same(plain(type.fromTensor(type.toTensor(value), "x")), plain(value));
        t.same(plain(type.parse(JSON.parse(JSON.stringify(type.toJson(value))), "x")), plain(value));
      },
    ),
    { numRuns: 100 },
  );
});

t.test("every float comes back from JSON, whatever its bits", async (t) => {
  const type = Tensor("FP32", [-1]);
  fc.assert(
    fc.property(fc.float32Array({ minLength: 1 }), (data) => {
      const back = type.parse(JSON.parse(JSON.stringify(type.toJson(type.parse(data, "x")))), "x");
      // JSON.stringify writes a negative zero as 0.
      t.ok(data.every((element, i) => Object.is(element, back[i]) || (element === 0 && back[i] === 0)));
    }),
  );
});

t.test("a V2 tensor has exactly the declared datatype and a shape that fits", async (t) => {
  const type = Tensor("FP32", [-1, 2]);
  const data = Float32Array.of(1, 2, 3, 4);
  const raw = type.toTensor(type.parse(data, "x"));
  t.same([raw.datatype, raw.shape], ["FP32", [2, 2]]);
  t.equal(type.fromTensor({ datatype: "FP32", shape: [2, 2], data }, "x"), data, "without a copy");
  const refused = (tensor: Parameters<typeof type.fromTensor>[0], message: string) =>
    t.throws(() => type.fromTensor(tensor, "inputs.x"), { code: "INVALID_ARGUMENT", message: `inputs.x: ${message}` });
  refused({ datatype: "FP64", shape: [1, 2], data: new Float64Array(2) }, "expected datatype FP32, got FP64");
  refused({ datatype: "FP32", shape: [4], data }, "expected the shape [-1,2], got [4]");
  refused({ datatype: "FP32", shape: [2, 1], data }, "expected the shape [-1,2], got [2,1]");
  refused({ datatype: "FP32", shape: [3, 2], data }, "[3,2] has 6 elements, the data 4");
});

t.test("a default is proven, and nobody shares it", async (t) => {
  const initial = Float32Array.of(1, 2);
  const type = Tensor("FP32", [2], { default: initial });
  const state = type.defaultValue();
  t.same(state && plain(state), { elements: [1, 2], shape: [2] });
  state?.fill(7);
  t.same([...initial], [1, 2]);
  t.same(type.jsonSchema().default, [1, 2]);
  t.same(Array.from(Tensor("BYTES", [1], { default: ["a"] }).defaultValue() ?? []), [Uint8Array.of(97)]);
  t.throws(() => Tensor("FP32", [2], { default: [1] }), {
    message: "Tensor.default: expected 2 elements for the shape [2], got 1",
  });
});

t.test("the JSON Schema nests as the values do, with or without the batch axis", async (t) => {
  const items = { type: "integer", minimum: 0, maximum: 255 };
  const row = { type: "array", items, minItems: 2, maxItems: 2 };
  t.same(Tensor("UINT8", [2]).jsonSchema(), { ...row, "x-datatype": "UINT8", "x-shape": [2] });
  t.match(Tensor("UINT8", [-1]).jsonSchema(), { anyOf: [{ type: "array", items }, items] });
  t.same(Tensor("UINT8", [-1]).parse(7, "x").shape, [1]);
  t.same(Tensor("UINT8", [-1, 2]).jsonSchema(), {
    anyOf: [{ type: "array", items: row, minItems: 1 }, row],
    "x-datatype": "UINT8",
    "x-shape": [-1, 2],
  });
});

t.test("a dimension of 0 is one: such a tensor has no elements", async (t) => {
  const type = Tensor("FP32", [0, 2]);
  t.same(type.parse([], "x").shape, [0, 2]);
  t.same(type.parse(new Float32Array(0), "x").shape, [0, 2]);
  t.throws(() => type.parse([[1, 2]], "x"), { code: "INVALID_ARGUMENT" });
  t.throws(() => Tensor("FP32", [0, -1]).parse(new Float32Array(2), "x"), { code: "INVALID_ARGUMENT" });
});

t.test("what is no datatype or shape is refused at once", async (t) => {
  const shape = (dimensions: number[]) => () => Tensor("FP32", dimensions);
  t.throws(shape([-2]), { code: "INVALID_ARGUMENT", path: "Tensor.shape[0]" });
  t.throws(shape([1, -2]), { code: "INVALID_ARGUMENT", path: "Tensor.shape[1]" });
  t.throws(shape([1.5]), { code: "INVALID_ARGUMENT", path: "Tensor.shape[0]" });
  t.throws(() => Tensor("FP99" as "FP32", [1]), { code: "INVALID_ARGUMENT", path: "Tensor.datatype" });
});
