/** How streams that share a connection are told apart: raw ones by numbers, V2 messages by their state ids. */
import type { RawTensor } from "../datatype.js";
import { HeadraceError, InvalidArgumentError } from "../errors.js";
import {
  byName,
  canonicalSequenceId,
  decodeInferResponse,
  decodeStreamResponse,
  type InferResponse,
  parseJson,
} from "../protocol/index.js";
import { encodeTensors, NUMBER_BYTES, numberedFrame, refuseOptions, someBytes } from "./stream-codec.js";
import type { SetAnswer, SetCodec } from "./stream-set.js";

/** Raw streams: numbers that control frames give state ids to. Never more than `maxStreams` at a time. */
export function rawSetCodec(maxStreams: number): SetCodec<ArrayBufferView, Uint8Array> {
  const free: number[] = [];
  const names = new Map<number, string>();
  let used = 0;
  return {
    take(stateId) {
      if (stateId !== undefined) checkName(stateId);
      if (stateId !== undefined && [...names.values()].includes(stateId)) throw isOpen(stateId);
      if (free.length === 0 && used === maxStreams) {
        const message = `${maxStreams} streams are open, as many as the connection has room for (maxStreams); close one first`;
        throw new HeadraceError("RESOURCE_EXHAUSTED", message);
      }
      const number = free.pop() ?? used++;
      if (stateId !== undefined) names.set(number, stateId);
      return number;
    },
    giveBack(key) {
      names.delete(Number(key));
      free.push(Number(key));
    },
    leave: (key) => void names.delete(Number(key)),
    opening: (key, stateId, { start, trace }) => JSON.stringify({ open: key, sequence_id: stateId, start, ...trace }),
    closing: (key, { end }) => JSON.stringify({ close: key, end }),
    encode(step, options) {
      refuseOptions(options, "give them to open and close");
      return numberedFrame(
        Number(step.key),
        someBytes(step.input, "input", "to end the stream, close it with { end: true }"),
      );
    },
    decode(frame) {
      if (frame.byteLength < NUMBER_BYTES)
        throw new HeadraceError("INTERNAL", `a frame of ${frame.byteLength} bytes has no stream's number`);
      const key = new DataView(frame.buffer, frame.byteOffset).getUint32(0, true);
      return { key, answer: frame.subarray(NUMBER_BYTES) };
    },
    decodeText(frame) {
      const { open, close } = parseJson(frame, "frame") as { open?: number; close?: number };
      return { key: open ?? close };
    },
    decodeError: ({ stream, error }) => ({ key: stream, error }),
  };
}

/** V2 messages in binary frames, each with its state id. */
export function tensorSetCodec(): SetCodec<Readonly<Record<string, RawTensor>>, Record<string, RawTensor>> {
  const open = new Set<string>();
  return {
    take(stateId) {
      if (stateId === undefined)
        throw new InvalidArgumentError("is needed: only raw streams may be without a name", { path: "stateId" });
      checkName(stateId);
      if (open.has(stateId)) throw isOpen(stateId);
      open.add(stateId);
      return stateId;
    },
    giveBack: (key) => void open.delete(String(key)),
    leave: (key) => void open.delete(String(key)),
    opening: () => undefined,
    closing(_key, { end }) {
      if (!end) return undefined;
      throw new InvalidArgumentError("send the last step with { end: true }", { path: "end" });
    },
    encode: ({ key, input }, options) => encodeTensors(input, options, String(key)),
    decode: (frame) => tensorAnswer(decodeStreamResponse(frame)),
    decodeText: (frame) => tensorAnswer(decodeInferResponse(new TextEncoder().encode(frame), undefined)),
    decodeError: ({ sequenceId, error }) => ({ key: sequenceId, error }),
  };
}

function tensorAnswer({ parameters, outputs }: InferResponse): SetAnswer<Record<string, RawTensor>> {
  const name = parameters?.sequence_id;
  return { key: name === undefined ? undefined : String(name), answer: byName(outputs) };
}

/** A name that the server cannot read would cost the connection, and all its streams: such an error names none of them. */
function checkName(stateId: string): void {
  if (typeof stateId === "string" && canonicalSequenceId(stateId, "stateId") !== undefined) return;
  throw new InvalidArgumentError("expected a string that is not empty", { path: "stateId" });
}

function isOpen(stateId: string): InvalidArgumentError {
  return new InvalidArgumentError(`'${stateId}' is open in this set already`, { path: "stateId" });
}
