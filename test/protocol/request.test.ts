import t from "tap";
import { HeaderCache, parseHeaderLength, toRawTensor } from "../../src/protocol/index.js";
import { InferDecoder } from "../../src/serving/infer-decoder.js";
import { decodeBinaryInfer, decodeJsonInfer } from "../support/decode.js";
import { binaryBody, rejects, utf8 } from "./helpers.js";

const input = (entry: Record<string, unknown>) => ({ name: "x", datatype: "FP32", shape: [2], ...entry });

/** Decodes one JSON input and returns its elements. */
function dataOf(entry: Record<string, unknown>) {
  const request = decodeJsonInfer(JSON.stringify({ inputs: [input(entry)] }));
  const [first] = request.inputs.map(toRawTensor);
  return first === undefined ? [] : [...first.data];
}

const decodeJson = (json: unknown) => () => decodeJsonInfer(JSON.stringify(json));

t.test("data is flat or nested as the shape says", async (t) => {
  t.same(dataOf({ shape: [2, 2], data: [1, 2, 3, 4] }), [1, 2, 3, 4]);
  t.same(
    dataOf({
      shape: [2, 2],
      data: [
        [1, 2],
        [3, 4],
      ],
    }),
    [1, 2, 3, 4],
  );
  t.same(dataOf({ shape: [], data: 7 }), [7]);
  t.same(dataOf({ shape: [], data: [7] }), [7]);
  t.same(dataOf({ shape: [2, 0], data: [[], []] }), []);
  t.same(dataOf({ shape: [0, 5], data: [] }), []);
});

t.test("every datatype takes its values from JSON and refuses what it cannot hold", async (t) => {
  const cases: [datatype: string, good: unknown[], elements: unknown[], bad: unknown[]][] = [
    ["BOOL", [true, 0], [1, 0], [2, "true", null]],
    ["UINT8", [0, 255], [0, 255], [256, -1, 0.5, "1", 1e300]],
    ["INT8", [-128, 127], [-128, 127], [128, -129]],
    ["UINT16", [0, 65535], [0, 65535], [65536]],
    ["INT16", [-32768, 1], [-32768, 1], [32768]],
    ["UINT32", [0, 4294967295], [0, 4294967295], [4294967296, -1]],
    ["INT32", [-2147483648, 1], [-2147483648, 1], [2147483648]],
    [
      "INT64",
      [-5, "-9223372036854775808"],
      [-5n, -9223372036854775808n],
      ["9223372036854775808", 1.5, "", " 1", "0x1"],
    ],
    ["UINT64", [5, "18446744073709551615"], [5n, 18446744073709551615n], [-1, "18446744073709551616", 1e20]],
    ["FP32", [0.5, "NaN"], [0.5, Number.NaN], [1e39, "nan", "1", true, null, [1]]],
    ["FP64", [0.1, "-Infinity"], [0.1, Number.NEGATIVE_INFINITY], ["", {}]],
    ["FP16", [1, "Infinity"], [0x3c00, 0x7c00], [65520]],
    ["BF16", [1, "NaN"], [0x3f80, 0x7fc0], [3.4e38]],
  ];
  for (const [datatype, good, elements, bad] of cases) {
    t.same(dataOf({ datatype, data: good }), elements, datatype);
    for (const value of bad) {
      const json = { inputs: [input({ datatype, data: [good[0], value] })] };
      rejects(t, decodeJson(json), "inputs[0].data[1]", /expected .*, got/);
    }
  }
});

t.test("integers above 2^53 arrive exactly, whether JSON integers or strings", async (t) => {
  const body =
    '{"inputs":[{"name":"x","datatype":"UINT64","shape":[2],"data":[18446744073709551615,9007199254740993]}]}';
  const [x] = decodeJsonInfer(body).inputs.map(toRawTensor);
  t.same(x?.data, BigUint64Array.of(18446744073709551615n, 9007199254740993n));
  t.same(dataOf({ datatype: "FP64", shape: [1], data: [9007199254740992] }), [9007199254740992]);
});

t.test("a number too large for JSON.parse is refused, not made infinite", async (t) => {
  const body = '{"inputs":[{"name":"x","datatype":"FP64","shape":[1],"data":[1e999]}]}';
  rejects(t, () => decodeJsonInfer(body), "inputs[0].data[0]", /a number that FP64 can hold, got 1e999/);
});

t.test("BYTES are UTF-8 strings; a lone surrogate is no text", async (t) => {
  t.same(dataOf({ datatype: "BYTES", shape: [2], data: ["é", ""] }), [Uint8Array.of(0xc3, 0xa9), new Uint8Array()]);
  const json = { inputs: [input({ datatype: "BYTES", shape: [1], data: ["\ud800"] })] };
  rejects(t, decodeJson(json), "inputs[0].data[0]", /well-formed Unicode/);
});

