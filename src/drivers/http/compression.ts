/**
 * Bodies that are compressed: gzip, and deflate, which over HTTP means the zlib format. Which of them a client sent and wants, how an
 * answer is compressed, and what is said of a body that cannot be inflated (serving/inflate.ts does that).
 *
 * What is small is compressed at once: handing it to another thread costs more than the work. The rest leaves this thread.
 */
import { constants, deflate, deflateSync, gzip, gzipSync, type ZlibOptions } from "node:zlib";
import { InflateOutcome } from "../../engine/surface.js";
import { HeadraceError, InvalidArgumentError } from "../../errors.js";
import { ENCODINGS, type Encoding, type NotInflated } from "../../serving/inflate.js";

/** What an answer of 501 tells the client to use instead. */
const SUPPORTED = ENCODINGS.join(", ");

/** Smaller answers gain nothing: they are one packet either way. */
export const MIN_COMPRESSED_BYTES = 1024;
/** Compressing this takes about 50 microseconds, as does having another thread do it. */
const COMPRESS_AT_ONCE_BYTES = 4096;
/** What zlib gives out at a time. Each piece of a large body is a visit of another thread. */
const LARGE_CHUNK_BYTES = 128 << 10;

/** Tensors hardly get smaller at higher levels, and take several times as long. */
const COMPRESSION: ZlibOptions = { level: constants.Z_BEST_SPEED };

/** A body in an encoding that this server has not. */
export class UnsupportedEncodingError extends HeadraceError {
  readonly headers = [["Accept-Encoding", SUPPORTED]] as const;

  constructor(encoding: string) {
    super("UNIMPLEMENTED", `Content-Encoding '${encoding}' is not supported; there are ${SUPPORTED}`);
  }
}

/** The encoding of a request's body by its Content-Encoding; undefined: none. Throws UNIMPLEMENTED for any other. */
export function bodyEncoding(header: string): Encoding | undefined {
  if (header === "") return undefined;
  const name = header.trim().toLowerCase();
  if (name === "identity" || name === "") return undefined;
  if (name === "gzip" || name === "x-gzip") return "gzip";
  if (name === "deflate") return "deflate";
  throw new UnsupportedEncodingError(header);
}

/** What clients say they accept is the same few texts again and again. */
const known = new Map<string, Encoding | undefined>();
const MAX_KNOWN = 64;

/** What to compress an answer with for a client that sent this Accept-Encoding; undefined: nothing. */
export function answerEncoding(header: string): Encoding | undefined {
  if (header === "") return undefined;
  if (known.has(header)) return known.get(header);
  const encoding = preferred(header);
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(header, encoding);
  return encoding;
}

/** The one with the highest weight; of equals gzip before deflate, and either before nothing. */
function preferred(header: string): Encoding | undefined {
  const weights = new Map<string, number>();
  for (const part of header.toLowerCase().split(",")) {
    const [name = "", ...parameters] = part.split(";").map((text) => text.trim());
    const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
    // A weight that is none is nobody's wish.
    weights.set(
      name,
      weight === undefined ? 1 : /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight) ? Number(weight) : 0,
    );
  }
  const others = weights.get("*") ?? 0;
  const gzipped = Math.max(weights.get("gzip") ?? others, weights.get("x-gzip") ?? 0);
  const deflated = weights.get("deflate") ?? others;
  const best = Math.max(gzipped, deflated);
  if (best === 0 || best < (weights.get("identity") ?? 0)) return undefined;
  return gzipped === best ? "gzip" : "deflate";
}

/**
 * Compresses a body and hands it over, perhaps later.
 * @param body Must not change until then.
 * @param done Without it where there is no memory to compress it in: then it goes as it is.
 */
export function compressed(body: Uint8Array, encoding: Encoding, done: (packed: Uint8Array | undefined) => void): void {
  if (body.byteLength <= COMPRESS_AT_ONCE_BYTES) {
    done(encoding === "gzip" ? gzipSync(body, COMPRESSION) : deflateSync(body, COMPRESSION));
    return;
  }
  const pack = encoding === "gzip" ? gzip : deflate;
  pack(body, { ...COMPRESSION, chunkSize: LARGE_CHUNK_BYTES }, (error, packed) => {
    done(error === null ? packed : undefined);
  });
}

/** Why a body is refused: INVALID_ARGUMENT for what is broken or incomplete, PAYLOAD_TOO_LARGE for what is more than allowed. */
export function inflateError(result: NotInflated, encoding: Encoding, limit: number): HeadraceError {
  switch (result.outcome) {
    case InflateOutcome.tooLarge: {
      const message = `the body has more than ${limit} bytes when it is inflated, which is the most that is allowed (maxBodyBytes)`;
      return new HeadraceError("PAYLOAD_TOO_LARGE", message);
    }
    case InflateOutcome.followed: {
      const message = `${result.leftOver} bytes follow the end of the ${encoding} data`;
      return new InvalidArgumentError(message, { path: "body" });
    }
    case InflateOutcome.broken: {
      const format = encoding === "gzip" ? "gzip" : "deflate (the zlib format)";
      const message = `is not ${format}, as its Content-Encoding says: ${result.reason}`;
      return new InvalidArgumentError(message, { path: "body" });
    }
  }
}
