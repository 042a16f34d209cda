import type { Datatype } from "../datatype.js";
import { fromBase64, toBase64 } from "./base64.js";
import type { Random } from "./random.js";
import { fromBfloat, fromHalf, toBfloat, toHalf } from "./small-float.js";
import type { Json, JsonSchema } from "./value-type.js";

/** An element as the array of its datatype holds it: FP16 and BF16 as their bits, BOOL as 0 or 1. */
export type Stored = number | bigint | Uint8Array;

/** How one element of a datatype goes between JSON, JavaScript and its array. */
export interface ElementCodec {
  /** What an element must be, as error messages say it. */
  readonly expected: string;
  readonly schema: JsonSchema;
  /** The element to store, undefined when the value is none of this datatype. */
  parse(value: unknown): Stored | undefined;
  toJson(stored: Stored): Json;
  fake(random: Random): Stored;
}

const encoder = new TextEncoder();
// Without `ignoreBOM` the decoder would drop a leading U+FEFF, and the text would not be what was sent.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function toUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of UTF-8 bytes, undefined when they are not UTF-8. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

const NOT_FINITE = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);

/**
 * What JSON carries for a float: a number, or one of the three strings for what JSON has no number for.
 *
 * @param limit The least number that would be rounded to an infinity. Default: there is none.
 */
export function floatSchema(limit?: number): JsonSchema {
  const range = limit === undefined ? {} : { exclusiveMinimum: -limit, exclusiveMaximum: limit };
  return { anyOf: [{ type: "number", ...range }, { enum: [...NOT_FINITE.keys()] }] };
}

/**
 * A number, undefined for anything else. Integers beyond 2^53 come from JSON as bigints, which 1e17 is written as; a bigint
 * that a number could have been is a mistake of the caller's.
 */
export function numberFromJson(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  const isLong = typeof value === "bigint" && !Number.isSafeInteger(Number(value));
  return isLong ? Number(value) : undefined;
}

export function floatFromJson(value: unknown): number | undefined {
  return typeof value === "string" ? NOT_FINITE.get(value) : numberFromJson(value);
}

export function floatToJson(value: number): Json {
  return Number.isFinite(value) ? value : `${value}`;
}

/** Halfway between the largest number of a datatype and the power of two after it: where rounding gives an infinity. */
export const ROUNDS_TO_INFINITY = {
  FP16: 65_520,
  BF16: 2 ** 128 - 2 ** 119,
  FP32: 2 ** 128 - 2 ** 103,
  FP64: undefined,
} as const;

function float(
  datatype: keyof typeof ROUNDS_TO_INFINITY,
  encode: (value: number) => number,
  decode: (stored: number) => number,
): ElementCodec {
  return {
    expected: `a number that ${datatype} can hold`,
    schema: floatSchema(ROUNDS_TO_INFINITY[datatype]),
    parse(value) {
      const number = floatFromJson(value);
      if (number === undefined) return undefined;
      const stored = encode(number);
      // Rounded, but not to something else: an infinity is only what was given as one.
      return Number.isFinite(number) && !Number.isFinite(decode(stored)) ? undefined : stored;
    },
    toJson: (stored) => floatToJson(decode(stored as number)),
    fake: (random) => encode(random.float(-1, 1)),
  };
}

function integer(minimum: number, maximum: number): ElementCodec {
  return {
    expected: `an integer from ${minimum} to ${maximum}`,
    schema: { type: "integer", minimum, maximum },
    parse(value) {
      const fits = Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum;
      return fits ? (value as number) : undefined;
    },
    toJson: (stored) => stored as number,
    fake: (random) => random.integer(Math.max(minimum, -100), Math.min(maximum, 100)),
  };
}

/** 64 bits: bigints, exact numbers, and decimal strings for the rest, which JSON numbers would round. */
function wideInteger(minimum: bigint, maximum: bigint): ElementCodec {
  return {
    expected: `an integer from ${minimum} to ${maximum} (as a string or bigint beyond ±(2^53 - 1))`,
    schema: {
      anyOf: [
        // Rounded to powers of two, as numbers are.
        { type: "integer", minimum: Number(minimum), maximum: Number(maximum) },
        { type: "string", pattern: minimum < 0n ? "^-?\\d{1,19}$" : "^\\d{1,20}$" },
      ],
    },
    parse(value) {
      const wide = toBigInt(value);
      return wide !== undefined && wide >= minimum && wide <= maximum ? wide : undefined;
    },
    toJson(stored) {
      const number = Number(stored);
      return Number.isSafeInteger(number) ? number : `${stored}`;
    },
    fake: (random) => BigInt(random.integer(minimum < 0n ? -100 : 0, 100)),
  };
}

function toBigInt(value: unknown): bigint | undefined {
  if (typeof value === "bigint") return value;
  if (Number.isSafeInteger(value)) return BigInt(value as number);
  // No more digits than 64 bits can have: converting a long string takes time that grows with its square.
  return typeof value === "string" && /^-?\d{1,20}$/.test(value) ? BigInt(value) : undefined;
}

const bool: ElementCodec = {
  expected: "true, false, 0 or 1",
  schema: { anyOf: [{ type: "boolean" }, { enum: [0, 1] }] },
  parse(value) {
    if (value === true || value === 1) return 1;
    return value === false || value === 0 ? 0 : undefined;
  },
  toJson: (stored) => stored !== 0,
  fake: (random) => random.integer(0, 1),
};

/** Byte strings: text where it is UTF-8, else `{ "base64": … }`. */
const bytes: ElementCodec = {
  expected: 'a string, a Uint8Array or { "base64": "…" }',
  schema: {
    anyOf: [
      { type: "string" },
      { type: "object", properties: { base64: { type: "string", contentEncoding: "base64" } }, required: ["base64"] },
    ],
  },
  parse(value) {
    if (typeof value === "string") return toUtf8(value);
    if (value instanceof Uint8Array) return value;
    if (typeof value !== "object" || value === null || !("base64" in value)) return undefined;
    return typeof value.base64 === "string" ? fromBase64(value.base64) : undefined;
  },
  toJson(stored) {
    const raw = stored as Uint8Array;
    return fromUtf8(raw) ?? { base64: toBase64(raw) };
  },
  fake: (random) => toUtf8(random.word(random.integer(1, 8))),
};

const same = (value: number) => value;

export const ELEMENTS: Readonly<Record<Datatype, ElementCodec>> = {
  BOOL: bool,
  UINT8: integer(0, 0xff),
  UINT16: integer(0, 0xffff),
  UINT32: integer(0, 0xffff_ffff),
  UINT64: wideInteger(0n, 2n ** 64n - 1n),
  INT8: integer(-0x80, 0x7f),
  INT16: integer(-0x8000, 0x7fff),
  INT32: integer(-0x8000_0000, 0x7fff_ffff),
  INT64: wideInteger(-(2n ** 63n), 2n ** 63n - 1n),
  FP16: float("FP16", toHalf, fromHalf),
  FP32: float("FP32", Math.fround, same),
  FP64: float("FP64", same, same),
  BF16: float("BF16", toBfloat, fromBfloat),
  BYTES: bytes,
};
