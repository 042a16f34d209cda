/** Base64 with either alphabet, the padding optional. One pattern without repeated groups: a value may be megabytes. */
export const BASE64_PATTERN = "^[A-Za-z0-9+/_-]*={0,2}$";

const FOREIGN = /[^\w+/-]/;

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** The bytes, undefined where the text is not base64. Buffer alone would skip what is foreign. */
export function fromBase64(text: string): Uint8Array | undefined {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  if (padding > 0 && text.length % 4 !== 0) return undefined;
  const digits = text.slice(0, text.length - padding);
  if (digits.length % 4 === 1 || FOREIGN.test(digits)) return undefined;
  // Memory of its own, not a piece of the pool that small Buffers share.
  const bytes = Buffer.allocUnsafeSlow(Math.floor((digits.length * 3) / 4));
  bytes.write(digits, "base64");
  return new Uint8Array(bytes.buffer);
}
