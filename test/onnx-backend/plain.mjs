/** ONNX Runtime without Headrace: what it says of a model, and what it answers. */
import ort from "onnxruntime-node";
import { valuesOf } from "./values.mjs";

// Warnings of the models themselves are not what is tested.
const QUIET = { logSeverityLevel: 4 };

const TYPES = {
  BOOL: ["bool", Uint8Array],
  UINT8: ["uint8", Uint8Array],
  INT8: ["int8", Int8Array],
  UINT16: ["uint16", Uint16Array],
  INT16: ["int16", Int16Array],
  UINT32: ["uint32", Uint32Array],
  INT32: ["int32", Int32Array],
  UINT64: ["uint64", BigUint64Array],
  INT64: ["int64", BigInt64Array],
  FP32: ["float32", Float32Array],
  FP64: ["float64", Float64Array],
};
const DATATYPES = Object.fromEntries(Object.entries(TYPES).map(([datatype, [type]]) => [type, datatype]));

/** Why ONNX Runtime refuses to load a model; undefined where it loads it. */
export async function refusal(model) {
  try {
    const session = await ort.InferenceSession.create(model, QUIET);
    await session.release();
    return undefined;
  } catch (error) {
    return error.message;
  }
}

function toOrt(tensor) {
  if (tensor.datatype === "BYTES") return new ort.Tensor("string", valuesOf(tensor), tensor.shape);
  const [type, Elements] = TYPES[tensor.datatype];
  return new ort.Tensor(type, Elements.from(valuesOf(tensor)), tensor.shape);
}

function fromOrt({ type, data, dims }) {
  if (type !== "string") {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    return { datatype: DATATYPES[type], shape: dims, data: bytes };
  }
  const strings = data.map((text) => {
    const bytes = Buffer.from(`\0\0\0\0${text}`);
    bytes.writeUInt32LE(bytes.length - 4);
    return bytes;
  });
  return { datatype: "BYTES", shape: dims, data: Buffer.concat(strings) };
}

/** Runs a model; its outputs by name. */
export async function run(model, inputs) {
  const session = await ort.InferenceSession.create(model, QUIET);
  try {
    const outputs = await session.run(Object.fromEntries(inputs.map((tensor) => [tensor.name, toOrt(tensor)])));
    return new Map(Object.entries(outputs).map(([name, tensor]) => [name, fromOrt(tensor)]));
  } finally {
    await session.release();
  }
}
