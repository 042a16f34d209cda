/** WAV files as recorders write them, and some that they should not. */

export interface WavOptions {
  readonly sampleRate?: number;
  readonly channels?: number;
  readonly encoding?: "pcm16" | "float32";
  /** Whether the real format is in the subformat field. */
  readonly extensible?: boolean;
  /** The length that the data chunk claims, in bytes. Default: the right one. */
  readonly claimed?: number;
  /** A chunk of odd length in front of the data. */
  readonly comment?: string;
}

/** A file with these samples: integers of 16 bits, or floats. */
export function wavFile(samples: readonly number[], options: WavOptions = {}): Buffer {
  const { sampleRate = 16_000, channels = 1, encoding = "pcm16", extensible = false, comment } = options;
  const width = encoding === "pcm16" ? 2 : 4;
  const data = Buffer.alloc(samples.length * width);
  samples.forEach((sample, i) => {
    if (encoding === "pcm16") data.writeInt16LE(sample, i * 2);
    else data.writeFloatLE(sample, i * 4);
  });
  const code = encoding === "pcm16" ? 1 : 3;
  const format = Buffer.alloc(extensible ? 40 : 16);
  format.writeUInt16LE(extensible ? 0xfffe : code, 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(sampleRate, 4);
  format.writeUInt32LE(sampleRate * channels * width, 8);
  format.writeUInt16LE(channels * width, 12);
  format.writeUInt16LE(width * 8, 14);
  if (extensible) format.writeUInt16LE(code, 24);
  const chunks = [chunk("fmt ", format)];
  if (comment !== undefined) chunks.push(chunk("LIST", Buffer.from(comment)));
  chunks.push(chunk("data", data, options.claimed));
  const body = Buffer.concat([Buffer.from("WAVE"), ...chunks]);
  return chunk("RIFF", body);
}

export function chunk(name: string, body: Uint8Array, claimed = body.byteLength): Buffer {
  const head = Buffer.alloc(8);
  head.write(name, "latin1");
  head.writeUInt32LE(claimed, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.byteLength % 2)]);
}
