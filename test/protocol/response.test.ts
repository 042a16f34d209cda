import t from "tap";
import type { NamedTensor } from "../../src/protocol/index.js";
import { decodeInferResponse, encodeInferResponse } from "../../src/protocol/index.js";
import { bodyOf, rejects, textOf, utf8 } from "./helpers.js";

const ticks: NamedTensor = {
  name: "ticks",
  datatype: "INT64",
  shape: [2],
  data: BigInt64Array.of(9007199254740993n, -1n),
};
const scores: NamedTensor = { name: "scores", datatype: "FP32", shape: [1, 2], data: Float32Array.of(0.5, Number.NaN) };
const json = (outputs: NamedTensor[]) => textOf(encodeInferResponse({ modelName: "m", outputs }, () => false));

t.test("JSON: exact integers, and the tokens that Triton has for what JSON has no numbers for", async (t) => {
  t.equal(
    json([ticks, scores]),
    '{"model_name":"m","outputs":[' +
      '{"name":"ticks","datatype":"INT64","shape":[2],"data":[9007199254740993,-1]},' +
      '{"name":"scores","datatype":"FP32","shape":[1,2],"data":[0.5,NaN]}]}',
  );
  const floats = Float64Array.of(-0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300);
  t.match(json([{ name: "x", datatype: "FP64", shape: [4], data: floats }]), '"data":[-0.0,Infinity,-Infinity,1e+300]');
  const zero = Float32Array.of(-0, 0);
  t.match(json([{ name: "x", datatype: "FP32", shape: [2], data: zero }]), '"data":[-0.0,0]');
  const bools = Uint8Array.of(0, 1);
  t.match(json([{ name: "x", datatype: "BOOL", shape: [2], data: bools }]), '"data":[false,true]');
  const halves = Uint16Array.of(0x3c00, 0x7e00);
  t.match(json([{ name: "x", datatype: "FP16", shape: [2], data: halves }]), '"data":[1,NaN]');
  t.match(json([{ name: "x", datatype: "BF16", shape: [1], data: Uint16Array.of(0x3f80) }]), '"data":[1]');
});

t.test("NaN and the infinities are read as Triton writes them, and as strings", async (t) => {
  const data = Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN);
  for (const list of ["NaN,Infinity,-Infinity,-NaN", ' NaN , Inf,-Inf,"NaN"']) {
    const body = `{"model_name":"NaN,\\"Infinity","outputs":[{"name":"x","datatype":"FP32","shape":[4],"data":[${list}]}]}`;
    const response = decodeInferResponse(utf8(body), undefined);
    t.equal(response.modelName, 'NaN,"Infinity');
    t.same(response.outputs, [{ name: "x", datatype: "FP32", shape: [4], data }]);
  }
});

t.test("binary: the header's fields in order, then the tensors themselves", async (t) => {
  const response = { modelName: "m", modelVersion: "1", id: 'a"b', parameters: { ok: true, n: 2n ** 60n } };
  const message = encodeInferResponse({ ...response, outputs: [ticks, scores] }, (name) => name === "ticks");
  t.equal(
    new TextDecoder().decode(message.header).trimEnd(),
    '{"model_name":"m","model_version":"1","id":"a\\"b","parameters":{"ok":true,"n":1152921504606846976},"outputs":[' +
      '{"name":"ticks","datatype":"INT64","shape":[2],"parameters":{"binary_data_size":16}},' +
      '{"name":"scores","datatype":"FP32","shape":[1,2],"data":[0.5,NaN]}]}',
  );
  t.equal(message.headerLength, message.header.byteLength);
  t.equal(message.header.byteLength % 8, 0);
  t.equal(message.total, message.header.byteLength + 16);
  t.equal(message.parts.length, 1);
  t.ok(message.parts[0]?.buffer === (ticks.data as BigInt64Array).buffer, "not copied");
});

t.test("BYTES that are no UTF-8 cannot be JSON, and are not replaced silently", async (t) => {
  const image: NamedTensor = { name: "image", datatype: "BYTES", shape: [1], data: [Uint8Array.of(0xff, 0xd8)] };
  rejects(t, () => json([image]), "outputs.image as JSON", /not UTF-8/);
  t.match(json([{ ...image, data: [utf8('"é"')] }]), '"data":["\\"é\\""]');
});

t.test("decoding refuses what is no response", async (t) => {
  rejects(t, () => decodeInferResponse(utf8("<html>"), undefined), "body", /not JSON/);
  rejects(t, () => decodeInferResponse(utf8('{"error":"x"}'), undefined), "model_name", /expected a name/);
  rejects(t, () => decodeInferResponse(utf8('{"model_name":"m"}'), undefined), "outputs", /expected an array/);
  const message = encodeInferResponse({ modelName: "m", outputs: [ticks] }, () => true);
  const body = bodyOf(message);
  rejects(t, () => decodeInferResponse(body.subarray(0, -1), message.headerLength), "body", /truncated/);
  rejects(t, () => decodeInferResponse(body, undefined), "body", /not UTF-8/);
});
