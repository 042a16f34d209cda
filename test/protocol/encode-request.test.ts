/** What a request cannot be encoded from; what it can is in round-trip.test.ts. */
import t from "tap";
import type { RawTensor } from "../../src/datatype.js";
import { encodeInferRequest, type InferRequest } from "../../src/protocol/index.js";
import { rejects } from "./helpers.js";

const encode = (inputs: unknown) => () =>
  encodeInferRequest({ inputs: inputs as InferRequest["inputs"] }, { binary: true });

const x: RawTensor = { datatype: "FP32", shape: [1, 2], data: Float32Array.of(1, 2) };

t.test("inputs that are no tensors are refused by name", async (t) => {
  rejects(t, encode(undefined), "inputs", /tensors by the names.*got undefined$/);
  rejects(t, encode([x]), "inputs", /got an array of 1$/);
  rejects(t, encode(Float32Array.of(1, 2)), "inputs", /got a Float32Array of 2$/);
  rejects(t, encode({ x: [[1, 2, 3, 4]] }), "inputs.x", /expected a tensor, such as \{ datatype.*got an array of 1$/);
  rejects(t, encode({ x, y: Float32Array.of(1) }), "inputs.y", /got a Float32Array of 1$/);
  for (const given of [undefined, null, 1, "1"]) rejects(t, encode({ x: given }), "inputs.x", /expected a tensor/);
});

t.test("says which part of a tensor is missing or wrong", async (t) => {
  const { shape: _shape, ...shapeless } = x;
  rejects(t, encode({ x: shapeless }), "inputs.x.shape", /expected an array, got nothing/);
  rejects(t, encode({ x: { ...x, shape: 2 } }), "inputs.x.shape", /expected an array, got 2/);
  for (const dimension of [-1, 0.5, "2", null]) {
    rejects(t, encode({ x: { ...x, shape: [1, dimension] } }), "inputs.x.shape[1]", /expected an integer/);
  }
  rejects(t, encode({ x: { ...x, shape: Array(33).fill(1) } }), "inputs.x.shape", /33 dimensions/);
  for (const datatype of [undefined, "float32", "toString"]) {
    rejects(t, encode({ x: { ...x, datatype } }), "inputs.x.datatype", /expected one of BOOL,/);
  }
  rejects(t, encode({ x: { ...x, data: [1, 2] } }), "inputs.x.data", /a typed array for FP32, got an array of 2/);
  rejects(t, encode({ x: { ...x, data: undefined } }), "inputs.x.data", /got undefined/);
  const text = { datatype: "BYTES", shape: [1], data: ["text"] };
  rejects(t, encode({ x: text }), "inputs.x.data", /an array of Uint8Arrays, got an array of 1/);
});

t.test("the bytes of other arrays than the datatype's own are sent as they are", async (t) => {
  const bytes = Buffer.from(Float32Array.of(1, 2).buffer);
  t.same(encode({ x: { ...x, data: bytes } })().parts, [new Uint8Array(bytes)]);
  t.same(encode({ x: { datatype: "BYTES", shape: [1], data: [Buffer.from("a")] } })().parts[0]?.byteLength, 5);
});
