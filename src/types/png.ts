/**
 * A PNG of 8-bit RGB pixels without compression, for small made-up images: those that matter are encoded by sharp. Needs
 * nothing of Node's, and is not asynchronous. (PNG specification, third edition; zlib is RFC 1950, its blocks RFC 1951.)
 */

/** What one stored block holds. */
const MAX_BLOCK_BYTES = 0xffff;

/** @param pixels Rows of red, green and blue; at most 65,535 bytes with one more for each row. */
export function encodePng(pixels: Uint8Array, width: number, height: number): Uint8Array {
  const rowBytes = width * 3;
  const rows = new Uint8Array((rowBytes + 1) * height);
  // Each row has a filter type in front: 0, none.
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * rowBytes, (y + 1) * rowBytes), y * (rowBytes + 1) + 1);
  const header = Uint8Array.of(...u32(width), ...u32(height), 8, 2, 0, 0, 0);
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  return join([signature, chunk("IHDR", header), chunk("IDAT", stored(rows)), chunk("IEND", new Uint8Array(0))]);
}

function chunk(name: string, data: Uint8Array): Uint8Array {
  const body = join([Uint8Array.from(name, (letter) => letter.charCodeAt(0)), data]);
  return join([u32(data.length), body, u32(crc32(body))]);
}

/** A zlib stream of one block that is stored as it is. */
function stored(data: Uint8Array): Uint8Array {
  const length = Math.min(data.length, MAX_BLOCK_BYTES);
  const block = Uint8Array.of(1, length & 0xff, length >> 8, ~length & 0xff, (~length >> 8) & 0xff);
  return join([Uint8Array.of(0x78, 0x01), block, data, u32(adler32(data))]);
}

function crc32(data: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb8_8320 : 0);
  }
  return ~crc >>> 0;
}

function adler32(data: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (const byte of data) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  return ((b << 16) | a) >>> 0;
}

/** Four bytes, the highest first. */
function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