t.test("says where a request is wrong", async (t) => {
  const cases: [json: unknown, path: string, message: RegExp][] = [
    [[], "body", /expected an object/],
    [{}, "inputs", /expected an array, got nothing/],
    [{ id: 7, inputs: [] }, "id", /expected a string/],
    [{ inputs: [], parameters: 1 }, "parameters", /expected an object/],
    [{ inputs: [], parameters: { sequence_start: 1 } }, "parameters.sequence_start", /true or false/],
    [{ inputs: [], parameters: { timeout: -1 } }, "parameters.timeout", /from 0/],
    [{ inputs: [], parameters: { priority: "1" } }, "parameters.priority", /from 0/],
    [{ inputs: [7] }, "inputs[0]", /expected an object/],
    [{ inputs: [{}] }, "inputs[0].name", /expected a name/],
    [{ inputs: [input({ datatype: "FP8" })] }, "inputs[0].datatype", /expected one of BOOL, .* got "FP8"/],
    [{ inputs: [input({ datatype: "toString" })] }, "inputs[0].datatype", /expected one of/],
    [{ inputs: [input({ shape: 2 })] }, "inputs[0].shape", /expected an array/],
    [{ inputs: [input({ shape: [2, -1] })] }, "inputs[0].shape[1]", /got -1/],
    [{ inputs: [input({ shape: [2.5] })] }, "inputs[0].shape[0]", /got 2.5/],
    [{ inputs: [input({ shape: [2 ** 30, 2 ** 30] })] }, "inputs[0].shape", /more than 2\^53 elements/],
    [{ inputs: [input({ shape: new Array(33).fill(1) })] }, "inputs[0].shape", /33 dimensions/],
    [{ inputs: [input({ shape: [10 ** 9], data: [1] })] }, "inputs[0].data", /expected 1000000000 values .*, got 1/],
    [{ inputs: [input({ data: [1] })] }, "inputs[0].data", /expected 2 values for shape \[2\], got 1/],
    [{ inputs: [input({ shape: [1, 2], data: [[1], [2]] })] }, "inputs[0].data", /expected 1 values/],
    [{ inputs: [input({ shape: [1, 2], data: [[1, "2"]] })] }, "inputs[0].data[0][1]", /got "2"/],
    [{ inputs: [input({ shape: [1, 2], data: [[1, [2]]] })] }, "inputs[0].data[0][1]", /an array of 1/],
    [{ inputs: [input({})] }, "inputs[0]", /neither data nor/],
    [{ inputs: [input({ data: [1, 2] }), input({ data: [1, 2] })] }, "inputs[1].name", /"x" is there twice/],
    [{ inputs: [], outputs: [{ name: "y" }, { name: "y" }] }, "outputs[1].name", /twice/],
    [{ inputs: [], outputs: [{ name: "" }] }, "outputs[0].name", /expected a name/],
    [{ inputs: [input({ parameters: { binary_data_size: 8 } })] }, "body", /nothing says where the JSON ends/],
  ];
  for (const [json, path, message] of cases) rejects(t, decodeJson(json), path, message);
});

t.test("data nested without end is refused", async (t) => {
  const nested = (depth: number) => {
    const data = "[".repeat(depth) + "]".repeat(depth);
    return `{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":${data}}]}`;
  };
  rejects(t, () => decodeJsonInfer(nested(40)), "inputs[0].data[0]", /an array of 1/);
  rejects(t, () => decodeJsonInfer(nested(100_000)), "body", /nested deeper than 64/);
});

t.test("null counts as absent", async (t) => {
  const request = decodeJsonInfer('{"id":null,"parameters":null,"outputs":null,"inputs":[]}');
  t.match(request, { id: undefined, outputs: undefined, sequenceId: undefined, binaryOutputDefault: false });
});

t.test("sequence ids: one canonical string, exact, with 0 and the empty string for none", async (t) => {
  const idOf = (json: string) => decodeJsonInfer(`{"inputs":[],"parameters":{"sequence_id":${json}}}`).sequenceId;
  t.equal(idOf("42"), "42");
  t.equal(idOf('"42"'), "42");
  t.equal(idOf("9007199254740993"), "9007199254740993");
  t.equal(idOf("18446744073709551615"), "18446744073709551615");
  t.equal(idOf('"camera-7"'), "camera-7");
  t.equal(idOf("0"), undefined);
  t.equal(idOf('""'), undefined);
  t.equal(idOf("null"), undefined);
  t.equal(idOf('"0"'), "0", "a stream that somebody named 0 keeps its state");
  const path = "parameters.sequence_id";
  for (const bad of ["-1", "1.5", "true", "18446744073709551616", "1e300", "-9007199254740993", "[1]"]) {
    rejects(t, () => idOf(bad), path, /expected a string or an integer from 0 to 2\^64 - 1/);
  }
  rejects(t, () => idOf(`"${"x".repeat(1025)}"`), path, /at most 1024/);
});

