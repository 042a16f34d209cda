import type { RawTensor } from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";
import { fromBase64 } from "./base64.js";
import { Bytes, type BytesInput, BytesType, fakeBytes } from "./bytes.js";
import { describe, expected } from "./describe.js";
import { RecordType } from "./dict.js";
import { fromUtf8 } from "./element.js";
import { IMAGE_FORMATS, imageFormat } from "./image-format.js";
import { encodePng } from "./png.js";
import { Random } from "./random.js";
import { IntegerRange } from "./range.js";
import { onlyElement } from "./scalar.js";
import { checkTensor } from "./shape.js";
import { type AnyValueType, type Defaulted, defined, type JsonSchema, type TypeOptions } from "./value-type.js";

/** The longest side of a raw image, in pixels: that of a JPEG. */
const MAX_SIDE = 65_535;

/** An image as its pixels. */
export interface RawImage {
  /** Rows from the top, pixels from the left, the channels of a pixel side by side, 8 bits each. */
  readonly data: Uint8Array;
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
  /** 1: grey; 2: grey and alpha; 3: red, green, blue; 4: red, green, blue, alpha. */
  readonly channels: number;
}

/** What a raw image is accepted as. */
export interface RawImageInput {
  readonly data: BytesInput;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** See `Image`. */
export interface EncodedImageOptions extends TypeOptions<BytesInput> {
  /** The bytes of an image file. Default: this. */
  readonly encoding?: "encoded";
}

/** See `Image`. */
export interface RawImageOptions extends TypeOptions<RawImageInput> {
  /** Pixels. */
  readonly encoding: "raw";
  /** In pixels. Default: any. */
  readonly width?: number;
  /** In pixels. Default: any. */
  readonly height?: number;
  /** 1 to 4, see `RawImage`. Default: any. */
  readonly channels?: number;
}

/**
 * The type that `Image()` makes for image files.
 *
 * ```ts
 * const type = Image();
 * const png = type.fake(new Random(7));
 * type.toTensor(png).data[0] === png; // true
 * ```
 */
export class EncodedImageType extends BytesType {
  override readonly kind: string = "Image";

  override parse(value: unknown, path: string): Uint8Array {
    const bytes = super.parse(value, path);
    if (imageFormat(bytes) === undefined) throw expected(`the bytes of an image (${IMAGE_FORMATS})`, bytes, path);
    return bytes;
  }

  /** A PNG. */
  override fake(random: Random = new Random()): Uint8Array {
    const [width, height] = [random.integer(1, 16), random.integer(1, 16)];
    return encodePng(fakeBytes(random, 3 * width * height), width, height);
  }

  override fromTensor(tensor: RawTensor, path: string): Uint8Array {
    const bytes = onlyElement(tensor, "BYTES", path) as Uint8Array;
    // V2's JSON form carries text only. No image begins as base64 does, so there is no doubt which of the two it is.
    const text = imageFormat(bytes) === undefined ? fromUtf8(bytes) : undefined;
    return this.parse((text === undefined ? undefined : fromBase64(text)) ?? bytes, path);
  }
}

/**
 * The type that `Image()` makes for pixels.
 *
 * ```ts
 * const type = Image({ encoding: "raw", width: 640, height: 480 });
 * type.shape; // [480, 640, -1]
 * ```
 */
export class RawImageType extends RecordType<RawImage, RawImageInput> {
  override readonly kind: string = "Image";
  override readonly datatype = "UINT8";
  override readonly shape: readonly number[];

  constructor({ encoding: _, width, height, channels, ...options }: RawImageOptions) {
    const fields = {
      data: Bytes(),
      width: size(width, MAX_SIDE, "width"),
      height: size(height, MAX_SIDE, "height"),
      channels: size(channels, 4, "channels"),
    };
    super(fields, options);
    this.shape = Object.freeze([height ?? -1, width ?? -1, channels ?? -1]);
  }

  override get label(): string {
    const [height, width, channels] = this.shape.map((count) => (count === -1 ? "?" : count));
    return `Image raw ${width} x ${height} x ${channels}`;
  }

