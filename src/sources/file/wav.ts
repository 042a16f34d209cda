import type { FileHandle } from "node:fs/promises";
import { InvalidArgumentError } from "../../errors.js";

/** Where the samples of a WAV file are, and of which kind. */
export interface Wav {
  /** Samples per second. */
  readonly sampleRate: number;
  readonly encoding: "pcm16" | "float32";
  /** The first sample's place in the file, in bytes. */
  readonly begin: number;
  /** How many samples there are. */
  readonly samples: number;
}

const PCM = 1;
const FLOAT = 3;
/** The real format is in a subformat field; encoders write it for plain PCM too. */
const EXTENSIBLE = 0xfffe;
const FORMAT_BYTES = 40;

/**
 * What a WAV file says about itself. Throws INVALID_ARGUMENT for one that is not mono, PCM of 16 bits or 32-bit float.
 *
 * @param size Of the file, in bytes: a recorder that was killed leaves a length beyond it; what is there counts.
 */
export async function readWavHeader(file: FileHandle, path: string, size: number): Promise<Wav> {
  const riff = await bytes(file, 0, 12);
  if (tag(riff, 0) !== "RIFF" || tag(riff, 8) !== "WAVE") throw new InvalidArgumentError("is not a WAV file", { path });
  let format: Pick<Wav, "sampleRate" | "encoding"> | undefined;
  // Chunks are padded to an even length, and any others may stand between the two that matter.
  for (let at = 12; at + 8 <= size; ) {
    const head = await bytes(file, at, 8);
    const length = head.getUint32(4, true);
    const begin = at + 8;
    if (tag(head, 0) === "fmt ") format = parseFormat(await bytes(file, begin, Math.min(length, FORMAT_BYTES)), path);
    if (tag(head, 0) === "data") {
      if (format === undefined) throw new InvalidArgumentError("has its samples before their format", { path });
      const samples = Math.floor(Math.min(length, size - begin) / bytesOf(format.encoding));
      return { ...format, begin, samples };
    }
    at = begin + length + (length % 2);
  }
  throw new InvalidArgumentError(`has no ${format === undefined ? "format" : "samples"} in it`, { path });
}

/** The samples in frames, PCM as -1..1. The last frame is filled up with zeros. */
export async function* wavFrames(
  file: FileHandle,
  { encoding, begin, samples }: Wav,
  frameSamples: number,
): AsyncGenerator<Float32Array, void, void> {
  const width = bytesOf(encoding);
  for (let at = 0; at < samples; at += frameSamples) {
    const wanted = Math.min(frameSamples, samples - at);
    const view = await bytes(file, begin + at * width, wanted * width);
    const frame = new Float32Array(frameSamples);
    const count = Math.floor(view.byteLength / width);
    for (let i = 0; i < count; i++) {
      frame[i] = encoding === "pcm16" ? view.getInt16(i * 2, true) / 32_768 : view.getFloat32(i * 4, true);
    }
    yield frame;
  }
}

function bytesOf(encoding: Wav["encoding"]): number {
  return encoding === "pcm16" ? 2 : 4;
}

/** Up to `length` bytes from `position`; fewer at the end of the file. */
async function bytes(file: FileHandle, position: number, length: number): Promise<DataView> {
  const buffer = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return new DataView(buffer.buffer, 0, filled);
}

function tag(view: DataView, at: number): string {
  if (at + 4 > view.byteLength) return "";
  return String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, 4));
}

function parseFormat(view: DataView, path: string): Pick<Wav, "sampleRate" | "encoding"> {
  if (view.byteLength < 16) throw new InvalidArgumentError("has a format that is cut short", { path });
  const outer = view.getUint16(0, true);
  const code = outer === EXTENSIBLE && view.byteLength >= FORMAT_BYTES ? view.getUint16(24, true) : outer;
  const channels = view.getUint16(2, true);
  const sampleRate = view.getUint32(4, true);
  const bits = view.getUint16(14, true);
  const isMono = channels === 1 && sampleRate > 0;
  if (isMono && code === PCM && bits === 16) return { sampleRate, encoding: "pcm16" };
  if (isMono && code === FLOAT && bits === 32) return { sampleRate, encoding: "float32" };
  const found = `format ${code}, ${channels} channels, ${sampleRate} Hz, ${bits} bits`;
  const message = `expected one channel of 16-bit PCM (format 1) or 32-bit float (format 3); it has ${found}`;
  throw new InvalidArgumentError(message, { path });
}
