/**
 * Tensor elements in JSON. NaN and the infinities, which JSON has no token for, are written as the tokens that Triton reads
 * and writes, and read as the strings "NaN", "Infinity" and "-Infinity" (`parseTensorJson`); integers that a JavaScript number cannot hold are exact JSON integers on the way out and may be exact
 * integers or decimal strings on the way in; BYTES are strings of UTF-8.
 */
import { DATATYPES, type FixedDatatype, type RawTensor, type TypedArray } from "../datatype.js";
import { fail, show } from "./check.js";
import { fromBf16, fromFp16, toBf16, toFp16 } from "./half.js";
import { utf8Text } from "./json.js";
import type { TensorHeader } from "./tensor.js";

/** Puts one JSON value at an index; returns what was expected when the value does not fit. */
type Put = (index: number, value: unknown) => string | undefined;

/** `data` as a tensor. The caller has checked that `header.count` elements can be in the body at all. */
export function tensorFromJson(data: unknown, header: TensorHeader, path: string): RawTensor {
  const { datatype, shape, count } = header;
  if (datatype === "BYTES") {
    const strings: Uint8Array[] = [];
    fill(data, shape, count, putString(strings), path);
    return { datatype, shape, data: strings };
  }
  const array = new DATATYPES[datatype].array(count);
  fill(data, shape, count, putInto(datatype, array), path);
  return { datatype, shape, data: array };
}

/** Flat data is one array of all elements; anything else must be nested exactly as the shape is. */
function fill(data: unknown, shape: readonly number[], count: number, put: Put, path: string): void {
  if (Array.isArray(data) && !Array.isArray(data[0])) {
    if (data.length !== count)
      fail(path, `expected ${count} values for shape [${shape.join(", ")}], got ${data.length}`);
    fillRow(data, 0, put, path);
  } else {
    fillNested(data, shape, 0, 0, put, path);
  }
}

/** Returns the index after the last element put. */
function fillNested(
  data: unknown,
  shape: readonly number[],
  axis: number,
  index: number,
  put: Put,
  path: string,
): number {
  const length = shape[axis];
  if (length === undefined) {
    putOne(data, index, put, path);
    return index + 1;
  }
  if (!Array.isArray(data)) fail(path, `expected an array of ${length}, got ${show(data)}`);
  if (data.length !== length) fail(path, `expected ${length} values as the shape says, got ${data.length}`);
  if (axis === shape.length - 1) {
    fillRow(data, index, put, path);
    return index + length;
  }
  let next = index;
  for (let i = 0; i < length; i++) next = fillNested(data[i], shape, axis + 1, next, put, `${path}[${i}]`);
  return next;
}

function fillRow(values: readonly unknown[], index: number, put: Put, path: string): void {
  for (let i = 0; i < values.length; i++) {
    const expected = put(index + i, values[i]);
    if (expected !== undefined) fail(`${path}[${i}]`, `expected ${expected}, got ${show(values[i])}`);
  }
}

function putOne(value: unknown, index: number, put: Put, path: string): void {
  const expected = put(index, value);
  if (expected !== undefined) fail(path, `expected ${expected}, got ${show(value)}`);
}

const encoder = new TextEncoder();

function putString(strings: Uint8Array[]): Put {
  return (index, value) => {
    // A lone surrogate has no UTF-8; encoding it would silently change the text.
    if (typeof value !== "string" || /\p{Surrogate}/u.test(value)) return "a string of well-formed Unicode";
    strings[index] = encoder.encode(value);
    return undefined;
  };
}

function putInto(datatype: FixedDatatype, array: TypedArray): Put {
  if (array instanceof BigInt64Array || array instanceof BigUint64Array) return putBigInteger(datatype, array);
  if (datatype === "BOOL") return putBoolean(array);
  if (datatype === "FP16") return putFloat(datatype, array, toFp16, (bits) => Number.isFinite(fromFp16(bits)));
  if (datatype === "BF16") return putFloat(datatype, array, toBf16, (bits) => Number.isFinite(fromBf16(bits)));
  if (datatype === "FP32") return putFloat(datatype, array, Math.fround, Number.isFinite);
  if (datatype === "FP64") return putFloat(datatype, array, (value) => value, Number.isFinite);
  return putInteger(datatype, array);
}

type NumberArray = Exclude<TypedArray, BigInt64Array | BigUint64Array>;

function putBoolean(array: NumberArray): Put {
  return (index, value) => {
    if (value !== true && value !== false && value !== 0 && value !== 1) return "true or false";
    array[index] = value ? 1 : 0;
    return undefined;
  };
}

function putInteger(datatype: FixedDatatype, array: NumberArray): Put {
  // The array itself knows its range: what does not come back as it went in did not fit.
  return (index, value) => {
    if (typeof value === "number") {
      array[index] = value;
      if (array[index] === value) return undefined;
    }
    return `an integer of ${datatype}`;
  };
}

function putBigInteger(datatype: FixedDatatype, array: BigInt64Array | BigUint64Array): Put {
  return (index, value) => {
    const integer = toBigInt(value);
    if (integer !== undefined) {
      array[index] = integer;
      if (array[index] === integer) return undefined;
    }
    return `an integer of ${datatype}, as a JSON integer or a decimal string`;
  };
}

function toBigInt(value: unknown): bigint | undefined {
  if (typeof value === "bigint") return value;
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  return typeof value === "string" && /^-?\d{1,20}$/.test(value) ? BigInt(value) : undefined;
}

/** A finite number that would become infinite in `datatype` is refused: it would be another value than was sent. */
function putFloat(
  datatype: FixedDatatype,
  array: NumberArray,
  convert: (value: number) => number,
  fits: (converted: number) => boolean,
): Put {
  return (index, value) => {
    const number = typeof value === "bigint" ? Number(value) : value;
    if (typeof number === "number") {
      const converted = convert(number);
      array[index] = converted;
      if (fits(converted)) return undefined;
    } else if (number === "NaN" || number === "Infinity" || number === "-Infinity") {
      array[index] = convert(Number(number));
      return undefined;
    }
    return `a number that ${datatype} can hold`;
  };
}

/** The elements as the text of a flat JSON array. `path` names the tensor when its bytes cannot be JSON. */
export function jsonOf(tensor: RawTensor, path: string): string {
  if (tensor.datatype === "BYTES") {
    return `[${tensor.data.map((bytes) => JSON.stringify(utf8Text(bytes, `${path} as JSON`))).join(",")}]`;
  }
  const { datatype, data } = tensor;
  if (datatype === "BOOL") return `[${Array.from(data as Uint8Array, (element) => element !== 0).join(",")}]`;
  if (datatype === "FP16") return floatsJson(Float64Array.from(data as Uint16Array, fromFp16));
  if (datatype === "BF16") return floatsJson(Float64Array.from(data as Uint16Array, fromBf16));
  if (data instanceof Float32Array || data instanceof Float64Array) return floatsJson(data);
  return `[${data.join(",")}]`;
}

function floatsJson(floats: Float32Array | Float64Array): string {
  for (const float of floats) {
    const joinsRight = Number.isFinite(float) && !Object.is(float, -0);
    if (!joinsRight) return `[${Array.from(floats, floatJson).join(",")}]`;
  }
  return `[${floats.join(",")}]`;
}

function floatJson(float: number): string {
  if (Object.is(float, -0)) return "-0.0";
  return String(float);
}
