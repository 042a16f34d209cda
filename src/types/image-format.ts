/** The formats of encoded images, told by their first bytes. */
export type ImageFormat = "avif" | "gif" | "jpeg" | "png" | "tiff" | "webp";

/** As messages list them. */
export const IMAGE_FORMATS = "AVIF, GIF, JPEG, PNG, TIFF or WebP";

/** The format of an encoded image, undefined for other bytes. The rest of the bytes may still be damaged. */
export function imageFormat(bytes: Uint8Array): ImageFormat | undefined {
  const text = (from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to));
  const head = text(0, 4);
  if (text(0, 3) === "\xff\xd8\xff") return "jpeg";
  if (text(0, 8) === "\x89PNG\r\n\x1a\n") return "png";
  if (head === "RIFF" && text(8, 12) === "WEBP") return "webp";
  if (head === "GIF8") return "gif";
  if (head === "II*\0" || head === "MM\0*") return "tiff";
  return text(4, 8) === "ftyp" && ["avif", "avis"].includes(text(8, 12)) ? "avif" : undefined;
}
