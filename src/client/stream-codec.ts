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
} from "../protocol/index.js";

export interface SendOptions {
  /** Reset the state before this step. Default false. Not in raw streams. */
  readonly start?: boolean;
  /** Free the state after this step. Default false. Not in raw streams. */
  readonly end?: boolean;
}

export interface StreamCodec<In, Out> {
  encode(input: In, options: SendOptions): Uint8Array;
  decode(frame: Uint8Array): Out;
  /** A text frame that is no error. */
  decodeText(frame: string): Out;
}

/** Frames that are one input's bytes and nothing else; answers are the outputs' bytes back to back. */
export const rawCodec: StreamCodec<ArrayBufferView, Uint8Array> = {
  encode(input, { start, end }) {
    if (start || end) {
      const message = "a raw frame has no room for start and end; use a stream without `raw`";
      throw new InvalidArgumentError(message, { path: start ? "start" : "end" });
    }
    return bytesOf(input);
  },
  decode: (frame) => frame,
  decodeText: () => {
    throw new HeadraceError("INTERNAL", "the server answered a raw frame with text");
  },
};

/** V2 messages in binary frames. */
export const tensorCodec: StreamCodec<Readonly<Record<string, RawTensor>>, Record<string, RawTensor>> = {
  encode(inputs, { start, end }) {
    const request = { inputs, sequenceStart: start, sequenceEnd: end };
    return encodeStreamFrame(encodeInferRequest(request, { binary: true }));
  },
  decode: (frame) => byName(decodeStreamResponse(frame).outputs),
  decodeText: (frame) => byName(decodeInferResponse(new TextEncoder().encode(frame), undefined).outputs),
};

/** The answer in a frame, or the error in its place. Never throws: whoever iterates gets what is wrong. */
export function readAnswer<Out>(codec: StreamCodec<unknown, Out>, data: unknown): Out | HeadraceError {
  try {
    if (data instanceof ArrayBuffer) return codec.decode(new Uint8Array(data));
    if (typeof data !== "string") throw new HeadraceError("INTERNAL", "the server sent a frame of an unknown kind");
    return decodeStreamError(data)?.error ?? codec.decodeText(data);
  } catch (error) {
    // The server's mistake, not an invalid argument of the caller's.
    const cause = toHeadraceError(error);
    return new HeadraceError("INTERNAL", `the server's answer cannot be read: ${cause.message}`, { cause });
  }
}
