import { InvalidArgumentError } from "../errors.js";
import { expected } from "./describe.js";
import { numberFromJson } from "./element.js";
import { FloatType } from "./float.js";
import { IntegerType } from "./integer.js";
import { Random } from "./random.js";
import { type AnyValueType, type Defaulted, defined, type JsonSchema, type TypeOptions } from "./value-type.js";

/** See `IntegerRange`. */
export interface IntegerRangeOptions extends TypeOptions<number> {
  /** The lowest value. Required. */
  readonly min: number;
  /** The highest value, included. Required; at most 2^53 - 1 above `min`. */
  readonly max: number;
  /** From one value to the next, counted from `min`. Default: 1. */
  readonly step?: number;
}

/** See `FloatRange`. */
export interface FloatRangeOptions extends TypeOptions<number> {
  /** The lowest value. Required; -Infinity for none. */
  readonly min: number;
  /** The highest value, included. Required; Infinity for none. */
  readonly max: number;
}

/** The limits that the range types share, both included. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/**
 * The type that `IntegerRange()` makes.
 *
 * ```ts
 * const type = IntegerRange({ min: 0, max: 100, step: 5 });
 * type.label; // "IntegerRange 0..100 by 5"
 * ```
 */
export class IntegerRangeType extends IntegerType implements Bounds {
  override readonly kind: string = "IntegerRange";
  readonly min: number;
  readonly max: number;
  readonly step: number;

  constructor({ min, max, step = 1, ...options }: IntegerRangeOptions) {
    super(options);
    for (const [name, value] of Object.entries({ min, max, step })) {
      if (!Number.isSafeInteger(value)) throw expected("an integer within ±(2^53 - 1)", value, `IntegerRange.${name}`);
    }
    checkOrder({ min, max }, "IntegerRange");
    if (!Number.isSafeInteger(max - min)) {
      throw new InvalidArgumentError(`is more than 2^53 - 1 above ${min}`, { path: "IntegerRange.max" });
    }
    if (step < 1) throw expected("a positive integer", step, "IntegerRange.step");
    this.min = min + 0;
    this.max = max + 0;
    this.step = step;
  }

  override get label(): string {
    return `IntegerRange ${this.min}..${this.max}${this.step === 1 ? "" : ` by ${this.step}`}`;
  }

  override parse(value: unknown, path: string): number {
    const integer = super.parse(value, path);
    if (integer >= this.min && integer <= this.max && (integer - this.min) % this.step === 0) return integer;
    const steps = this.step === 1 ? "" : ` in steps of ${this.step}`;
    throw expected(`an integer from ${this.min} to ${this.max}${steps}`, value, path);
  }

  override fake(random: Random = new Random()): number {
    return this.min + this.step * random.integer(0, Math.floor((this.max - this.min) / this.step));
  }

  override accepts(from: AnyValueType): string | undefined {
    return super.accepts(from) ?? apart(from, this);
  }

  protected override contentSchema(): JsonSchema {
    // JSON Schema counts multiples from 0; steps that miss it can only be noted.
    const isMultiple = this.step !== 1 && this.min % this.step === 0;
    return {
      type: "integer",
      minimum: this.min,
      maximum: this.max,
      ...(isMultiple ? { multipleOf: this.step } : {}),
      ...(this.step === 1 ? {} : { "x-step": this.step }),
    };
  }
}

/**
 * The type that `FloatRange()` makes.
 *
 * ```ts
 * const type = FloatRange({ min: 0, max: 1 });
 * type.label; // "FloatRange 0..1"
 * ```
 */
export class FloatRangeType extends FloatType implements Bounds {
  override readonly kind: string = "FloatRange";
  readonly min: number;
  readonly max: number;

  constructor({ min, max, ...options }: FloatRangeOptions) {
    super(options);
    for (const [name, value] of Object.entries({ min, max })) {
      if (typeof value !== "number" || Number.isNaN(value)) throw expected("a number", value, `FloatRange.${name}`);
    }
    checkOrder({ min, max }, "FloatRange");
    this.min = min;
    this.max = max;
  }

