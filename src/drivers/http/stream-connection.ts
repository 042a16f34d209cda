/**
 * One WebSocket of the V2 stream (docs/stream-protocol.md): frames in, answers out.
 *
 * A raw frame takes the short way where it can: its stream hands it to the engine, and the answer is written when the round
 * of outcomes is complete. Everything else takes slots, which keep the order of the frames by themselves.
 */
import type { WebSocket } from "uWebSockets.js";
import { jsonText } from "../../engine/json.js";
import { HeadraceError, InvalidArgumentError, toHeadraceError } from "../../errors.js";
import {
  closeFrameOf,
  type DecodedRequest,
  decodeRawInfer,
  encodeInferResponse,
  encodeRawAnswer,
  encodeStreamError,
  encodeStreamFrame,
  type NamedTensor,
  type TensorMetadata,
  utf8Text,
} from "../../protocol/index.js";
import type { Access } from "../../serving/access.js";
import type { AdmittedClient } from "../../serving/client-gate.js";
import { decodedOf, type InferDecoder } from "../../serving/infer-decoder.js";
import type { InferHandle } from "../../serving/infer-types.js";
import type { ModelEndpoint } from "./model-endpoint.js";
import type { Outbox } from "./outbox.js";
import { type Frame, Stream, type StreamOwner } from "./stream.js";

/** An answer in its place in the order. */
interface Slot {
  readonly kind: FrameKind;
  /** The number of its stream, where the connection has several. */
  readonly stream: number | undefined;
  /** Undefined until it is there. */
  answer: Frame | undefined;
  handle: InferHandle | undefined;
}

type FrameKind = "text" | "binary" | "raw";

/** How a connection was opened. */
export interface StreamRequest {
  /** Who opened it; undefined: anybody may do anything. */
  readonly client: AdmittedClient | undefined;
  readonly sequenceId: string | undefined;
  /** Raw mode: the model's single input. */
  readonly raw: TensorMetadata | undefined;
  /** Raw mode: how many streams share the connection, each frame with its stream's number; undefined: one, without. */
  readonly streams: number | undefined;
}

let lastStream = 0;

/** In front of the raw frames of a connection with several streams, and of their answers: a u32, little-endian. */
const NUMBER_BYTES = 4;
const NOTHING = new Uint8Array(0);

export class StreamConnection implements StreamOwner {
  private socket: WebSocket<unknown> | undefined;
  /** The state id of frames that name none; where there are several streams, what theirs begin with. */
  private readonly stateId: string;
  private readonly ownsStates: boolean;
  /** The streams of raw frames by number; a connection without numbers has one, those of others begin with a frame. */
  private readonly streams: (Stream | undefined)[] = [];
  private readonly slots: Slot[] = [];
  /** Answers to be written, and beside them the numbers of their streams. */
  private readonly out: Frame[] = [];
  private readonly outNumbers: (number | undefined)[] = [];
  private rawPending = 0;

  constructor(
    private readonly endpoint: ModelEndpoint,
    private readonly outbox: Outbox,
    private readonly decoder: InferDecoder,
    private readonly request: StreamRequest,
  ) {
    this.ownsStates = request.sequenceId === undefined;
    // A control character first: no client can name the stream of another connection.
    this.stateId = request.sequenceId ?? `\u0000stream-${++lastStream}`;
    if (request.streams === undefined) this.openStream(undefined);
  }

  opened(socket: WebSocket<unknown>): void {
    this.socket = socket;
    this.endpoint.counters.streamsOpened += 1;
    this.endpoint.streams.add(this);
  }

  /** Whether every answer has been given, and read as far as the operating system takes it. */
  get isIdle(): boolean {
    const isAnswered = this.rawPending === 0 && this.slots.length === 0 && this.out.length === 0;
    return isAnswered && !this.socket?.getBufferedAmount();
  }

  message(bytes: ArrayBuffer, isBinary: boolean): void {
    if (this.socket === undefined) return;
    const { maxInFlightPerConnection: limit, maxBodyBytes } = this.endpoint.parameters;
    if (bytes.byteLength > maxBodyBytes) {
      const message = `a frame of ${bytes.byteLength} bytes, at most ${maxBodyBytes} are allowed (maxBodyBytes)`;
      this.end(new HeadraceError("PAYLOAD_TOO_LARGE", message));
    } else if (this.rawPending + this.slots.length >= limit) {
      this.end(new HeadraceError("RESOURCE_EXHAUSTED", `more than ${limit} frames are waiting for answers`));
    } else if (this.request.client !== undefined && this.isTooOften(bytes, isBinary, this.request.client)) {
      return;
    } else if (!isBinary || this.request.raw === undefined) {
      this.longWay(isBinary ? "binary" : "text", undefined, () => this.decode(bytes, isBinary));
    } else if (this.request.streams === undefined) {
      this.rawFrame(bytes, 0, 0, this.request.raw);
    } else {
      this.numberedFrame(bytes, this.request.streams, this.request.raw);
    }
  }

