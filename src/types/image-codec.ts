/** Image files to pixels and back, by sharp, which is loaded when the first image comes. */
import type { Sharp } from "sharp";
import { HeadraceError, InvalidArgumentError, toHeadraceError } from "../errors.js";
import { expected } from "./describe.js";
import { Image, type RawImage } from "./image.js";

/**
 * The most pixels of an image unless an option says otherwise: 2^25, just above 8K (7680 x 4320). About 100 MB as RGB.
 *
 * ```ts
 * const map = await decodeImage(await readFile("map.tiff"), { maxPixels: 4 * MAX_IMAGE_PIXELS });
 * ```
 */
export const MAX_IMAGE_PIXELS = 2 ** 25;

/** See `decodeImage`. */
export interface DecodeImageOptions {
  /** 1: grey; 3: red, green, blue; 4: with alpha, opaque where the image has none. 1 and 3 drop alpha. Default: 3. */
  readonly channels?: 1 | 3 | 4;
  /** Larger images are refused before they are decoded. Default: `MAX_IMAGE_PIXELS`. */
  readonly maxPixels?: number;
  /** Where the image is in the user's input: errors begin with it. Default: "image". */
  readonly path?: string;
}

/** See `encodeImage`. */
export interface EncodeImageOptions {
  /** Default: "png", which loses nothing. "jpeg" drops alpha. */
  readonly format?: "png" | "jpeg" | "webp";
  /** Of a JPEG or WebP, from 1 to 100. Default: 80. */
  readonly quality?: number;
  /** Larger images are refused. Default: `MAX_IMAGE_PIXELS`. */
  readonly maxPixels?: number;
  /** Where the image is in the user's input: errors begin with it. Default: "image". */
  readonly path?: string;
}

const ENCODED = Image();
const RAW = Image({ encoding: "raw" });

/**
 * The pixels of an image file, 8 bits per channel, in sRGB or grey, turned upright as its EXIF orientation says. Of an
 * animated image the first frame. Runs on a libuv worker.
 *
 * ```ts
 * const { data, width, height } = await decodeImage(inputs.photo, { path: "photo" });
 * ```
 *
 * @throws InvalidArgumentError with `path` when the bytes are no image, a damaged one, or one of too many pixels.
 */
export async function decodeImage(image: Uint8Array, options: DecodeImageOptions = {}): Promise<RawImage> {
  const { channels = 3, maxPixels = MAX_IMAGE_PIXELS, path = "image" } = options;
  if (![1, 3, 4].includes(channels)) throw expected("1, 3 or 4", channels, "decodeImage.channels");
  const limitInputPixels = pixelLimit(maxPixels, "decodeImage.maxPixels");
  const bytes = ENCODED.parse(image, path);
  const sharp = await loadSharp();
  return reported("decoded", path, async () => {
    // Reads the header only.
    const { width, height } = await sharp(bytes, { limitInputPixels: false }).metadata();
    refuseLarge(width, height, maxPixels, path);
    const upright = sharp(bytes, { limitInputPixels, autoOrient: true });
    const { data, info } = await inChannels(upright, channels)
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    return RAW.parse({ data, width: info.width, height: info.height, channels: info.channels }, path);
  });
}

/**
 * The bytes of an image file. Runs on a libuv worker.
 *
 * ```ts
 * return { preview: await encodeImage(pixels, { format: "jpeg", quality: 70 }) };
 * ```
 *
 * @throws InvalidArgumentError with `path` when the image does not fit its size, or has too many pixels.
 */
export async function encodeImage(image: RawImage, options: EncodeImageOptions = {}): Promise<Uint8Array> {
  const { format = "png", quality, maxPixels = MAX_IMAGE_PIXELS, path = "image" } = options;
  if (!["png", "jpeg", "webp"].includes(format))
    throw expected('"png", "jpeg" or "webp"', format, "encodeImage.format");
  checkQuality(quality, format);
  const limitInputPixels = pixelLimit(maxPixels, "encodeImage.maxPixels");
  const { data, width, height, channels } = RAW.parse(image, path);
  refuseLarge(width, height, maxPixels, path);
  const sharp = await loadSharp();
  return reported("encoded", path, async () => {
    const raw = { width, height, channels: channels as 1 | 2 | 3 | 4 };
    const pixels = sharp(data, { raw, limitInputPixels });
    return ENCODED.parse(await pixels.toFormat(format, quality === undefined ? {} : { quality }).toBuffer(), path);
  });
}

function inChannels(image: Sharp, channels: 1 | 3 | 4): Sharp {
  if (channels === 1) return image.removeAlpha().toColourspace("b-w");
  const colours = image.toColourspace("srgb");
  return channels === 3 ? colours.removeAlpha() : colours.ensureAlpha();
}

function pixelLimit(maxPixels: number, path: string): number {
  if (Number.isSafeInteger(maxPixels) && maxPixels > 0) return maxPixels;
  throw expected("a number of pixels", maxPixels, path);
}

function checkQuality(quality: number | undefined, format: string): void {
  if (quality === undefined) return;
  const path = "encodeImage.quality";
  if (format === "png") throw new InvalidArgumentError("a PNG has none: it loses nothing", { path });
  if (!(Number.isInteger(quality) && quality >= 1 && quality <= 100)) {
    throw expected("an integer from 1 to 100", quality, path);
  }
}

function refuseLarge(width: number, height: number, maxPixels: number, path: string): void {
  if (width * height <= maxPixels) return;
  throw new InvalidArgumentError(`has ${width} x ${height} pixels, more than ${maxPixels}`, { path });
}

/** What sharp throws is about the image. */
async function reported<V>(what: string, path: string, work: () => Promise<V>): Promise<V> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof HeadraceError) throw cause;
    throw new InvalidArgumentError(`cannot be ${what}: ${toHeadraceError(cause).message}`, { path, cause });
  }
}

async function loadSharp(): Promise<typeof import("sharp").default> {
  try {
    return (await import("sharp")).default;
  } catch (cause) {
    const message = `sharp, which decodes and encodes images, cannot be loaded: ${toHeadraceError(cause).message}`;
    throw new HeadraceError("NATIVE_UNAVAILABLE", message, { cause });
  }
}
