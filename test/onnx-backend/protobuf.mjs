/** As much of protobuf's wire format as reading ONNX files takes. */

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** A varint at a place: its value, modulo 2^64, and where the next thing begins. */
function varint(bytes, at) {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = bytes[at++];
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return [BigInt.asUintN(64, value), at];
  }
}

/** The fields of a message in their order: number, wire type and value (a bigint, or a view of the bytes). */
export function* fields(bytes) {
  for (let at = 0; at < bytes.length; ) {
    const [key, start] = varint(bytes, at);
    const field = Number(key >> 3n);
    const wire = Number(key & 7n);
    if (wire === VARINT) {
      const [value, next] = varint(bytes, start);
      yield { field, wire, value };
      at = next;
      continue;
    }
    const [length, from] =
      wire === BYTES ? varint(bytes, start).map(Number) : [wire === FIXED32 ? 4 : wire === FIXED64 ? 8 : NaN, start];
    if (Number.isNaN(length)) throw new Error(`wire type ${wire} is not of protobuf 3`);
    yield { field, wire, value: bytes.subarray(from, from + length) };
    at = from + length;
  }
}

/** The varints of a repeated field, packed or not. */
export function varints({ wire, value }) {
  if (wire === VARINT) return [value];
  const all = [];
  for (let at = 0; at < value.length; ) {
    const [one, next] = varint(value, at);
    all.push(one);
    at = next;
  }
  return all;
}

export function text(bytes) {
  return new TextDecoder().decode(bytes);
}
