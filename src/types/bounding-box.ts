import { FINITE, FloatRecordType } from "./float-record.js";
import { Random } from "./random.js";
import { FloatRange } from "./range.js";
import { type AnyValueType, type Defaulted, defined, type JsonSchema, type TypeOptions } from "./value-type.js";

/** The value of a `BoundingBox`. */
export interface BoundingBoxValue {
  /** The left edge, from the left edge of the image. */
  readonly x: number;
  /** The top edge, from the top edge of the image. */
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** See `BoundingBox`. */
export interface BoundingBoxOptions extends TypeOptions<BoundingBoxValue> {
  /**
   * False: pixels, and x and y may be outside the image. True: fractions of the image's width and height, each from 0 to 1.
   * Default: false.
   */
  readonly normalized?: boolean;
}

const SIZE = FloatRange({ min: 0, max: Number.POSITIVE_INFINITY });
const FRACTION = FloatRange({ min: 0, max: 1 });

/**
 * The type that `BoundingBox()` makes.
 *
 * ```ts
 * const type = BoundingBox();
 * type.toTensor({ x: 10, y: 20, width: 30, height: 40 }).data; // Float64Array.of(10, 20, 30, 40)
 * ```
 */
export class BoundingBoxType extends FloatRecordType<BoundingBoxValue> {
  override readonly kind: string = "BoundingBox";
  /** Whether values are fractions of the image, and not pixels. */
  readonly normalized: boolean;

  constructor({ normalized = false, ...options }: BoundingBoxOptions) {
    const fields = normalized
      ? { x: FRACTION, y: FRACTION, width: FRACTION, height: FRACTION }
      : { x: FINITE, y: FINITE, width: SIZE, height: SIZE };
    super(fields, options);
    this.normalized = normalized;
  }

  override get label(): string {
    return this.normalized ? "BoundingBox normalized" : "BoundingBox";
  }

  /** A box within an image of 640 x 480 pixels. */
  override fake(random: Random = new Random()): BoundingBoxValue {
    const [columns, rows] = this.normalized ? [1, 1] : [640, 480];
    const [x, y] = [random.float(0, columns / 2), random.float(0, rows / 2)];
    return { x, y, width: random.float(columns / 10, columns / 2), height: random.float(rows / 10, rows / 2) };
  }

  override accepts(from: AnyValueType): string | undefined {
    if (from instanceof BoundingBoxType && from.normalized !== this.normalized) {
      return "one is in pixels, the other in fractions of the image, and nothing converts on the way";
    }
    return super.accepts(from);
  }

  protected override contentSchema(): JsonSchema {
    return { ...super.contentSchema(), "x-normalized": this.normalized };
  }
}

/**
 * A rectangle in an image: `{ x, y, width, height }`, where (x, y) is its top left corner, counted from that of the image, x
 * to the right and y down. Pixels, not necessarily whole ones, or fractions of the image with `normalized`. V2: FP64 `[4]`,
 * in that order.
 *
 * ```ts
 * const face = BoundingBox({ description: "Where the face is, in pixels" });
 * face.parse({ x: 10, y: 20, width: 30, height: 40 }, "face"); // { x: 10, y: 20, width: 30, height: 40 }
 * BoundingBox({ normalized: true }).parse({ x: 2, y: 0, width: 1, height: 1 }, "face"); // throws: face.x: …
 * ```
 *
 * @param options `normalized`; `title`, `description` and `default`.
 * @throws InvalidArgumentError when the default is none.
 */
export function BoundingBox(
  options: BoundingBoxOptions & Defaulted<BoundingBoxValue>,
): BoundingBoxType & Defaulted<BoundingBoxValue>;
export function BoundingBox(options?: BoundingBoxOptions): BoundingBoxType;
export function BoundingBox(options: BoundingBoxOptions = {}): BoundingBoxType {
  return defined(new BoundingBoxType(options));
}