  override get label(): string {
    return `FloatRange ${this.min}..${this.max}`;
  }

  override parse(value: unknown, path: string): number {
    const number = numberFromJson(value) ?? Number.NaN;
    if (Number.isFinite(number) && number >= this.min && number <= this.max) return number;
    throw expected(this.#expected, value, path);
  }

  get #expected(): string {
    const [hasMin, hasMax] = [Number.isFinite(this.min), Number.isFinite(this.max)];
    if (hasMin && hasMax) return `a number from ${this.min} to ${this.max}`;
    if (hasMin) return `a finite number of at least ${this.min}`;
    return hasMax ? `a finite number of at most ${this.max}` : "a finite number";
  }

  override fake(random: Random = new Random()): number {
    const min = Number.isFinite(this.min) ? this.min : Number.isFinite(this.max) ? this.max - 1000 : -1000;
    const max = Number.isFinite(this.max) ? this.max : min + 2000;
    const share = random.next();
    // Not min + share * (max - min): the difference of two doubles may be infinite. Rounding may lead out of the range.
    return Math.min(max, Math.max(min, min * (1 - share) + max * share));
  }

  override accepts(from: AnyValueType): string | undefined {
    return super.accepts(from) ?? apart(from, this);
  }

  protected override contentSchema(): JsonSchema {
    return {
      type: "number",
      ...(Number.isFinite(this.min) ? { minimum: this.min } : {}),
      ...(Number.isFinite(this.max) ? { maximum: this.max } : {}),
    };
  }
}

function checkOrder({ min, max }: Bounds, kind: string): void {
  if (min > max) throw new InvalidArgumentError(`is ${max}, below min, which is ${min}`, { path: `${kind}.max` });
}

/** Why no value of another number type can be in the range; undefined where one can. */
function apart(from: AnyValueType, to: Bounds & AnyValueType): string | undefined {
  const isRange = from instanceof IntegerRangeType || from instanceof FloatRangeType;
  if (!isRange || (from.min <= to.max && from.max >= to.min)) return undefined;
  return `no value of ${from.label} is in ${to.label}`;
}

/**
 * A whole number from `min` to `max`, both included: `IntegerRange({ min: 0, max: 100, step: 5 })`. V2: INT64 `[1]`. It may
 * feed an Integer or Float; an Integer may feed it, and the value decides.
 *
 * ```ts
 * const quality = IntegerRange({ min: 0, max: 100, step: 5, default: 80 });
 * quality.parse(85, "quality"); // 85
 * quality.parse(83, "quality"); // throws: quality: expected an integer from 0 to 100 in steps of 5, got 83
 * ```
 *
 * @param options `min`, `max` and `step`; `title`, `description` and `default`.
 * @throws InvalidArgumentError when the range is none, or the default is not in it.
 */
export function IntegerRange(options: IntegerRangeOptions & Defaulted<number>): IntegerRangeType & Defaulted<number>;
export function IntegerRange(options: IntegerRangeOptions): IntegerRangeType;
export function IntegerRange(options: IntegerRangeOptions): IntegerRangeType {
  return defined(new IntegerRangeType(options));
}

/**
 * A finite number from `min` to `max`, both included: `FloatRange({ min: 0, max: 1 })`. V2: FP64 `[1]`. It may feed a Float; an
 * Integer or Float may feed it, and the value decides.
 *
 * ```ts
 * const threshold = FloatRange({ min: 0, max: 1, default: 0.5 });
 * threshold.parse(0.8, "threshold"); // 0.8
 * threshold.parse(2, "threshold"); // throws: threshold: expected a number from 0 to 1, got 2
 * ```
 *
 * @param options `min` and `max`; `title`, `description` and `default`.
 * @throws InvalidArgumentError when the range is none, or the default is not in it.
 */
export function FloatRange(options: FloatRangeOptions & Defaulted<number>): FloatRangeType & Defaulted<number>;
export function FloatRange(options: FloatRangeOptions): FloatRangeType;
export function FloatRange(options: FloatRangeOptions): FloatRangeType {
  return defined(new FloatRangeType(options));
}
