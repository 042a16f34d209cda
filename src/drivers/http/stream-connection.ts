/**
 * One WebSocket of the V2 stream (docs/stream-protocol.md): frames in, answers out. What a frame is, message-frames.ts and
 * raw-frames.ts know; the order of the answers is kept in answers.ts. This is the socket: its limits, its writes, its end.
 */
import { HeadraceError } from "../../errors.js";
import { closeFrameOf, type TensorMetadata, utf8Text } from "../../protocol/index.js";
import type { Access } from "../../serving/access.js";
import type { AdmittedClient } from "../../serving/client-gate.js";
import type { InferDecoder } from "../../serving/infer-decoder.js";
import type { NativeModel, WebSocket } from "../../transport/index.js";
import { Answers, type Frame } from "./answers.js";
import type { FrameOwner } from "./frames.js";
import { MessageFrames } from "./message-frames.js";
import type { EndpointSocket, ModelEndpoint } from "./model-endpoint.js";
import type { Outbox } from "./outbox.js";
import { RawFrames } from "./raw-frames.js";
import { StateIds } from "./state-ids.js";
import { Stream } from "./stream.js";
import { MAX_CONTROL_BYTES } from "./stream-control.js";

/** How a connection was opened. */
export interface StreamRequest {
  /** Who opened it; undefined: anybody may do anything. */
  readonly client: AdmittedClient | undefined;
  /** Whether its messages have spans. */
  readonly isTracing: boolean;
  readonly sequenceId: string | undefined;
  /** Raw mode: the model's single input. */
  readonly raw: TensorMetadata | undefined;
  /** Raw mode: how many streams share the connection, each frame with its stream's number; undefined: one, without. */
  readonly streams: number | undefined;
  /** Whether answers of different state ids may overtake each other. */
  readonly isOrderedByStream: boolean;
}

export class StreamConnection implements FrameOwner, EndpointSocket {
  readonly answers = new Answers();
  readonly ids: StateIds;
  private socket: WebSocket | undefined;
  /** Whether it was ended, and counted, here. */
  private isRefused = false;
  /** The stream of what names no state id, where the connection has no numbered ones. */
  private readonly own: Stream | undefined;
  private readonly raw: RawFrames | undefined;
  private readonly messages: MessageFrames;
  private readonly isNumbered: boolean;

  constructor(
    readonly endpoint: ModelEndpoint,
    private readonly outbox: Outbox,
    readonly decoder: InferDecoder,
    private readonly request: StreamRequest,
  ) {
    this.ids = new StateIds(request.sequenceId, () => endpoint.parameters.maxStreamsPerConnection);
    this.isNumbered = request.streams !== undefined;
    this.raw = request.raw === undefined ? undefined : new RawFrames(this, request.raw, request.streams ?? 1);
    this.messages = new MessageFrames(this, request.isOrderedByStream || this.isNumbered, this.isNumbered);
    if (this.isNumbered) return;
    const names = { stateId: this.ids.base, ownsState: this.ids.isOwn, number: undefined, trace: undefined };
    this.own = new Stream(this, endpoint.inference, names, this.answers.main);
  }

  opened(socket: WebSocket): void {
    this.socket = socket;
    this.endpoint.counters.streamsOpened += 1;
    this.endpoint.streams.add(this);
  }

  /** Raw frames go past this from now on: what comes here is what is no ordinary one. To be called before it is opened. */
  goesNatively(model: NativeModel, connection: number): void {
    this.raw?.tell({
      opened: (number, stateId, ownsState) => model.openStream(connection, number, stateId, ownsState),
      ended: (number, dropsState) => model.closeStream(connection, number, dropsState),
    });
  }

  /** How many numbered streams share it; 0: none is numbered. */
  get streams(): number {
    return this.request.streams ?? 0;
  }

  /** Whether every answer has been given. Those that go past this are the model's to count. */
  get isIdle(): boolean {
    return this.answers.inFlight === 0 && !this.answers.hasOutput;
  }

