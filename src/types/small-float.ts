/**
 * FP16 (IEEE 754 binary16) and BF16 (bfloat16), which JavaScript on Node 20 lacks: between a number and its 16 bits.
 * Rounding is to nearest, ties to even, straight from the double: by way of a float it would happen twice.
 */
interface SmallFloat {
  /** Stored bits of the significand; the leading 1 is implied. */
  readonly mantissaBits: number;
  /** The exponent of the smallest normal number. */
  readonly minExponent: number;
  /** The exponent of the largest one. */
  readonly maxExponent: number;
}

const HALF: SmallFloat = { mantissaBits: 10, minExponent: -14, maxExponent: 15 };
const BFLOAT: SmallFloat = { mantissaBits: 7, minExponent: -126, maxExponent: 127 };

const scratch = new DataView(new ArrayBuffer(8));

/**
 * The FP16 bits nearest to `value`: from 65520 on infinity; every NaN becomes 0x7e00.
 *
 * ```ts
 * toHalf(1); // 0x3c00
 * ```
 */
export function toHalf(value: number): number {
  return encode(value, HALF);
}

/**
 * The number that FP16 bits stand for; always exact.
 *
 * ```ts
 * fromHalf(0x3c00); // 1
 * ```
 */
export function fromHalf(bits: number): number {
  return decode(bits, HALF);
}

/**
 * The BF16 bits nearest to `value`: beyond the range infinity; every NaN becomes 0x7fc0.
 *
 * ```ts
 * toBfloat(1); // 0x3f80
 * ```
 */
export function toBfloat(value: number): number {
  return encode(value, BFLOAT);
}

/**
 * The number that BF16 bits stand for; always exact.
 *
 * ```ts
 * fromBfloat(0x3f80); // 1
 * ```
 */
export function fromBfloat(bits: number): number {
  return decode(bits, BFLOAT);
}

function encode(value: number, { mantissaBits, minExponent, maxExponent }: SmallFloat): number {
  scratch.setFloat64(0, value);
  const high = scratch.getUint32(0);
  const sign = (high >>> 16) & 0x8000;
  const infinity = (maxExponent - minExponent + 2) << mantissaBits;
  if (Number.isNaN(value)) return infinity | (1 << (mantissaBits - 1));
  // The exponent field of a double; below the smallest normal number the step between neighbours stays the same.
  const exponent = Math.max(((high >>> 20) & 0x7ff) - 1023, minExponent);
  if (exponent > maxExponent) return sign | infinity;
  const steps = roundToEven(Math.abs(value) / 2 ** (exponent - mantissaBits));
  // `steps` holds the implied 1 where the number is normal, so that it adds one to the exponent field; the carry of
  // rounding up goes the same way, at the top into infinity.
  return sign | (((exponent - minExponent) << mantissaBits) + steps);
}

function decode(bits: number, { mantissaBits, minExponent, maxExponent }: SmallFloat): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const field = (bits & 0x7fff) >>> mantissaBits;
  const mantissa = bits & ((1 << mantissaBits) - 1);
  if (field > maxExponent - minExponent + 1) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (field === 0) return sign * mantissa * 2 ** (minExponent - mantissaBits);
  return sign * (mantissa + (1 << mantissaBits)) * 2 ** (field - 1 + minExponent - mantissaBits);
}

/** For numbers from 0 below 2^52: next to 2^52 a double has no room for a fraction and rounds it as IEEE 754 says. */
function roundToEven(value: number): number {
  return value + 2 ** 52 - 2 ** 52;
}
