/**
 * Bodies that are compressed, in both directions: gzip, and deflate, which over HTTP means the zlib format.
 *
 * What is small is done at once: handing it to another thread costs more than the work. The rest leaves this thread.
 */
import {
  constants,
  deflate,
  deflateSync,
  gunzip,
  gunzipSync,
  gzip,
  gzipSync,
  inflate,
  inflateSync,
  type ZlibOptions,
} from "node:zlib";
import { HeadraceError, InvalidArgumentError } from "../../errors.js";
import { Semaphore } from "../../serving/semaphore.js";

export type Encoding = "gzip" | "deflate";

/** What an answer of 501 tells the client to use instead. */
const SUPPORTED = "gzip, deflate";

/** Smaller answers gain nothing: they are one packet either way. */
export const MIN_COMPRESSED_BYTES = 1024;
/** Compressing this takes about 50 microseconds, as does having another thread do it. */
const COMPRESS_AT_ONCE_BYTES = 4096;
/** Inflating is some ten times cheaper. What turns out to become larger than the second is begun again elsewhere. */
const INFLATE_AT_ONCE_BYTES = 16 << 10;
const INFLATED_AT_ONCE_BYTES = 64 << 10;
/** What zlib gives out at a time. Each piece of a large body is a visit of another thread. */
const LARGE_CHUNK_BYTES = 128 << 10;

/** As many threads as libuv has for it; more at a time would not be faster, and each may take as much memory as a body may have. */
const inflating = new Semaphore(4);

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
 */
export function compressed(body: Uint8Array, encoding: Encoding, done: (packed: Uint8Array) => void): void {
  if (body.byteLength <= COMPRESS_AT_ONCE_BYTES) {
    done(encoding === "gzip" ? gzipSync(body, COMPRESSION) : deflateSync(body, COMPRESSION));
    return;
  }
  const pack = encoding === "gzip" ? gzip : deflate;
  // Compressing what is in memory fails only where no memory is left; then it goes as it is.
  pack(body, { ...COMPRESSION, chunkSize: LARGE_CHUNK_BYTES }, (_error, packed) => done(packed));
}

/** Where an inflated body goes; one of the two is called, perhaps later. */
export interface InflateDone {
  /** Whether anybody still waits for it, when its turn comes. */
  isWanted(): boolean;
  inflated(body: Uint8Array): void;
  /** INVALID_ARGUMENT for what is broken or incomplete, PAYLOAD_TOO_LARGE as soon as there is more than allowed. */
  failed(error: HeadraceError): void;
}

/**
 * Inflates a body that is all there.
 * @param body Valid until this returns.
 * @param limit Most bytes that may come out; no more memory than about this is taken.
 */
export function inflated(body: Uint8Array, encoding: Encoding, limit: number, done: InflateDone): void {
  if (body.byteLength <= INFLATE_AT_ONCE_BYTES && inflatedAtOnce(body, encoding, limit, done)) return;
  const owned = body.slice();
  const options = { info: true, maxOutputLength: limit, chunkSize: LARGE_CHUNK_BYTES };
  inflating.acquire(() => {
    if (!done.isWanted()) return false;
    (encoding === "gzip" ? gunzip : inflate)(owned, options, (error, result) => {
      try {
        if (error !== null) done.failed(inflateError(error, encoding, limit));
        else finish(result, owned.byteLength, encoding, done);
      } finally {
        inflating.release();
      }
    });
    return true;
  });
}

/** False: it is larger than what should be done on this thread. */
function inflatedAtOnce(body: Uint8Array, encoding: Encoding, limit: number, done: InflateDone): boolean {
  const most = Math.min(limit, INFLATED_AT_ONCE_BYTES);
  let result: unknown;
  try {
    result = (encoding === "gzip" ? gunzipSync : inflateSync)(body, { info: true, maxOutputLength: most });
  } catch (error) {
    if (most < limit && isTooLarge(error)) return false;
    done.failed(inflateError(error, encoding, limit));
    return true;
  }
  finish(result, body.byteLength, encoding, done);
  return true;
}

/** With `info`, which Node's types lack, the outcome has beside the bytes what is known of the input. */
function finish(result: unknown, length: number, encoding: Encoding, done: InflateDone): void {
  const { buffer, engine } = result as { buffer: Uint8Array; engine: { bytesWritten: number } };
  const leftOver = length - engine.bytesWritten;
  if (leftOver === 0) done.inflated(buffer);
  else
    done.failed(new InvalidArgumentError(`${leftOver} bytes follow the end of the ${encoding} data`, { path: "body" }));
}

function isTooLarge(error: unknown): boolean {
  return (error as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE";
}

function inflateError(error: unknown, encoding: Encoding, limit: number): HeadraceError {
  if (isTooLarge(error)) {
    const message = `the body has more than ${limit} bytes when it is inflated, which is the most that is allowed (maxBodyBytes)`;
    return new HeadraceError("PAYLOAD_TOO_LARGE", message);
  }
  const reason = error instanceof Error ? error.message : String(error);
  const message = `is not ${encoding === "gzip" ? "gzip" : "deflate (the zlib format)"}, as its Content-Encoding says: ${reason}`;
  return new InvalidArgumentError(message, { path: "body", cause: error });
}
