/** Tensors as lists of values, and when two count as equal. */

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function brainFloat(bits) {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits << 16);
  return view.getFloat32(0);
}

const READ = {
  BOOL: [1, (view, at) => view.getUint8(at)],
  UINT8: [1, (view, at) => view.getUint8(at)],
  INT8: [1, (view, at) => view.getInt8(at)],
  UINT16: [2, (view, at) => view.getUint16(at, true)],
  INT16: [2, (view, at) => view.getInt16(at, true)],
  UINT32: [4, (view, at) => view.getUint32(at, true)],
  INT32: [4, (view, at) => view.getInt32(at, true)],
  UINT64: [8, (view, at) => view.getBigUint64(at, true)],
  INT64: [8, (view, at) => view.getBigInt64(at, true)],
  FP16: [2, (view, at) => half(view.getUint16(at, true))],
  BF16: [2, (view, at) => brainFloat(view.getUint16(at, true))],
  FP32: [4, (view, at) => view.getFloat32(at, true)],
  FP64: [8, (view, at) => view.getFloat64(at, true)],
};

/** The values of a tensor's bytes: numbers, bigints for 64-bit integers, strings. */
export function valuesOf({ datatype, data }) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const values = [];
  if (datatype === "BYTES") {
    for (let at = 0; at < data.length; ) {
      const length = view.getUint32(at, true);
      values.push(Buffer.from(data.subarray(at + 4, at + 4 + length)).toString());
      at += 4 + length;
    }
    return values;
  }
  const [size, read] = READ[datatype];
  for (let at = 0; at < data.length; at += size) values.push(read(view, at));
  return values;
}

// Those of ONNX's own backend tests.
const RELATIVE = 1e-3;
const ABSOLUTE = 1e-7;

/** The last bit of BF16, which rounding to nearest and cutting off differ in. */
export const BF16_BIT = 2 ** -7;

function close(got, wanted, relative) {
  if (typeof wanted !== "number" || Object.is(got, wanted)) return got === wanted || Object.is(got, wanted);
  if (!Number.isFinite(wanted) || !Number.isFinite(got)) return got === wanted;
  return Math.abs(got - wanted) <= ABSOLUTE + relative * Math.abs(wanted);
}

/** What is different between two tensors, or undefined. */
export function difference(name, got, wanted, relative = RELATIVE) {
  if (got === undefined) return `${name} is missing`;
  if (got.datatype !== wanted.datatype) return `${name} is ${got.datatype}, wanted ${wanted.datatype}`;
  if (String(got.shape) !== String(wanted.shape)) return `${name} is [${got.shape}], wanted [${wanted.shape}]`;
  const [left, right] = [valuesOf(got), valuesOf(wanted)];
  if (left.length !== right.length) return `${name} has ${left.length} values, wanted ${right.length}`;
  const at = right.findIndex((value, i) => !close(left[i], value, relative));
  return at < 0 ? undefined : `${name}[${at}] is ${left[at]}, wanted ${right[at]}`;
}
