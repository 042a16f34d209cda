import type { RawTensor } from "../datatype.js";
import { expected } from "./describe.js";
import { floatFromJson, floatSchema, floatToJson } from "./element.js";
import { IntegerType } from "./integer.js";
import { Random } from "./random.js";
import { ScalarType } from "./scalar.js";
import {
  type AnyValueType,
  type Defaulted,
  defined,
  type Json,
  type JsonSchema,
  type TypeOptions,
} from "./value-type.js";

/** See `Float`. */
export type FloatOptions = TypeOptions<number>;

/**
 * The type that `Float()` makes.
 *
 * ```ts
 * const type = Float();
 * type.parse("NaN", "ratio"); // Number.NaN
 * type.toJson(Number.POSITIVE_INFINITY); // "Infinity"
 * ```
 */
export class FloatType extends ScalarType<number> {
  readonly kind: string = "Float";
  readonly datatype = "FP64";

  parse(value: unknown, path: string): number {
    const number = floatFromJson(value);
    if (number === undefined) throw expected("a number", value, path);
    return number;
  }

  fake(random: Random = new Random()): number {
    return random.float(-1, 1);
  }

  toTensor(value: number): RawTensor {
    return { datatype: "FP64", shape: this.shape, data: Float64Array.of(value) };
  }

  protected fromElement(element: number, path: string): number {
    return this.parse(element, path);
  }

  override toJson(value: number): Json {
    return floatToJson(value);
  }

  override accepts(from: AnyValueType): string | undefined {
    // Every safe integer is also a double.
    return from instanceof FloatType || from instanceof IntegerType ? undefined : super.accepts(from);
  }

  protected contentSchema(): JsonSchema {
    return floatSchema();
  }
}

/**
 * A number, NaN and the infinities included. V2: FP64 `[1]`. JSON has no word for the latter three: there they are the
 * strings "NaN", "Infinity" and "-Infinity", and null (which JSON.stringify would make of them) is refused.
 *
 * ```ts
 * const volts = Float({ description: "Battery voltage, in volts", default: 3.7 });
 * volts.parse(4.1, "volts"); // 4.1
 * volts.parse(null, "volts"); // throws: volts: expected a number, got null
 * ```
 *
 * @param options `title`, `description` and `default`; a value with a default may be left out.
 * @throws InvalidArgumentError when the default is no number.
 */
export function Float(options: FloatOptions & Defaulted<number>): FloatType & Defaulted<number>;
export function Float(options?: FloatOptions): FloatType;
export function Float(options: FloatOptions = {}): FloatType {
  return defined(new FloatType(options));
}
