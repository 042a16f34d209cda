/** Reads the one kind of WAV file that this example streams: PCM, 16 bits, mono, 16 kHz. */
import { readFile } from "node:fs/promises";

export const SAMPLE_RATE = 16_000;

const PCM = 1;
/** Its real format is in a subformat field; encoders write it for plain PCM too. */
const EXTENSIBLE = 0xfffe;

/**
 * The samples of the file at `path` in -1..1.
 *
 * @param {string | URL} path
 * @returns {Promise<Float32Array>}
 */
export async function readWav(path) {
  try {
    return parseWav(await readFile(path));
  } catch (error) {
    throw new Error(`${path}: ${error.message}`, { cause: error });
  }
}

/**
 * @param {Uint8Array} bytes
 * @returns {Float32Array}
 */
export function parseWav(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (tag(view, 0) !== "RIFF" || tag(view, 8) !== "WAVE") throw new Error("not a WAV file");
  let isFormatKnown = false;
  // Chunks are padded to an even length, and any others may stand between the two that matter.
  for (let at = 12; at + 8 <= view.byteLength; ) {
    const name = tag(view, at);
    const length = view.getUint32(at + 4, true);
    const start = at + 8;
    if (name === "fmt ") {
      checkFormat(view, start, length);
      isFormatKnown = true;
    }
    if (name === "data") {
      if (!isFormatKnown) throw new Error("the samples come before their format");
      return samples(view, start, length);
    }
    at = start + length + (length % 2);
  }
  throw new Error(`no ${isFormatKnown ? "samples" : "format"} in it`);
}

function tag(view, at) {
  if (at + 4 > view.byteLength) return "";
  return String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, 4));
}

function checkFormat(view, start, length) {
  if (length < 16 || start + length > view.byteLength) throw new Error("the format chunk is cut short");
  const code = view.getUint16(start, true);
  const format = code === EXTENSIBLE && length >= 40 ? view.getUint16(start + 24, true) : code;
  const channels = view.getUint16(start + 2, true);
  const rate = view.getUint32(start + 4, true);
  const bits = view.getUint16(start + 14, true);
  const isRight = format === PCM && channels === 1 && rate === SAMPLE_RATE && bits === 16;
  if (isRight) return;
  const found = `format ${format}, ${channels} channels, ${rate} Hz, ${bits} bits`;
  throw new Error(`expected PCM (format 1), 1 channel, ${SAMPLE_RATE} Hz, 16 bits; it is ${found}`);
}

/** A recorder that was killed leaves a length that goes beyond the file; what is there counts. */
function samples(view, start, length) {
  const count = Math.floor(Math.min(length, view.byteLength - start) / 2);
  return Float32Array.from({ length: count }, (_, index) => view.getInt16(start + index * 2, true) / 32768);
}
