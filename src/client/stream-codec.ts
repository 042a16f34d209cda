/** What the frames of a stream mean: raw bytes of one tensor, or V2 messages with any number of tensors. */
import { bytesOf, type RawTensor } from "../datatype.js";
import { HeadraceError, InvalidArgumentError, toHeadraceError } from "../errors.js";
import {
  byName,
  decodeInferResponse,
  decodeStreamError,
  decodeStreamResponse,
  encodeInferRequest,
  encodeStreamFrame,
  type StreamError,
} from "../protocol/index.js";
import { shown } from "../shown.js";

/** What a step of a stream does to its state. */
export interface SendOptions {
  /** Reset the state before this step. Default false. Not in raw streams. */
  readonly start?: boolean;
  /** Free the state after this step. Default false. Not in raw streams. */
  readonly end?: boolean;
  /** The trace that this step belongs to, by W3C Trace Context. Default: none. Not in raw streams. */
  readonly trace?: Trace;
}

/** W3C Trace Context: its two values, as the headers of that name have them. */
export interface Trace {
  readonly traceparent: string;
  readonly tracestate?: string | undefined;
}

export interface StreamCodec<In, Out> {
  encode(input: In, options: SendOptions): Uint8Array | string;
  decode(frame: Uint8Array): Out;
  /** A text frame that is no error. */
  decodeText(frame: string): Out;
  /** An error as an answer like any other, or undefined where it is to be thrown. */
  decodeError(error: StreamError): Out | undefined;
}

/** A step of one of the streams that share a connection. */
export interface NumberedStep {
  /** Which of them, from 0. */
  readonly stream: number;
  /** The input's bytes. Without them the stream ends: its state is freed, and its next step begins afresh. */
  readonly data?: ArrayBufferView;
}

/** The answer to a step of one of the streams that share a connection. */
export interface NumberedAnswer {
  readonly stream: number;
  /** The outputs' bytes back to back; none where the step ended the stream, or failed. */
  readonly data: Uint8Array;
  /** Why the step failed. The stream goes on, its state is as it was before. */
  readonly error?: HeadraceError;
}

/** Frames that are one input's bytes and nothing else; answers are the outputs' bytes back to back. */
export const rawCodec: StreamCodec<ArrayBufferView, Uint8Array> = {
  encode(input, options) {
    refuseOptions(options, "use a stream without `raw`");
    return rawBytes(input, "input");
  },
  decode: (frame) => frame,
  decodeText: refuseText,
  decodeError: () => undefined,
};

export const NUMBER_BYTES = 4;
const NOTHING = new Uint8Array(0);

/** Raw frames of several streams, each with the number of its stream in front. */
export const numberedCodec = (streams: number): StreamCodec<NumberedStep, NumberedAnswer> => ({
  encode({ stream, data }, options) {
    refuseOptions(options, "a step without data ends its stream");
    if (!Number.isInteger(stream) || stream < 0 || stream >= streams) {
      const message = `expected the number of a stream, 0 to ${streams - 1}, got ${stream}`;
      throw new InvalidArgumentError(message, { path: "stream" });
    }
    const bytes = data === undefined ? NOTHING : someBytes(data, "data", "leave it out to end the stream");
    return numberedFrame(stream, bytes);
  },
  decode(frame) {
    if (frame.byteLength < NUMBER_BYTES)
      throw new HeadraceError("INTERNAL", `a frame of ${frame.byteLength} bytes has no stream's number`);
    const stream = new DataView(frame.buffer, frame.byteOffset).getUint32(0, true);
    return { stream, data: frame.subarray(NUMBER_BYTES) };
  },
  decodeText: refuseText,
  decodeError: ({ stream, error }) => (stream === undefined ? undefined : { stream, data: NOTHING, error }),
});

/** The bytes of a raw step. Anything else has neither buffer nor length, and would go out as no bytes at all. */
function rawBytes(input: ArrayBufferView, path: string): Uint8Array {
  if (ArrayBuffer.isView(input)) return bytesOf(input);
  const message = `expected a typed array with the elements of the raw input, such as a Float32Array, got ${shown(input)}`;
  throw new InvalidArgumentError(message, { path });
}

/** The bytes of a step of a numbered stream, never none: a number with nothing behind it ends its stream. */
export function someBytes(input: ArrayBufferView, path: string, remedy: string): Uint8Array {
  const bytes = rawBytes(input, path);
  if (bytes.byteLength === 0) throw new InvalidArgumentError(`has no bytes; ${remedy}`, { path });
  return bytes;
}

/** A raw frame with its stream's number in front. */
export function numberedFrame(stream: number, bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(NUMBER_BYTES + bytes.byteLength);
  new DataView(frame.buffer).setUint32(0, stream, true);
  frame.set(bytes, NUMBER_BYTES);
  return frame;
}

export function refuseOptions({ start, end, trace }: SendOptions, remedy: string): void {
  if (!start && !end && trace === undefined) return;
  const message = `a raw frame has no room for start, end and trace; ${remedy}`;
  throw new InvalidArgumentError(message, { path: start ? "start" : end ? "end" : "trace" });
}

function refuseText(): never {
  throw new HeadraceError("INTERNAL", "the server answered a raw frame with text");
}

/** V2 messages in binary frames. */
export const tensorCodec: StreamCodec<Readonly<Record<string, RawTensor>>, Record<string, RawTensor>> = {
  encode: (inputs, options) => encodeTensors(inputs, options),
  decode: (frame) => byName(decodeStreamResponse(frame).outputs),
  decodeText: (frame) => byName(decodeInferResponse(new TextEncoder().encode(frame), undefined).outputs),
  decodeError: () => undefined,
};

/** A step as a V2 message in a binary frame. */
export function encodeTensors(
  inputs: Readonly<Record<string, RawTensor>>,
  { start, end, trace }: SendOptions,
  stateId?: string,
): Uint8Array {
  const context = trace && { traceparent: trace.traceparent, tracestate: trace.tracestate };
  const request = { inputs, sequenceId: stateId, sequenceStart: start, sequenceEnd: end, trace: context };
  return encodeStreamFrame(encodeInferRequest(request, { binary: true }));
}

/** The answer in a frame, or the error in its place. Never throws: whoever iterates gets what is wrong. */
export function readAnswer<Out>(codec: StreamCodec<unknown, Out>, data: unknown): Out | HeadraceError {
  try {
    if (data instanceof ArrayBuffer) return codec.decode(new Uint8Array(data));
    if (typeof data !== "string") throw new HeadraceError("INTERNAL", "the server sent a frame of an unknown kind");
    const error = decodeStreamError(data);
    return error === undefined ? codec.decodeText(data) : (codec.decodeError(error) ?? error.error);
  } catch (error) {
    // The server's mistake, not an invalid argument of the caller's.
    const cause = toHeadraceError(error);
    return new HeadraceError("INTERNAL", `the server's answer cannot be read: ${cause.message}`, { cause });
  }
}
