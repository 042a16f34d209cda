import { InvalidArgumentError } from "../errors.js";
import { describe } from "./describe.js";
import { FINITE, FloatRecordType } from "./float-record.js";
import { type Defaulted, defined, type JsonSchema, type TypeOptions } from "./value-type.js";

/** How many coordinates a point has. */
export type Dimensions = 2 | 3;

/** The value of a `Point`. */
export type PointValue<D extends Dimensions = 2> = D extends 3
  ? { readonly x: number; readonly y: number; readonly z: number }
  : { readonly x: number; readonly y: number };

/** See `Point`. */
export interface PointOptions<D extends Dimensions = 2> extends TypeOptions<PointValue<D>> {
  /** 2 for x and y, 3 for x, y and z. Default: 2. */
  readonly dimensions?: D;
}

/**
 * The type that `Point()` makes.
 *
 * ```ts
 * const type = Point({ dimensions: 3 });
 * type.shape; // [3]
 * ```
 */
export class PointType<D extends Dimensions = 2> extends FloatRecordType<PointValue<D>> {
  override readonly kind: string = "Point";
  /** How many coordinates there are: 2 or 3. */
  readonly dimensions: D;

  constructor({ dimensions, ...options }: PointOptions<D>) {
    const count: number = dimensions ?? 2;
    if (count !== 2 && count !== 3) {
      throw new InvalidArgumentError(`expected 2 or 3, got ${describe(count)}`, { path: "Point.dimensions" });
    }
    super(count === 2 ? { x: FINITE, y: FINITE } : { x: FINITE, y: FINITE, z: FINITE }, options);
    this.dimensions = count as D;
  }

  override get label(): string {
    return `Point ${this.dimensions}D`;
  }

  protected override contentSchema(): JsonSchema {
    return { ...super.contentSchema(), "x-dimensions": this.dimensions };
  }
}

/**
 * A point: `{ x, y }`, or `{ x, y, z }` with `dimensions: 3`; finite numbers. In an image they are pixels from its top left
 * corner, x to the right and y down; elsewhere say in `description` what they are. V2: FP64 `[2]` or `[3]`.
 *
 * ```ts
 * const gaze = Point({ description: "Where the eyes look, in pixels" });
 * gaze.parse({ x: 320, y: 200 }, "gaze"); // { x: 320, y: 200 }
 * gaze.parse({ x: 320, y: Number.NaN }, "gaze"); // throws: gaze.y: …
 * ```
 *
 * @param options `dimensions`; `title`, `description` and `default`.
 * @throws InvalidArgumentError when an option is out of range or the default is none.
 */
export function Point<const D extends Dimensions = 2>(
  options: PointOptions<D> & Defaulted<PointValue<D>>,
): PointType<D> & Defaulted<PointValue<D>>;
export function Point<const D extends Dimensions = 2>(options?: PointOptions<D>): PointType<D>;
export function Point<const D extends Dimensions = 2>(options: PointOptions<D> = {}): PointType<D> {
  return defined(new PointType<D>(options));
}
