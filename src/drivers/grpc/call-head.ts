/** The headers of a call, checked: which method, how long it may take, how its messages are packed. */
import { HeadraceError, InvalidArgumentError } from "../../errors.js";
import { ENCODINGS, type Encoding } from "../../serving/inflate.js";
import type { Header, HeaderBlock } from "./http2/hpack-decoder.js";

export interface CallHead {
  /** `/package.Service/Method`. */
  readonly path: string;
  /** Until the client gives up; undefined: it waits. */
  readonly timeoutMillis: number | undefined;
  /** How messages may be packed; undefined: not at all. */
  readonly encoding: Encoding | undefined;
  /** All headers but those that begin with a colon, names in lower case, in their order. */
  readonly metadata: readonly Header[];
  /** The HTTP status of what is no gRPC at all. */
  readonly httpError: number | undefined;
  /** What ends the call at once. */
  readonly error: HeadraceError | undefined;
}

/** Milliseconds of each unit of `grpc-timeout`. */
const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };
const METHOD_NOT_ALLOWED = 405;
const UNSUPPORTED_MEDIA_TYPE = 415;

export function callHead(block: HeaderBlock): CallHead {
  const fields = new Map<string, string>();
  const metadata: Header[] = [];
  for (const header of block.headers) {
    const [name, value] = header;
    if (!name.startsWith(":")) metadata.push(header);
    if (!fields.has(name)) fields.set(name, value);
  }
  const path = fields.get(":path") ?? "";
  const httpError = block.isTooLarge ? undefined : httpErrorOf(fields);
  let error: HeadraceError | undefined;
  let timeoutMillis: number | undefined;
  let encoding: Encoding | undefined;
  try {
    if (block.isTooLarge) throw new HeadraceError("RESOURCE_EXHAUSTED", "the call has more headers than are taken");
    timeoutMillis = timeoutOf(fields.get("grpc-timeout"));
    encoding = encodingOf(fields.get("grpc-encoding"));
  } catch (failure) {
    if (!(failure instanceof HeadraceError)) throw failure;
    error = failure;
  }
  return { path, timeoutMillis, encoding, metadata, httpError, error };
}

function httpErrorOf(fields: ReadonlyMap<string, string>): number | undefined {
  if (fields.get(":method") !== "POST") return METHOD_NOT_ALLOWED;
  const type = fields.get("content-type") ?? "";
  return /^application\/grpc(\+proto)?(;|$)/.test(type) ? undefined : UNSUPPORTED_MEDIA_TYPE;
}

function timeoutOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const unit = UNITS[text.slice(-1)];
  const digits = text.slice(0, -1);
  if (unit !== undefined && /^\d{1,8}$/.test(digits)) return Number(digits) * unit;
  throw new InvalidArgumentError(`expected up to 8 digits and one of H, M, S, m, u, n, got '${text}'`, {
    path: "grpc-timeout",
  });
}

function encodingOf(text: string | undefined): Encoding | undefined {
  if (text === undefined || text === "identity") return undefined;
  const known = ENCODINGS.find((encoding) => encoding === text);
  if (known !== undefined) return known;
  throw new HeadraceError("UNIMPLEMENTED", `is ${text}; this server takes identity, ${ENCODINGS.join(", ")}`, {
    path: "grpc-encoding",
  });
}