  /** Closes the connection of a client that is not known any more. */
  recheck(access: Access): void {
    const { client } = this.request;
    if (client === undefined || access.knows(client.principal)) return;
    this.end(new HeadraceError("UNAUTHENTICATED", "what this stream was opened with is no longer good"));
  }

  isOpen(): boolean {
    return this.socket !== undefined;
  }

  /** The answer to a raw frame that went the short way. */
  answered(frame: Frame, number: number | undefined): void {
    this.rawPending -= 1;
    this.put(frame, number);
    if (this.rawPending === 0 && this.slots.length > 0) this.moveReady();
    this.outbox.add(this);
  }

  /** Writes what is ready, in one go. For the outbox. */
  flush(): void {
    const { socket, out } = this;
    if (socket === undefined || out.length === 0) return;
    socket.cork(() => this.write(socket));
    out.length = 0;
    this.outNumbers.length = 0;
    const limit = this.endpoint.parameters.maxBackpressureBytes;
    const unread = socket.getBufferedAmount();
    if (unread > limit) {
      this.end(
        new HeadraceError("RESOURCE_EXHAUSTED", `${unread} bytes of answers were not read, at most ${limit} are kept`),
      );
    }
  }

  /** Closes the connection because of an error; its reason says which. */
  end(error: HeadraceError): void {
    const { code, reason } = closeFrameOf(error);
    this.endpoint.streamRefused(error.code, error.message);
    this.socket?.end(code, reason);
  }

  /** Closes a connection that has had all its answers. */
  goAway(): void {
    this.socket?.end(1001, "UNAVAILABLE: the server is stopping");
  }

  /** The socket is gone: what waits is cancelled, states that were this connection's own are freed. */
  closed(): void {
    this.socket = undefined;
    this.endpoint.streams.delete(this);
    for (const { handle } of this.slots) handle?.cancel();
    this.slots.length = 0;
    this.out.length = 0;
    const streams = this.streams.filter((stream) => stream !== undefined);
    this.endpoint.inference.direct?.engine.cancelAll(new Set(streams.filter((stream) => stream.isWaiting)));
    for (const stream of streams) stream.end(this.ownsStates);
    this.streams.length = 0;
  }

  /** A frame beyond the client's rate is answered in its place, and the stream goes on: nothing has changed its state. */
  private isTooOften(bytes: ArrayBuffer, isBinary: boolean, client: AdmittedClient): boolean {
    const refusal = client.refusal();
    if (refusal === undefined) return false;
    const { raw, streams } = this.request;
    const number = isBinary && raw !== undefined && streams !== undefined ? numberOf(bytes) : undefined;
    const slot: Slot = { kind: "text", stream: number, answer: undefined, handle: undefined };
    this.slots.push(slot);
    this.settle(slot, refusal, undefined);
    return true;
  }

  private openStream(number: number | undefined): Stream {
    const stateId = number === undefined ? this.stateId : `${this.stateId}/${number}`;
    const stream = new Stream(this, this.endpoint.inference, stateId, number);
    this.streams[number ?? 0] = stream;
    return stream;
  }

  private numberedFrame(bytes: ArrayBuffer, streams: number, raw: TensorMetadata): void {
    const number = numberOf(bytes);
    if (number === undefined || number >= streams) {
      this.longWay("raw", undefined, () => {
        const found = number === undefined ? `${bytes.byteLength} bytes` : String(number);
        throw new InvalidArgumentError(`expected the number of a stream, 0 to ${streams - 1}, as u32, got ${found}`, {
          path: "frame",
        });
      });
    } else if (bytes.byteLength === NUMBER_BYTES) {
      this.endStream(number);
    } else {
      this.rawFrame(bytes, NUMBER_BYTES, number, raw);
    }
  }

  /** Nothing but a number: its state ends after the steps before, the next step begins afresh. Answered by itself. */
  private endStream(number: number): void {
    this.streams[number]?.end(true);
    this.streams[number] = undefined;
    this.slots.push({ kind: "raw", stream: number, answer: NOTHING, handle: undefined });
    this.moveReady();
    this.outbox.addLater(this);
  }