t.test("outputs: binary_data overrides binary_data_output; 0 is no priority and no timeout", async (t) => {
  const outputs = [{ name: "a" }, { name: "b", parameters: { binary_data: false } }];
  const parameters = { binary_data_output: true, priority: 0, timeout: 0 };
  const request = decodeJsonInfer(JSON.stringify({ inputs: [], outputs, parameters }));
  t.same(request.outputs, [
    { name: "a", binary: true },
    { name: "b", binary: false },
  ]);
  t.equal(request.binaryOutputDefault, true);
  t.equal(request.priority, undefined);
  t.equal(request.timeoutMicros, undefined);
});

t.test("what V2 has and this server has not is refused, not ignored", async (t) => {
  for (const name of ["classification", "shared_memory_region"]) {
    const json = { inputs: [], outputs: [{ name: "y", parameters: { [name]: 1 } }] };
    t.throws(decodeJson(json), { code: "UNIMPLEMENTED", path: `outputs[0].parameters.${name}` });
  }
  const json = { inputs: [input({ parameters: { shared_memory_region: "r" } })] };
  t.throws(decodeJson(json), { code: "UNIMPLEMENTED", path: "inputs[0].parameters.shared_memory_region" });
});

t.test("binary inputs are views into the body", async (t) => {
  const size = { parameters: { binary_data_size: 8 } };
  const { body, headerLength } = binaryBody({ inputs: [input(size)] }, new Uint8Array(8));
  const [x] = decodeBinaryInfer(body, headerLength).inputs;
  t.ok(x?.datatype === "FP32" && x.bytes.buffer === body.buffer && x.bytes.byteOffset === headerLength);
});

t.test("binary inputs mixed with JSON inputs are taken in the JSON's order", async (t) => {
  const { body, headerLength } = binaryBody(
    {
      inputs: [
        input({ name: "a", parameters: { binary_data_size: 8 } }),
        input({ name: "b", data: [1, 2] }),
        input({ name: "c", datatype: "BYTES", parameters: { binary_data_size: 9 } }),
      ],
    },
    Uint8Array.of(0, 0, 128, 63, 0, 0, 0, 64),
    Uint8Array.of(1, 0, 0, 0, 7, 0, 0, 0, 0),
  );
  const request = decodeBinaryInfer(body, headerLength);
  const [a, b, c] = request.inputs;
  t.same(
    [a, b, c].map((tensor) => (tensor === undefined ? [] : [...toRawTensor(tensor).data])),
    [
      [1, 2],
      [1, 2],
      [Uint8Array.of(7), new Uint8Array()],
    ],
  );
  rejects(t, () => decodeBinaryInfer(body.subarray(0, -1), headerLength), "body", /truncated: 16 bytes .* need 17/);
  rejects(
    t,
    () => decodeBinaryInfer(Uint8Array.of(...body, 0), headerLength),
    "body",
    /left-over bytes: 18 .* need 17/,
  );
});

t.test("says where a binary body is wrong", async (t) => {
  const binary = (entry: Record<string, unknown>, bytes: number[]) => {
    const { body, headerLength } = binaryBody({ inputs: [input(entry)] }, Uint8Array.from(bytes));
    return () => decodeBinaryInfer(body, headerLength);
  };
  const size = (binary_data_size: unknown) => ({ parameters: { binary_data_size } });
  const sizePath = "inputs[0].parameters.binary_data_size";
  rejects(t, binary(size(7), [1, 2, 3, 4, 5, 6, 7]), sizePath, /FP32 of shape \[2\] is 8 bytes, not 7/);
  rejects(t, binary(size("8"), []), sizePath, /expected an integer/);
  rejects(t, binary(size(8), [1]), "body", /truncated: 1 bytes follow the JSON header, the inputs need 8/);
  rejects(t, binary(size(8), new Array(9).fill(0)), "body", /left-over bytes: 9/);
  rejects(t, binary({ ...size(8), data: [1, 2] }, []), "inputs[0]", /both data and/);
  rejects(t, binary({ shape: [2 ** 50], ...size(2 ** 52) }, []), "body", /truncated/);
  const bool = { datatype: "BOOL", ...size(2) };
  rejects(t, binary(bool, [1, 2]), "inputs[0]", /byte 1 is 2, but a BOOL is 0 or 1/);
});

