import type { RawTensor } from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";
import { expected } from "./describe.js";
import { Random } from "./random.js";
import { ScalarType } from "./scalar.js";
import { type AnyValueType, type Defaulted, defined, type JsonSchema, type TypeOptions } from "./value-type.js";

/** See `Integer`. */
export type IntegerOptions = TypeOptions<number>;

/**
 * The type that `Integer()` makes.
 *
 * ```ts
 * const type = Integer();
 * type.parse(7, "count"); // 7
 * type.toTensor(7); // { datatype: "INT64", shape: [1], data: BigInt64Array.of(7n) }
 * ```
 */
export class IntegerType extends ScalarType<number> {
  readonly kind: string = "Integer";
  readonly datatype = "INT64";

  parse(value: unknown, path: string): number {
    // Adding 0 makes a negative zero a plain one, which INT64 cannot tell apart.
    if (Number.isSafeInteger(value)) return (value as number) + 0;
    const limit = typeof value === "number" && Number.isInteger(value) ? " within ±(2^53 - 1)" : "";
    throw expected(`an integer${limit}`, value, path);
  }

  fake(random: Random = new Random()): number {
    return random.integer(-1000, 1000);
  }

  toTensor(value: number): RawTensor {
    return { datatype: "INT64", shape: this.shape, data: BigInt64Array.of(BigInt(value)) };
  }

  protected fromElement(element: bigint, path: string): number {
    const value = Number(element);
    if (!Number.isSafeInteger(value)) {
      throw new InvalidArgumentError(`${element} is outside ±(2^53 - 1), where a number is exact`, { path });
    }
    return this.parse(value, path);
  }

  override accepts(from: AnyValueType): string | undefined {
    return from instanceof IntegerType ? undefined : super.accepts(from);
  }

  protected contentSchema(): JsonSchema {
    return { type: "integer", minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };
  }
}

/**
 * A whole number: a JavaScript number within ±(2^53 - 1), so that it is always exact. V2: INT64 `[1]`; an INT64 outside
 * that range is refused, never rounded.
 *
 * ```ts
 * const count = Integer({ description: "How many", default: 1 });
 * count.parse(3, "count"); // 3
 * count.parse(1.5, "count"); // throws: count: expected an integer, got 1.5
 * ```
 *
 * @param options `title`, `description` and `default`; a value with a default may be left out.
 * @throws InvalidArgumentError when the default is no such number.
 */
export function Integer(options: IntegerOptions & Defaulted<number>): IntegerType & Defaulted<number>;
export function Integer(options?: IntegerOptions): IntegerType;
export function Integer(options: IntegerOptions = {}): IntegerType {
  return defined(new IntegerType(options));
}