  private rawFrame(bytes: ArrayBuffer, offset: number, number: number, raw: TensorMetadata): void {
    const stream = this.streams[number] ?? this.openStream(number);
    if (this.slots.length === 0 && !this.endpoint.isDraining && stream.step(bytes, offset)) {
      this.rawPending += 1;
      return;
    }
    this.longWay("raw", stream, () => decodeRawInfer(new Uint8Array(bytes, offset), raw));
  }

  private longWay(kind: FrameKind, stream: Stream | undefined, decode: () => DecodedRequest): void {
    const slot: Slot = { kind, stream: stream?.number, answer: undefined, handle: undefined };
    this.slots.push(slot);
    let request: DecodedRequest | undefined;
    try {
      request = decode();
      if (this.endpoint.isDraining) throw new HeadraceError("UNAVAILABLE", "the server is stopping");
      const { id } = request;
      slot.handle = this.endpoint.service.infer(request, this.stateIdOf(stream, request), (error, outputs) => {
        this.settle(slot, error === undefined ? () => this.encode(slot.kind, outputs, id) : error, id);
      });
    } catch (error) {
      this.settle(slot, this.endpoint.service.refused(error), request?.id);
    }
  }

  /** The state id of a request that names none of its own. */
  private stateIdOf(stream: Stream | undefined, request: DecodedRequest): string | undefined {
    // A model without state has no streams to keep apart.
    if (!this.endpoint.inference.stateful) return undefined;
    if (stream !== undefined) return stream.stateId;
    if (this.request.streams === undefined || request.sequenceId !== undefined) return this.stateId;
    throw new InvalidArgumentError(
      "is needed: this connection has several streams, and a frame that is not raw has no number",
      { path: "parameters.sequence_id" },
    );
  }

  private decode(bytes: ArrayBuffer, isBinary: boolean): DecodedRequest {
    const { decoder } = this;
    const frame = new Uint8Array(bytes);
    return decodedOf(isBinary ? decoder.frame(frame) : decoder.json(frame));
  }

  private encode(kind: FrameKind, outputs: readonly NamedTensor[], id: string | undefined): Frame {
    if (kind === "raw") return encodeRawAnswer(outputs).slice();
    const response = { modelName: this.endpoint.name, modelVersion: this.endpoint.version, id, outputs };
    const message = encodeInferResponse(response, () => kind === "binary", jsonText);
    return kind === "binary" ? encodeStreamFrame(message) : utf8Text(message.header, "answer");
  }

  private settle(slot: Slot, outcome: HeadraceError | (() => Frame), id: string | undefined): void {
    if (this.socket === undefined) return;
    const { stream } = slot;
    try {
      slot.answer = typeof outcome === "function" ? outcome() : encodeStreamError(outcome, { id, stream });
    } catch (error) {
      slot.answer = encodeStreamError(toHeadraceError(error), { id, stream });
    }
    this.moveReady();
    this.outbox.addLater(this);
  }

  /** Slots whose turn it is: raw frames before them have been answered, and so have the slots before them. */
  private moveReady(): void {
    if (this.rawPending > 0) return;
    let ready = 0;
    for (const { answer, stream } of this.slots) {
      if (answer === undefined) break;
      this.put(answer, stream);
      ready += 1;
    }
    if (ready > 0) this.slots.splice(0, ready);
  }

  private put(frame: Frame, number: number | undefined): void {
    this.out.push(frame);
    this.outNumbers.push(number);
  }

  private write(socket: WebSocket<unknown>): void {
    let index = 0;
    for (const frame of this.out) {
      const number = this.outNumbers[index++];
      if (typeof frame === "string") socket.send(frame, false);
      else socket.send(number === undefined ? frame : numbered(frame, number), true);
    }
  }
}

/** The number in front of a frame; undefined where there is none. */
function numberOf(bytes: ArrayBuffer): number | undefined {
  return bytes.byteLength < NUMBER_BYTES ? undefined : new Uint32Array(bytes, 0, 1)[0];
}

let answerFrame = new Uint8Array(NUMBER_BYTES);
let answerView = new DataView(answerFrame.buffer);

/** An answer with its stream's number in front, valid until the next call: what is sent is copied at once. */
function numbered(answer: Uint8Array, number: number): Uint8Array {
  if (answerFrame.byteLength !== NUMBER_BYTES + answer.byteLength) {
    answerFrame = new Uint8Array(NUMBER_BYTES + answer.byteLength);
    answerView = new DataView(answerFrame.buffer);
  }
  answerView.setUint32(0, number, true);
  answerFrame.set(answer, NUMBER_BYTES);
  return answerFrame;
}
