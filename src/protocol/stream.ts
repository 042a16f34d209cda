/**
 * Frames of a V2 stream over WebSocket; docs/stream-protocol.md is the whole protocol.
 *
 * A text frame is a V2 JSON message. A binary frame is a u32 little-endian header length, the V2 JSON header, then the
 * tensors. An error is a text frame in the place of the answer.
 */
import { ERROR_CODES, type ErrorCode, HeadraceError, isErrorCode } from "../errors.js";
import { fail, isObject } from "./check.js";
import { parseTensorJson } from "./json.js";
import { decodeInferResponse, type InferResponse } from "./response.js";
import type { EncodedMessage } from "./v2.js";

/** In front of a binary frame's JSON header: its length. */
export const FRAME_LENGTH_BYTES = 4;

/** Tensors start at a multiple of this many bytes from the frame's start, so that they can be read in place. */
const ALIGNMENT = 8;

const SPACE = 0x20;

/** A message as one binary frame. The one copy of the tensors that a WebSocket, which takes one buffer, costs. */
export function encodeStreamFrame(message: EncodedMessage): Uint8Array {
  const padding = (ALIGNMENT - ((FRAME_LENGTH_BYTES + message.header.byteLength) % ALIGNMENT)) % ALIGNMENT;
  const headerLength = message.header.byteLength + padding;
  const frame = new Uint8Array(FRAME_LENGTH_BYTES + padding + message.total);
  new DataView(frame.buffer).setUint32(0, headerLength, true);
  frame.set(message.header, FRAME_LENGTH_BYTES);
  frame.fill(SPACE, FRAME_LENGTH_BYTES + message.header.byteLength, FRAME_LENGTH_BYTES + headerLength);
  let at = FRAME_LENGTH_BYTES + headerLength;
  for (const part of message.parts) {
    frame.set(part, at);
    at += part.byteLength;
  }
  return frame;
}

/** A response in a binary frame. Its tensors are views into `frame` where the alignment allows it. */
export function decodeStreamResponse(frame: Uint8Array): InferResponse {
  return decodeInferResponse(frame.subarray(FRAME_LENGTH_BYTES), headerLengthOf(frame));
}

/** Bytes of a binary frame's JSON header, which begins after the first four bytes. */
export function headerLengthOf(frame: Uint8Array): number {
  if (frame.byteLength < FRAME_LENGTH_BYTES) {
    fail("frame", `${frame.byteLength} bytes are too short for a u32 header length`);
  }
  return new DataView(frame.buffer, frame.byteOffset, FRAME_LENGTH_BYTES).getUint32(0, true);
}

/** Which request an error answers. */
export interface StreamErrorSource {
  /** The request's id, if it had one. */
  readonly id?: string | undefined;
  /** The number of the request's stream, where the connection has several. */
  readonly stream?: number | undefined;
  /** The request's state id, where answers of several may overtake each other. */
  readonly sequenceId?: string | undefined;
}

export interface StreamError extends StreamErrorSource {
  readonly error: HeadraceError;
}

/** The text frame that stands in the place of an answer that failed. */
export function encodeStreamError(error: HeadraceError, source: StreamErrorSource = {}): string {
  const { id, stream, sequenceId } = source;
  return JSON.stringify({ error: error.message, code: error.code, id, stream, sequence_id: sequenceId });
}

/** The error that a text frame holds, or undefined when the frame is an answer. Throws when it is not JSON. */
export function decodeStreamError(text: string): StreamError | undefined {
  const json = parseTensorJson(text, "frame");
  if (!isObject(json) || typeof json.error !== "string") return undefined;
  const code = typeof json.code === "string" && isErrorCode(json.code) ? json.code : "INTERNAL";
  return {
    error: new HeadraceError(code, json.error),
    id: typeof json.id === "string" ? json.id : undefined,
    stream: typeof json.stream === "number" ? json.stream : undefined,
    sequenceId: typeof json.sequence_id === "string" ? json.sequence_id : undefined,
  };
}

/** How a server ends a stream because of `error`: the close code of the table, and a reason that names the code. */
export function closeFrameOf(error: HeadraceError): { readonly code: number; readonly reason: string } {
  return { code: ERROR_CODES[error.code].close, reason: clipUtf8(`${error.code}: ${error.message}`) };
}

/** WebSocket allows a reason of 123 bytes. */
const MAX_REASON_BYTES = 123;

function clipUtf8(text: string): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.byteLength <= MAX_REASON_BYTES) return text;
  // A character cut in two decodes to U+FFFD, which must not be sent.
  return new TextDecoder().decode(bytes.subarray(0, MAX_REASON_BYTES)).replace(/\uFFFD+$/, "");
}

/** Close codes that name no error of the table by themselves, as RFC 6455 has them. */
const ERROR_OF_CLOSE: Readonly<Record<number, ErrorCode>> = {
  1000: "UNAVAILABLE",
  1001: "UNAVAILABLE",
  1003: "UNIMPLEMENTED",
  1005: "UNAVAILABLE",
  1006: "UNAVAILABLE",
  1007: "INVALID_ARGUMENT",
  1008: "NOT_FOUND",
  1009: "PAYLOAD_TOO_LARGE",
  1011: "INTERNAL",
  1013: "RESOURCE_EXHAUSTED",
};

/** The error that a close means to whoever still waits for answers. A reason written by `closeFrameOf` decides. */
export function errorOfClose(code: number, reason: string): HeadraceError {
  const match = /^([A-Z_]+): (.*)$/s.exec(reason);
  const [, name = "", message = ""] = match ?? [];
  if (isErrorCode(name)) return new HeadraceError(name, message);
  const detail = reason === "" ? "" : `: ${reason}`;
  return new HeadraceError(ERROR_OF_CLOSE[code] ?? "UNAVAILABLE", `the server closed the stream (${code})${detail}`);
}
