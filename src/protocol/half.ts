/**
 * FP16 and BF16 as JavaScript numbers and back, rounding to nearest, ties to even, straight from the 64-bit value: going
 * through FP32 would round twice.
 */
const scratch = new DataView(new ArrayBuffer(8));

/** Doubles from here to 2^53 have no fraction, so adding and subtracting it rounds to an integer, ties to even. */
const TWO_52 = 2 ** 52;

interface Format {
  readonly mantissaBits: number;
  readonly bias: number;
  /** At and above this, the nearest value is infinity. */
  readonly overflow: number;
  /** Below this, numbers are subnormal. */
  readonly smallestNormal: number;
  readonly infinity: number;
  readonly nan: number;
}

const FP16: Format = {
  mantissaBits: 10,
  bias: 15,
  overflow: 65520,
  smallestNormal: 2 ** -14,
  infinity: 0x7c00,
  nan: 0x7e00,
};

const BF16: Format = {
  mantissaBits: 7,
  bias: 127,
  overflow: (2 - 2 ** -8) * 2 ** 127,
  smallestNormal: 2 ** -126,
  infinity: 0x7f80,
  nan: 0x7fc0,
};

/** The 16 bits of the FP16 nearest to `value`. */
export function toFp16(value: number): number {
  return toBits(value, FP16);
}

/** The 16 bits of the BF16 nearest to `value`. */
export function toBf16(value: number): number {
  return toBits(value, BF16);
}

export function fromFp16(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1024 + mantissa) * powerOfTwo(exponent - 25);
}

export function fromBf16(bits: number): number {
  scratch.setUint32(0, (bits & 0xffff) << 16);
  return scratch.getFloat32(0);
}

function toBits(value: number, format: Format): number {
  if (Number.isNaN(value)) return format.nan;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  return sign | magnitudeBits(Math.abs(value), format);
}

/** A mantissa that rounds up to the next power of two carries into the exponent by itself: the bits are adjacent. */
function magnitudeBits(magnitude: number, format: Format): number {
  if (magnitude >= format.overflow) return format.infinity;
  if (magnitude < format.smallestNormal) {
    return roundToEven((magnitude / format.smallestNormal) * 2 ** format.mantissaBits);
  }
  scratch.setFloat64(0, magnitude);
  const exponent = (scratch.getUint32(0) >>> 20) - 1023;
  const mantissa = roundToEven(magnitude * powerOfTwo(format.mantissaBits - exponent));
  return ((exponent + format.bias - 1) << format.mantissaBits) + mantissa;
}

function roundToEven(value: number): number {
  return value + TWO_52 - TWO_52;
}

/** 2^exponent, exactly, for exponents of normal doubles. */
function powerOfTwo(exponent: number): number {
  scratch.setUint32(0, (exponent + 1023) << 20);
  scratch.setUint32(4, 0);
  return scratch.getFloat64(0);
}
