import type { RawTensor } from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";
import { BASE64_PATTERN, fromBase64, toBase64 } from "./base64.js";
import { expected, typedArrayName } from "./describe.js";
import { Random } from "./random.js";
import { onlyElement, SCALAR_SHAPE } from "./scalar.js";
import {
  type AnyValueType,
  BaseType,
  type Defaulted,
  defined,
  type Json,
  type JsonSchema,
  type TypeOptions,
} from "./value-type.js";

/** What bytes are accepted as: the bytes, their base64, or integers from 0 to 255. */
export type BytesInput = Uint8Array | string | readonly number[];

/** See `Bytes`. */
export type BytesOptions = TypeOptions<BytesInput>;

/**
 * The type that `Bytes()` makes.
 *
 * ```ts
 * const type = Bytes();
 * type.parse("AQI=", "blob"); // Uint8Array.of(1, 2)
 * type.toJson(Uint8Array.of(1, 2)); // "AQI="
 * ```
 */
export class BytesType extends BaseType<Uint8Array, BytesInput> {
  readonly kind: string = "Bytes";
  readonly datatype = "BYTES";
  readonly shape = SCALAR_SHAPE;

  parse(value: unknown, path: string): Uint8Array {
    if (typedArrayName(value) === "Uint8Array") return plain(value as Uint8Array);
    if (Array.isArray(value)) return fromIntegers(value, path);
    if (typeof value !== "string") throw expected("a Uint8Array or a string of base64", value, path);
    const bytes = fromBase64(value);
    if (bytes === undefined) throw expected("a string of base64", value, path);
    return bytes;
  }

  fake(random: Random = new Random()): Uint8Array {
    return fakeBytes(random, random.integer(1, 32));
  }

  toTensor(value: Uint8Array): RawTensor {
    return { datatype: "BYTES", shape: this.shape, data: [value] };
  }

  fromTensor(tensor: RawTensor, path: string): Uint8Array {
    return this.parse(onlyElement(tensor, "BYTES", path), path);
  }

  toJson(value: Uint8Array): Json {
    return toBase64(value);
  }

  accepts(from: AnyValueType): string | undefined {
    return from instanceof BytesType ? undefined : `${from.label} is not ${this.label}`;
  }

  protected contentSchema(): JsonSchema {
    return {
      anyOf: [
        { type: "string", contentEncoding: "base64", pattern: BASE64_PATTERN },
        { type: "array", items: { type: "integer", minimum: 0, maximum: 255 } },
      ],
    };
  }
}

/** A view without the methods of a Buffer, whose `slice` and `toJSON` are not those of a Uint8Array. */
function plain(bytes: Uint8Array): Uint8Array {
  if (Object.getPrototypeOf(bytes) === Uint8Array.prototype) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function fromIntegers(values: readonly unknown[], path: string): Uint8Array {
  const bytes = new Uint8Array(values.length);
  for (const [i, value] of values.entries()) {
    // A bigint cannot even be tried: the array would throw an error of its own.
    if (typeof value === "number") bytes[i] = value;
    if (bytes[i] !== value)
      throw new InvalidArgumentError("expected an integer from 0 to 255", { path: `${path}[${i}]` });
  }
  return bytes;
}

export function fakeBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.integer(0, 255));
}

/**
 * Bytes: a Uint8Array, taken as it is and not copied. In JSON a string of base64, of either alphabet; an array of integers,
 * which is how JSON clients write a typed array, is read too. V2: BYTES `[1]`, the bytes themselves; V2's JSON form carries
 * only those that are UTF-8 text, so other bytes need its binary form.
 *
 * ```ts
 * const packet = Bytes({ description: "One packet as it came from the wire" });
 * packet.parse([1, 2, 255], "packet"); // Uint8Array.of(1, 2, 255)
 * ```
 *
 * @param options `title`, `description` and `default`; a value with a default may be left out.
 * @throws InvalidArgumentError when the default is none.
 */
export function Bytes(options: BytesOptions & Defaulted<BytesInput>): BytesType & Defaulted<BytesInput>;
export function Bytes(options?: BytesOptions): BytesType;
export function Bytes(options: BytesOptions = {}): BytesType {
  return defined(new BytesType(options));
}