t.test("BYTES whose lengths lie are refused before anything is allocated for them", async (t) => {
  const bytes = (shape: number[], packed: number[]) => {
    const entry = { datatype: "BYTES", shape, parameters: { binary_data_size: packed.length } };
    const { body, headerLength } = binaryBody({ inputs: [input(entry)] }, Uint8Array.from(packed));
    return () => decodeBinaryInfer(body, headerLength);
  };
  rejects(t, bytes([2], [1, 0, 0, 0]), "inputs[0]", /2 elements of BYTES need at least 8 bytes/);
  rejects(t, bytes([2 ** 40], [0, 0, 0, 0]), "inputs[0]", /need at least/);
  rejects(t, bytes([1], [5, 0, 0, 0, 1]), "inputs[0]", /element 0 of BYTES ends after the tensor/);
  rejects(t, bytes([1], [255, 255, 255, 255]), "inputs[0]", /element 0 of BYTES ends after/);
  rejects(t, bytes([2], [3, 0, 0, 0, 1, 2, 3, 0]), "inputs[0]", /element 1 of BYTES ends after/);
  rejects(t, bytes([1], [0, 0, 0, 0, 9]), "inputs[0]", /1 bytes are left over/);
  rejects(t, bytes([0], [9]), "inputs[0]", /1 bytes are left over/);
});

t.test("a header length that cannot be", async (t) => {
  const body = new Uint8Array(4);
  for (const length of [5, -1, 0.5, Number.NaN]) {
    rejects(t, () => decodeBinaryInfer(body, length), "body", /does not fit a body of 4/);
  }
  t.equal(parseHeaderLength(""), undefined);
  t.equal(parseHeaderLength("0"), 0);
  t.equal(parseHeaderLength("123"), 123);
  for (const text of ["-1", "1.0", "1e3", " 1", "x", "9".repeat(40)]) {
    rejects(t, () => parseHeaderLength(text), "Inference-Header-Content-Length", /not a length/);
  }
});

t.test("what follows from a repeated header is kept, whatever the elements are", async (t) => {
  const decoder = new InferDecoder();
  const size = { parameters: { binary_data_size: 8 } };
  const plan = (json: unknown, ...parts: Uint8Array[]) => {
    const { body, headerLength } = binaryBody(json, ...parts);
    return decoder.binary(body, headerLength).plan;
  };
  const first = plan({ id: "a", inputs: [input(size)] }, new Uint8Array(8));
  t.equal(plan({ id: "a", inputs: [input(size)] }, new Uint8Array(8).fill(1)), first);
  t.ok(Object.isFrozen(first.inputs.tensors[0]?.shape), "so nobody may change it");
  t.not(plan({ id: "b", inputs: [input(size)] }, new Uint8Array(8)), first);
  const jsonPlan = (data: unknown) => decoder.json(utf8(JSON.stringify({ inputs: [input({ data })] }))).plan;
  t.equal(jsonPlan([1, 2]), jsonPlan([-3, "NaN"]));
  rejects(t, () => jsonPlan([1, "x"]), "inputs[0].data[1]", /got "x"/);
  t.equal(jsonPlan([[1, 2]].flat()), jsonPlan([0, 0]), "a refused one has not taken its place");
});

t.test("a binary header that looks like what is left of a JSON request is not taken for one", async (t) => {
  const decoder = new InferDecoder();
  const json = utf8(JSON.stringify({ inputs: [input({ data: [1, 2] })] }));
  const { plan } = decoder.json(json);
  t.equal(plan.inputs.binaryBytes, 8);
  const { body, headerLength } = binaryBody({ inputs: [input({ data: 8 })] }, new Uint8Array(8));
  rejects(t, () => decoder.binary(body, headerLength), "inputs[0].data", /expected an array of 2, got 8/);
});

t.test("the cache of headers stays small", async (t) => {
  const cache = new HeaderCache<number>(2);
  for (const [value, header] of ["a", "b", "c"].entries()) cache.put(header, value);
  t.equal(cache.size, 2);
  t.same([cache.get("a"), cache.get("b"), cache.get("c")], [undefined, 1, 2]);
  cache.put("c", 3);
  t.same([cache.get("b"), cache.get("c")], [1, 3], "another value takes the place of the one before, and of no other");
  cache.put("x".repeat(5000), 4);
  t.equal(cache.size, 2);
});

t.test("long headers make the cache keep fewer", async (t) => {
  const cache = new HeaderCache<number>(16);
  const long = (index: number) => String.fromCharCode(97 + index).repeat(4000);
  for (let index = 0; index < 10; index++) cache.put(long(index), index);
  t.equal(cache.size, 2, "16 times 512 characters");
  t.same(
    [7, 8, 9].map((index) => cache.get(long(index))),
    [undefined, 8, 9],
    "the latest",
  );
  for (let index = 0; index < 16; index++) cache.put(`short ${index}`, index);
  t.equal(cache.size, 16, "whose room is free again when they are gone");
});
