/** What ONNX's test data is made of: models, of which only the interface is read, and tensors. */
import { readFileSync } from "node:fs";
import { fields, text, varints } from "./protobuf.mjs";

/** V2 datatypes by the numbers of ONNX's TensorProto.DataType, with the bytes of an element; strings have no size. */
const DATATYPES = new Map([
  [1, ["FP32", 4]],
  [2, ["UINT8", 1]],
  [3, ["INT8", 1]],
  [4, ["UINT16", 2]],
  [5, ["INT16", 2]],
  [6, ["INT32", 4]],
  [7, ["INT64", 8]],
  [8, ["BYTES", 0]],
  [9, ["BOOL", 1]],
  [10, ["FP16", 2]],
  [11, ["FP64", 8]],
  [12, ["UINT32", 4]],
  [13, ["UINT64", 8]],
  [16, ["BF16", 2]],
]);

/** TypeProto's alternatives by field number. */
const TYPES = new Map([
  [1, "tensor"],
  [4, "sequence"],
  [5, "map"],
  [8, "sparse tensor"],
  [9, "optional"],
]);

function sub(bytes, wanted) {
  return [...fields(bytes)].filter(({ field }) => field === wanted).map(({ value }) => value);
}

/** A port of a graph: its name, whether it is a tensor, a sequence, …, and a tensor's datatype and dimensions. */
function port(valueInfo) {
  const [name] = sub(valueInfo, 1);
  const [type] = sub(valueInfo, 2).flatMap((one) => [...fields(one)].filter(({ field }) => TYPES.has(field)));
  const kind = TYPES.get(type.field);
  if (kind !== "tensor") return { name: text(name), kind };
  const element = [...fields(type.value)].find(({ field }) => field === 1);
  // A dimension without a value is free.
  const dims = sub(type.value, 2).flatMap((shape) => sub(shape, 1).map((dim) => Number(sub(dim, 1)[0] ?? -1)));
  return { name: text(name), kind, datatype: DATATYPES.get(Number(element.value))?.[0], dims };
}

/** A model's outputs, and the inputs that have no initializer in the model. */
export function readInterface(file) {
  const [graph] = sub(readFileSync(file), 7);
  const initialized = new Set(sub(graph, 5).map((tensor) => text(sub(tensor, 8)[0] ?? new Uint8Array())));
  return {
    inputs: sub(graph, 11)
      .map(port)
      .filter(({ name }) => !initialized.has(name)),
    outputs: sub(graph, 12).map(port),
  };
}

function bytesPerElement(values, size) {
  const buffer = Buffer.alloc(values.length * size);
  for (const [i, value] of values.entries()) {
    const bits = BigInt.asUintN(size * 8, value);
    if (size === 8) buffer.writeBigUInt64LE(bits, i * 8);
    else buffer.writeUIntLE(Number(bits), i * size, size);
  }
  return buffer;
}

/** Strings as V2's binary extension has them: each with its length in front. */
function lengthPrefixed(strings) {
  return Buffer.concat(
    strings.flatMap((string) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(string.length);
      return [length, string];
    }),
  );
}

/** A TensorProto's file as V2 has a tensor: datatype, shape, little-endian bytes. */
export function readTensor(file) {
  const parts = { dims: [], type: 0, raw: undefined, strings: [], integers: [], floats: [] };
  for (const one of fields(readFileSync(file))) {
    if (one.field === 1) parts.dims.push(...varints(one).map(Number));
    else if (one.field === 2) parts.type = Number(one.value);
    else if (one.field === 6) parts.strings.push(one.value);
    else if ([5, 7, 11].includes(one.field)) parts.integers.push(...varints(one));
    else if ([4, 10].includes(one.field)) parts.floats.push(one.value);
    else if (one.field === 9) parts.raw = one.value;
  }
  const [datatype, size] = DATATYPES.get(parts.type) ?? [];
  if (datatype === undefined) throw new Error(`${file} has the datatype ${parts.type}, which V2 does not have`);
  const data =
    datatype === "BYTES"
      ? lengthPrefixed(parts.strings)
      : (parts.raw ?? Buffer.concat(parts.floats.length > 0 ? parts.floats : [bytesPerElement(parts.integers, size)]));
  return { datatype, shape: parts.dims, data };
}
