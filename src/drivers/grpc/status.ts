/** How a call ends: the status of gRPC, and the headers and trailers that carry it. */
import { ERROR_CODES, type HeadraceError } from "../../errors.js";
import { ENCODINGS, type Encoding } from "../../serving/inflate.js";
import { encodeHeaders } from "./http2/hpack-encoder.js";

export interface Status {
  /** 0 is OK; the table in src/errors.ts has those of errors. */
  readonly code: number;
  readonly message: string;
}

export const OK: Status = { code: 0, message: "" };

/** Header blocks are not to outgrow what clients take. */
const MAX_MESSAGE_BYTES = 4096;

const CONTENT_TYPE = ["content-type", "application/grpc"] as const;
const ACCEPT = ["grpc-accept-encoding", ["identity", ...ENCODINGS].join(",")] as const;

/** The headers of an answer with a message, by how its messages may be packed. */
const ANSWER_HEADERS: Readonly<Record<Encoding | "identity", Buffer>> = {
  identity: encodeHeaders([[":status", "200"], CONTENT_TYPE, ACCEPT]),
  gzip: encodeHeaders([[":status", "200"], CONTENT_TYPE, ["grpc-encoding", "gzip"], ACCEPT]),
  deflate: encodeHeaders([[":status", "200"], CONTENT_TYPE, ["grpc-encoding", "deflate"], ACCEPT]),
};
const OK_TRAILERS = encodeHeaders([["grpc-status", "0"]]);

export function answerHeaders(encoding: Encoding | undefined): Buffer {
  return ANSWER_HEADERS[encoding ?? "identity"];
}

/** What ends an answer. */
export function trailers(status: Status): Buffer {
  return status.code === 0 ? OK_TRAILERS : encodeHeaders(statusHeaders(status));
}

/** A whole answer that is only a status. */
export function trailersOnly(status: Status): Buffer {
  return encodeHeaders([[":status", "200"], CONTENT_TYPE, ACCEPT, ...statusHeaders(status)]);
}

/** For a request that is no call at all. */
export function httpAnswer(httpStatus: number): Buffer {
  return encodeHeaders([[":status", String(httpStatus)]]);
}

export function statusOf({ code, message }: HeadraceError): Status {
  return { code: ERROR_CODES[code].grpc, message };
}

function statusHeaders({ code, message }: Status): (readonly [string, string])[] {
  const status = ["grpc-status", String(code)] as const;
  return message === "" ? [status] : [status, ["grpc-message", percentEncoded(message)]];
}

/** UTF-8 with everything but printable ASCII, and the percent sign, as %XX. */
function percentEncoded(message: string): string {
  let text = "";
  for (const byte of Buffer.from(message).subarray(0, MAX_MESSAGE_BYTES)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    text += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}