  message(bytes: Uint8Array, isBinary: boolean): void {
    if (this.socket === undefined) return;
    const { maxInFlightPerConnection: limit, maxBodyBytes, maxFrameBytes } = this.endpoint.parameters;
    if (bytes.byteLength > maxBodyBytes || bytes.byteLength > maxFrameBytes) {
      const which = maxFrameBytes < maxBodyBytes ? "maxFrameBytes" : "maxBodyBytes";
      const allowed = `at most ${Math.min(maxFrameBytes, maxBodyBytes)} are allowed (${which})`;
      this.end(new HeadraceError("PAYLOAD_TOO_LARGE", `a frame of ${bytes.byteLength} bytes, ${allowed}`));
      return;
    }
    if (this.answers.inFlight >= limit) {
      this.end(new HeadraceError("RESOURCE_EXHAUSTED", `more than ${limit} frames are waiting for answers`));
      return;
    }
    const refusal = this.request.client?.refusal();
    if (refusal !== undefined) this.refuse(bytes, isBinary, refusal);
    else if (!isBinary) this.text(bytes, undefined);
    else if (this.raw === undefined) this.messages.binary(bytes);
    else if (this.own === undefined) this.raw.takeNumbered(bytes);
    else this.raw.take(this.own, bytes);
  }

  /** Closes the connection of a client that is not known any more. */
  recheck(access: Access): void {
    const { client } = this.request;
    if (client === undefined || access.knows(client.principal)) return;
    this.end(new HeadraceError("UNAUTHENTICATED", "what this stream was opened with is no longer good"));
  }

  get isTracing(): boolean {
    return this.request.isTracing;
  }

  isOpen(): boolean {
    return this.socket !== undefined;
  }

  /** The answer to a raw frame that went the short way. */
  answered({ lane, number }: Stream, frame: Frame): void {
    this.answers.rawAnswered(lane, frame, number);
    this.outbox.add(this);
  }

  writeLater(): void {
    this.outbox.addLater(this);
  }

  /** A state has been evicted: the connection does not have it open any more. */
  evicted(stateId: string): void {
    this.ids.forget(stateId);
  }

  /** Writes what is ready, in one go. For the outbox. */
  flush(): void {
    const { socket } = this;
    if (socket === undefined || !this.answers.hasOutput) return;
    this.answers.write(socket);
  }

  /** Closes the connection because of an error; its reason says which. */
  end(error: HeadraceError): void {
    const { code, reason } = closeFrameOf(error);
    this.isRefused = true;
    this.endpoint.streamRefused(error.code, error.message);
    this.socket?.end(code, reason);
  }

  /** Closes a connection that has had all its answers. */
  goAway(): void {
    this.socket?.goAway("UNAVAILABLE: the server is stopping");
  }

  /** The socket is gone: what waits is cancelled, states that were this connection's own are freed. */
  closed(code: number, reason: string): void {
    this.socket = undefined;
    // The transport ends those that do not read, or send too much.
    if (!this.isRefused && (code === 1013 || code === 1009)) {
      this.endpoint.streamRefused(code === 1013 ? "RESOURCE_EXHAUSTED" : "PAYLOAD_TOO_LARGE", reason);
    }
    this.endpoint.streams.delete(this);
    this.answers.abandon();
    const streams = [...(this.own === undefined ? [] : [this.own]), ...(this.raw?.open ?? [])];
    this.endpoint.inference.direct?.engine.cancelAll(new Set(streams.filter((stream) => stream.isWaiting)));
    for (const stream of streams) stream.end();
  }

  /** A frame beyond the client's rate is answered in its place, and the stream goes on: nothing has changed its state. */
  private refuse(bytes: Uint8Array, isBinary: boolean, error: HeadraceError): void {
    if (!isBinary) this.text(bytes, error);
    else if (this.raw !== undefined) this.raw.refuse(bytes, this.isNumbered, error);
    else this.messages.binary(bytes, error);
  }

  private text(bytes: Uint8Array, refusal: HeadraceError | undefined): void {
    // The transport has seen to it that it is UTF-8.
    const mayBeControl = this.isNumbered && bytes.byteLength <= MAX_CONTROL_BYTES;
    if (mayBeControl && this.raw?.control(utf8Text(bytes, "frame"), refusal)) return;
    this.messages.text(bytes, refusal);
  }
}
