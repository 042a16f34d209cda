/** Packing and unpacking messages as `grpc-encoding` says. */
import { deflateSync, gzipSync } from "node:zlib";
import { InflateOutcome } from "../../engine/surface.js";
import { HeadraceError, InvalidArgumentError } from "../../errors.js";
import { type Encoding, inflateAll, type NotInflated, type Packed } from "../../serving/inflate.js";
import type { Payload } from "./http2/stream.js";

/** Smaller messages would grow, or hardly shrink. */
const MIN_BYTES = 1024;
/** Larger ones would keep the event loop from all else for longer than they save. */
const MAX_BYTES = 1 << 20;
/** Fast; what is gained beyond it is little. */
const LEVEL = 1;

/**
 * A message unpacked, perhaps on another thread and in its turn; undefined where it is not wanted any more by then. Rejects with
 * PAYLOAD_TOO_LARGE above `limit` bytes, and INVALID_ARGUMENT.
 */
export function unpack(
  packed: Packed,
  encoding: Encoding,
  limit: number,
  isWanted: () => boolean,
): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    inflateAll(packed, encoding, limit, {
      isWanted: () => {
        const wanted = isWanted();
        if (!wanted) resolve(undefined);
        return wanted;
      },
      inflated: (bytes) => resolve(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
      refused: (result) => reject(refusal(result, encoding, limit)),
      failed: reject,
    });
  });
}

function refusal(result: NotInflated, encoding: Encoding, limit: number): HeadraceError {
  const path = "message";
  switch (result.outcome) {
    case InflateOutcome.tooLarge: {
      const message = `the message has more than ${limit} bytes unpacked, which is the most allowed (maxMessageBytes)`;
      return new HeadraceError("PAYLOAD_TOO_LARGE", message);
    }
    case InflateOutcome.followed:
      return new InvalidArgumentError(`${result.leftOver} bytes follow the end of the ${encoding} data`, { path });
    case InflateOutcome.broken:
      return new InvalidArgumentError(`is not packed as ${encoding}: ${result.reason}`, { path });
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
