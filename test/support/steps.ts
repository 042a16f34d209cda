/** Inputs for the recurrent model, the same ones for the same seed, in the forms of the wire. */
import { bytesOf } from "../../src/datatype.js";

export const GRU_WIDTH = 512;

/** 512 values in -1..1 that depend on `seed` only (a small xorshift). */
export function gruInput(seed: number): Float32Array {
  let bits = (seed * 2654435761 + 1) >>> 0 || 1;
  return Float32Array.from({ length: GRU_WIDTH }, () => {
    bits ^= bits << 13;
    bits ^= bits >>> 17;
    bits ^= bits << 5;
    bits >>>= 0;
    return bits / 2 ** 31 - 1;
  });
}

export interface RequestParts {
  readonly id?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly outputs?: readonly unknown[];
}

/** A V2 JSON request of rows of FP32. */
export function jsonRequest(name: string, rows: readonly Float32Array[], parts: RequestParts = {}): string {
  const shape = [rows.length, rows[0]?.length ?? 0];
  const data = rows.flatMap((row) => [...row]);
  return JSON.stringify({ ...parts, inputs: [{ name, datatype: "FP32", shape, data }] });
}

/** The same in the binary form: the JSON header and the bytes after it. */
export function binaryRequest(
  name: string,
  rows: readonly Float32Array[],
  parts: RequestParts = {},
): { header: Buffer; tensor: Buffer } {
  const tensor = Buffer.concat(rows.map((row) => bytesOf(row)));
  const parameters = { binary_data_size: tensor.byteLength };
  const inputs = [{ name, datatype: "FP32", shape: [rows.length, rows[0]?.length ?? 0], parameters }];
  return { header: Buffer.from(JSON.stringify({ ...parts, inputs })), tensor };
}

/** A binary frame of the stream protocol: u32 header length, header, tensors. */
export function binaryFrame({ header, tensor }: { header: Buffer; tensor: Buffer }): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.byteLength);
  return Buffer.concat([length, header, tensor]);
}

/** The header and the tensor bytes of a binary frame. */
export function readFrame(frame: Buffer): { header: Record<string, unknown>; tensor: Buffer } {
  const end = 4 + frame.readUInt32LE(0);
  return { header: JSON.parse(frame.toString("utf8", 4, end)) as Record<string, unknown>, tensor: frame.subarray(end) };
}

/** Little-endian floats, wherever they begin. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer);
}
