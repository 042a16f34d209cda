import type { FileHandle } from "node:fs/promises";
import { InvalidArgumentError } from "../../errors.js";

/** A longer line is no line of JSON Lines, and would have to be held in memory. */
const MAX_LINE_BYTES = 64 << 20;
const CHUNK_BYTES = 64 << 10;
const NEWLINE = 10;

/** The objects of a file of JSON Lines, from its beginning. Empty lines are passed over. */
export async function* jsonLines(
  file: FileHandle,
  path: string,
): AsyncGenerator<Readonly<Record<string, unknown>>, void, void> {
  let number = 0;
  for await (const line of lines(file, path)) {
    number += 1;
    const text = decoded(line, `${path}:${number}`);
    if (text.trim() !== "") yield parsed(text, `${path}:${number}`);
  }
}

async function* lines(file: FileHandle, path: string): AsyncGenerator<Uint8Array, void, void> {
  /** The line that goes on in the next chunk. */
  let pieces: Uint8Array[] = [];
  let held = 0;
  for (let position = 0; ; ) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, position);
    if (bytesRead === 0) break;
    position += bytesRead;
    const chunk = buffer.subarray(0, bytesRead);
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      yield Buffer.concat([...pieces, chunk.subarray(from, end)]);
      pieces = [];
      held = 0;
      from = end + 1;
    }
    pieces.push(chunk.subarray(from));
    held += bytesRead - from;
    if (held > MAX_LINE_BYTES) {
      throw new InvalidArgumentError(`has a line of more than ${MAX_LINE_BYTES} bytes`, { path });
    }
  }
  if (held > 0) yield Buffer.concat(pieces);
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function decoded(line: Uint8Array, path: string): string {
  try {
    return decoder.decode(line);
  } catch (error) {
    throw new InvalidArgumentError("is not UTF-8", { path, cause: error });
  }
}

function parsed(text: string, path: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`is not JSON: ${(error as Error).message}`, { path, cause: error });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new InvalidArgumentError("expected an object of the pipeline's inputs", { path });
}
