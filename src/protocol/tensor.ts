/** What the JSON and the binary form share: names, datatypes, shapes, sizes, and the packing of BYTES. */
import {
  bytesOf,
  DATATYPES,
  type Datatype,
  elementCount,
  isDatatype,
  type RawTensor,
  typedArrayOver,
} from "../datatype.js";
import { shown, typedArrayName } from "../shown.js";
import { arrayAt, fail, isObject, type JsonObject, nameAt, show } from "./check.js";
import type { DecodedInput, NamedTensor } from "./v2.js";

/** More dimensions than any model runtime takes. */
const MAX_RANK = 32;

/** The part of a tensor's JSON that is the same in both forms, checked. */
export interface TensorHeader {
  readonly name: string;
  readonly datatype: Datatype;
  /** Frozen: it is shared by all requests with the same header. */
  readonly shape: readonly number[];
  /** The product of the shape, at most 2^53 - 1. */
  readonly count: number;
}

export function tensorHeader(entry: JsonObject, path: string): TensorHeader {
  const name = nameAt(entry.name, `${path}.name`);
  const datatype = datatypeAt(entry.datatype, `${path}.datatype`);
  const shape = shapeAt(entry.shape, `${path}.shape`);
  const count = elementCount(shape);
  if (!Number.isSafeInteger(count)) fail(`${path}.shape`, `[${shape.join(", ")}] has more than 2^53 elements`);
  return { name, datatype, shape, count };
}

function datatypeAt(value: unknown, path: string): Datatype {
  if (typeof value === "string" && isDatatype(value)) return value;
  return fail(path, `expected one of ${Object.keys(DATATYPES).join(", ")}, BYTES, got ${show(value)}`);
}

function shapeAt(value: unknown, path: string): readonly number[] {
  const dimensions = arrayAt(value, path);
  if (dimensions.length > MAX_RANK) fail(path, `${dimensions.length} dimensions, at most ${MAX_RANK} are allowed`);
  return Object.freeze(
    dimensions.map((dimension, axis) => {
      if (isDimension(dimension)) return dimension + 0;
      return fail(`${path}[${axis}]`, `expected an integer from 0 to 2^53 - 1, got ${show(dimension)}`);
    }),
  );
}

function isDimension(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/**
 * Refuses what is no tensor: a caller in JavaScript may give plain values, or leave the shape out. Every step of every stream
 * passes here, so it looks at no numbers, and makes no text unless something is wrong. Data of another
 * length than the shape says is for the server to refuse.
 */
export function checkTensor(tensor: unknown, field: string, name: string): void {
  if (!isObject(tensor) || ArrayBuffer.isView(tensor)) {
    const example = '{ datatype: "FP32", shape: [1, 2], data: Float32Array.of(1, 2) }';
    fail(`${field}.${name}`, `expected a tensor, such as ${example}, got ${shown(tensor)}`);
  }
  const { datatype, shape, data } = tensor;
  if (typeof datatype !== "string" || !isDatatype(datatype)) datatypeAt(datatype, `${field}.${name}.datatype`);
  if (!isShape(shape)) shapeAt(shape, `${field}.${name}.shape`);
  if (datatype === "BYTES" ? isByteStrings(data) : ArrayBuffer.isView(data)) return;
  const expected = datatype === "BYTES" ? "an array of Uint8Arrays" : `a typed array for ${datatype}`;
  fail(`${field}.${name}.data`, `expected ${expected}, got ${shown(data)}`);
}

function isShape(shape: unknown): boolean {
  return Array.isArray(shape) && shape.length <= MAX_RANK && shape.every(isDimension);
}

function isByteStrings(data: unknown): boolean {
  return Array.isArray(data) && data.every((string) => typedArrayName(string) === "Uint8Array");
}

/** Bytes of the binary form, or undefined for BYTES, whose elements say their own lengths. */
export function fixedByteLength(header: TensorHeader): number | undefined {
  return header.datatype === "BYTES" ? undefined : header.count * DATATYPES[header.datatype].bytes;
}

/** The tensor that `bytes` hold, as views; `bytes` is exactly this tensor's part of the body. */
export function decodedInput(header: TensorHeader, bytes: Uint8Array, field: string, index: number): DecodedInput {
  const { name, datatype, shape } = header;
  if (datatype === "BYTES") {
    return { name, datatype, shape, byteStrings: unpackByteStrings(bytes, header.count, `${field}[${index}]`) };
  }
  if (datatype === "BOOL") checkBooleans(bytes, `${field}[${index}]`);
  return { name, datatype, shape, bytes };
}

/** Any other byte in a C++ `bool` is undefined behaviour, so none may reach the engine. */
export function checkBooleans(bytes: Uint8Array, path: string, offset = 0): void {
  const wrong = bytes.findIndex((byte) => byte > 1);
  if (wrong !== -1) fail(path, `byte ${offset + wrong} is ${bytes[wrong]}, but a BOOL is 0 or 1`);
}

/** A request's input as a tensor: a view where the alignment allows it, else a copy. */
export function toRawTensor(input: DecodedInput): RawTensor {
  const { datatype, shape } = input;
  if (datatype === "BYTES") return { datatype, shape, data: input.byteStrings };
  return { datatype, shape, data: typedArrayOver(datatype, input.bytes) };
}

export function toNamedTensor(input: DecodedInput): NamedTensor {
  return { name: input.name, ...toRawTensor(input) };
}

/** The little-endian bytes of a tensor's binary form: its own memory, except for BYTES. */
export function binaryOf(tensor: RawTensor): Uint8Array {
  return tensor.datatype === "BYTES" ? packByteStrings(tensor.data) : bytesOf(tensor.data);
}

/** Each element as a u32 little-endian length and its bytes. */
export function packByteStrings(strings: readonly Uint8Array[]): Uint8Array {
  let total = 0;
  for (const string of strings) total += 4 + string.byteLength;
  const packed = new Uint8Array(total);
  const view = new DataView(packed.buffer);
  let at = 0;
  for (const string of strings) {
    view.setUint32(at, string.byteLength, true);
    packed.set(string, at + 4);
    at += 4 + string.byteLength;
  }
  return packed;
}

/** The elements as views. Throws unless `bytes` is exactly `count` elements. */
export function unpackByteStrings(bytes: Uint8Array, count: number, path: string): Uint8Array[] {
  // Each element costs four bytes at least: checked first, so that a lie about the shape allocates nothing.
  if (count * 4 > bytes.byteLength) {
    fail(path, `${count} elements of BYTES need at least ${count * 4} bytes, got ${bytes.byteLength}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const strings: Uint8Array[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    const start = at + 4;
    const end = start > bytes.byteLength ? Number.POSITIVE_INFINITY : start + view.getUint32(at, true);
    if (end > bytes.byteLength) fail(path, `element ${index} of BYTES ends after the tensor does`);
    strings.push(bytes.subarray(start, end));
    at = end;
  }
  if (at !== bytes.byteLength)
    fail(path, `${bytes.byteLength - at} bytes are left over after ${count} elements of BYTES`);
  return strings;
}

export function joinBytes(parts: readonly Uint8Array[], total: number): Uint8Array {
  const joined = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.byteLength;
  }
  return joined;
}
