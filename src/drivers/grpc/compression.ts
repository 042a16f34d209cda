/** Packing and unpacking messages as `grpc-encoding` says. */
import { promisify } from "node:util";
import { deflateSync, gunzip, gzipSync, inflate } from "node:zlib";
import { HeadraceError, InvalidArgumentError } from "../../errors.js";
import { Semaphore } from "../../serving/semaphore.js";
import type { Payload } from "./http2/stream.js";
import type { Encoding } from "./status.js";

/** Smaller messages would grow, or hardly shrink. */
const MIN_BYTES = 1024;
/** Larger ones would keep the event loop from all else for longer than they save. */
const MAX_BYTES = 1 << 20;
/** Fast; what is gained beyond it is little. */
const LEVEL = 1;

/** As many threads as libuv has for it; more at a time would not be faster, and each may take as much memory as a message may have. */
const unpacking = new Semaphore(4);

const unpackers = { gzip: promisify(gunzip), deflate: promisify(inflate) };

/**
 * A message unpacked, on another thread and in its turn; undefined where it is not wanted any more by then. Rejects with
 * PAYLOAD_TOO_LARGE above `limit` bytes, and INVALID_ARGUMENT.
 */
export async function unpack(
  packed: Buffer,
  encoding: Encoding,
  limit: number,
  isWanted: () => boolean,
): Promise<Buffer | undefined> {
  const isStillWanted = await new Promise<boolean>((resolve) => {
    unpacking.acquire(() => {
      const wanted = isWanted();
      resolve(wanted);
      return wanted;
    });
  });
  if (!isStillWanted) return undefined;
  try {
    return await unpackers[encoding](packed, { maxOutputLength: limit });
  } catch (error) {
    if (error instanceof RangeError) {
      const message = `the message has more than ${limit} bytes unpacked, which is the most allowed (maxMessageBytes)`;
      throw new HeadraceError("PAYLOAD_TOO_LARGE", message);
    }
    throw new InvalidArgumentError(`is not packed as ${encoding}`, { path: "message", cause: error });
  } finally {
    unpacking.release();
  }
}

/** A message packed, or undefined where it goes as it is. */
export function pack(message: Payload, encoding: Encoding): Buffer | undefined {
  if (message.byteLength < MIN_BYTES || message.byteLength > MAX_BYTES) return undefined;
  const bytes = Buffer.allocUnsafe(message.byteLength);
  message.writeTo(bytes, 0);
  const packed = encoding === "gzip" ? gzipSync(bytes, { level: LEVEL }) : deflateSync(bytes, { level: LEVEL });
  return packed.length < bytes.length ? packed : undefined;
}