  override parse(value: unknown, path: string): RawImage {
    const image = super.parse(value, path);
    const { data, width, height, channels } = image;
    if (data.length === width * height * channels) return image;
    const wanted = `${width} x ${height} x ${channels} = ${width * height * channels} bytes`;
    throw new InvalidArgumentError(`expected ${wanted}, got ${data.length}`, { path: `${path}.data` });
  }

  /** Noise; 1 to 16 pixels a side and 3 channels where any fit. */
  override fake(random: Random = new Random()): RawImage {
    const [height = -1, width = -1, channels = -1] = this.shape;
    const pick = (fixed: number, free: number) => (fixed === -1 ? free : fixed);
    const image = {
      width: pick(width, random.integer(1, 16)),
      height: pick(height, random.integer(1, 16)),
      channels: pick(channels, 3),
    };
    return { data: fakeBytes(random, image.width * image.height * image.channels), ...image };
  }

  override toTensor({ data, width, height, channels }: RawImage): RawTensor {
    return { datatype: "UINT8", shape: [height, width, channels], data };
  }

  override fromTensor(tensor: RawTensor, path: string): RawImage {
    checkTensor(tensor, "UINT8", this.shape, path);
    const [height, width, channels] = tensor.shape;
    return this.parse({ data: tensor.data, width, height, channels }, path);
  }

  protected override contentSchema(): JsonSchema {
    return { ...super.contentSchema(), "x-shape": this.shape };
  }
}

function size(fixed: number | undefined, max: number, option: string) {
  const isSize = fixed === undefined || (Number.isSafeInteger(fixed) && fixed >= 1 && fixed <= max);
  if (!isSize) throw expected(`an integer from 1 to ${max}`, fixed, `Image.${option}`);
  return IntegerRange({ min: fixed ?? 1, max: fixed ?? max });
}

/**
 * An image. By default as the bytes of a file, AVIF, GIF, JPEG, PNG, TIFF or WebP, of which only the first ones are looked at:
 * `decodeImage` makes pixels of them. JSON: a string of base64. V2: BYTES `[1]`, the bytes themselves; in V2's JSON form an
 * input may be a string of base64, an output has to be asked for as binary.
 *
 * With `encoding: "raw"` as pixels, `{ data, width, height, channels }`: `encodeImage` makes a file of them. JSON: the same,
 * `data` a string of base64. V2: UINT8 `[height, width, channels]`, -1 where the option is not given.
 *
 * ```ts
 * const Thumbnail = defineCell({
 *   name: "Thumbnail",
 *   inputs: { photo: Image() },
 *   outputs: { pixels: Image({ encoding: "raw", channels: 3 }) },
 *   call: async ({ inputs }) => ({ pixels: await decodeImage(inputs.photo, { path: "photo" }) }),
 * });
 * ```
 *
 * @param options `encoding`, and for raw images `width`, `height`, `channels`; `title`, `description` and `default`.
 * @throws InvalidArgumentError when an option is out of range or the default is no image.
 */
export function Image(options: EncodedImageOptions & Defaulted<BytesInput>): EncodedImageType & Defaulted<BytesInput>;
export function Image(options: RawImageOptions & Defaulted<RawImageInput>): RawImageType & Defaulted<RawImageInput>;
export function Image(options?: EncodedImageOptions): EncodedImageType;
export function Image(options: RawImageOptions): RawImageType;
export function Image(options: EncodedImageOptions | RawImageOptions = {}): AnyValueType {
  if (options.encoding === "raw") return defined(new RawImageType(options));
  const { encoding = "encoded" } = options;
  if (encoding !== "encoded") {
    throw new InvalidArgumentError(`expected "encoded" or "raw", got ${describe(encoding)}`, {
      path: "Image.encoding",
    });
  }
  const size = ["width", "height", "channels"].find((option) => option in options);
  if (size !== undefined) {
    const message = 'is for encoding: "raw" only: what is in the bytes of a file is known when it is decoded';
    throw new InvalidArgumentError(message, { path: `Image.${size}` });
  }
  return defined(new EncodedImageType(options));
}
