import sharp from "sharp";
import t, { type Test } from "tap";
import {
  type DecodeImageOptions,
  decodeImage,
  encodeImage,
  Image,
  MAX_IMAGE_PIXELS,
  Random,
  type RawImage,
} from "../../src/types/index.js";

const refusesDecoding = (t: Test, image: Uint8Array, options: DecodeImageOptions, message: RegExp) =>
  t.rejects(decodeImage(image, { path: "inputs.photo", ...options }), {
    name: "InvalidArgumentError",
    path: "inputs.photo",
    message,
  });

/** Two by two: red, green; blue, white half transparent. */
const SQUARE: RawImage = {
  data: Uint8Array.of(255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255, 255, 255, 255, 128),
  width: 2,
  height: 2,
  channels: 4,
};

t.test("a fake image is a real one", async (t) => {
  for (const seed of [1, 2, 3]) {
    const file = Image().fake(new Random(seed));
    const { format, width = 0, height = 0 } = await sharp(file).metadata();
    t.equal(format, "png");
    const pixels = await decodeImage(file);
    t.match(pixels, { width, height, channels: 3 });
    t.equal(pixels.data.length, width * height * 3);
  }
});

t.test("pixels come back from a PNG as they were", async (t) => {
  const file = await encodeImage(SQUARE);
  t.equal((await sharp(file).metadata()).format, "png");
  t.strictSame(await decodeImage(file, { channels: 4 }), SQUARE);
  const { data } = await decodeImage(file);
  t.strictSame([...data], [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255]);
});

t.test("every format is read, and JPEG and WebP are written", async (t) => {
  const grey = { data: new Uint8Array(64).fill(100), width: 8, height: 8, channels: 1 };
  for (const format of ["jpeg", "webp"] as const) {
    const file = await encodeImage(grey, { format, quality: 90 });
    t.equal((await sharp(file).metadata()).format, format);
    t.match(await decodeImage(file, { channels: 1 }), { width: 8, height: 8, channels: 1 });
  }
  for (const format of ["gif", "tiff", "avif"] as const) {
    const file = await sharp(grey.data, { raw: { width: 8, height: 8, channels: 1 } })
      .toFormat(format)
      .toBuffer();
    const { data, ...size } = await decodeImage(Image().parse(file, "file"));
    t.same(size, { width: 8, height: 8, channels: 3 });
    t.ok(
      data.every((value) => Math.abs(value - 100) <= 4),
      format,
    );
  }
});

t.test("16 bits, CMYK and a turned camera are made 8 bits, RGB and upright", async (t) => {
  const wide = await sharp(Uint16Array.of(0, 0x8080, 0xffff), { raw: { width: 3, height: 1, channels: 1 } })
    .toColourspace("grey16")
    .png()
    .toBuffer();
  t.equal((await sharp(wide).metadata()).depth, "ushort");
  t.strictSame([...(await decodeImage(wide, { channels: 1 })).data], [0, 0x80, 0xff]);
  const white = sharp({ create: { width: 4, height: 2, channels: 3, background: "white" } });
  const cmyk = await white.clone().toColourspace("cmyk").jpeg().toBuffer();
  t.equal((await sharp(cmyk).metadata()).space, "cmyk");
  t.ok((await decodeImage(cmyk)).data.every((value) => value > 250));
  const turned = await white.clone().withMetadata({ orientation: 6 }).jpeg().toBuffer();
  t.match(await decodeImage(turned), { width: 2, height: 4 });
});

t.test("what is no image, is damaged or is too large is refused by its path", async (t) => {
  await refusesDecoding(t, new Uint8Array(4), {}, /^inputs\.photo: expected the bytes of an image \(AVIF, .*of 4$/);
  const file = await encodeImage(SQUARE);
  await refusesDecoding(t, file.slice(0, 30), {}, /^inputs\.photo: cannot be decoded: /);
  await refusesDecoding(t, file, { maxPixels: 3 }, /^inputs\.photo: has 2 x 2 pixels, more than 3$/);
  // A header that promises more than there is: nothing is allocated for it.
  const huge = file.slice();
  new DataView(huge.buffer).setUint32(16, 60_000);
  new DataView(huge.buffer).setUint32(20, 60_000);
  const tooLarge = { ...SQUARE, data: new Uint8Array(8), width: 4, height: 2, channels: 1 };
  await t.rejects(decodeImage(huge), { name: "InvalidArgumentError", path: "image" });
  await t.rejects(encodeImage(tooLarge, { maxPixels: 7 }), {
    path: "image",
    message: "image: has 4 x 2 pixels, more than 7",
  });
  t.equal(MAX_IMAGE_PIXELS, 33_554_432);
});

t.test("options out of range are refused by name", async (t) => {
  const file = await encodeImage(SQUARE);
  await t.rejects(decodeImage(file, { channels: 2 as 3 }), { code: "INVALID_ARGUMENT", path: "decodeImage.channels" });
  await t.rejects(decodeImage(file, { maxPixels: 0 }), { code: "INVALID_ARGUMENT", path: "decodeImage.maxPixels" });
  await t.rejects(encodeImage(SQUARE, { format: "bmp" as "png" }), {
    code: "INVALID_ARGUMENT",
    path: "encodeImage.format",
  });
  await t.rejects(encodeImage(SQUARE, { quality: 80 }), { code: "INVALID_ARGUMENT", path: "encodeImage.quality" });
  await t.rejects(encodeImage(SQUARE, { format: "jpeg", quality: 0 }), {
    code: "INVALID_ARGUMENT",
    path: "encodeImage.quality",
  });
  await t.rejects(encodeImage({ ...SQUARE, width: 3 }, { path: "outputs.preview" }), {
    name: "InvalidArgumentError",
    message: "outputs.preview.data: expected 3 x 2 x 4 = 24 bytes, got 16",
  });
  t.throws(() => Image({ encoding: "raw", width: 0 }), { code: "INVALID_ARGUMENT", path: "Image.width" });
  t.throws(() => Image({ encoding: "raw", channels: 5 }), { code: "INVALID_ARGUMENT", path: "Image.channels" });
  t.throws(() => Image({ encoding: "jpeg" as "raw" }), { code: "INVALID_ARGUMENT", path: "Image.encoding" });
  t.throws(() => Image({ width: 5 } as object), { code: "INVALID_ARGUMENT", path: "Image.width" });
});

t.test("a file is carried as it is, a raw image as rows of pixels", async (t) => {
  const file = Image().fake();
  t.same(Image().toTensor(file), { datatype: "BYTES", shape: [1], data: [file] });
  const text = new TextEncoder().encode(Buffer.from(file).toString("base64"));
  t.strictSame(Image().fromTensor({ datatype: "BYTES", shape: [1], data: [text] }, "x"), file);
  const raw = Image({ encoding: "raw", channels: 4 });
  t.match(raw, { datatype: "UINT8", shape: [-1, -1, 4], label: "Image raw ? x ? x 4" });
  t.equal(raw.toTensor(SQUARE).data, SQUARE.data);
  t.same(raw.toTensor(SQUARE).shape, [2, 2, 4]);
  t.throws(() => raw.parse({ ...SQUARE, channels: 3 }, "x"), { code: "INVALID_ARGUMENT", path: "x.channels" });
});
