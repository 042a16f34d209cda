/**
 * One WebSocket of the V2 stream (docs/stream-protocol.md): frames in, answers out in the order of the frames.
 *
 * A raw frame of a direct model with state takes the short way: its bytes go from the socket's buffer into the engine, this object is
 * the sink of all its steps, and an answer is a view over the engine's memory, written when the round of outcomes is
 * complete. Steps of one state id complete in order, so nothing needs to be queued. Everything else takes slots, which
 * keep the order by themselves.
 */
import type { WebSocket } from "uWebSockets.js";
import { NO_STATE, OK, type StepSink } from "../../engine/engine.js";
import { bug, HeadraceError, toHeadraceError } from "../../errors.js";
import {
  closeFrameOf,
  type DecodedRequest,
  decodeJsonInfer,
  decodeRawInfer,
  decodeStreamRequest,
  encodeInferResponse,
  encodeRawAnswer,
  encodeStreamError,
  encodeStreamFrame,
  type NamedTensor,
  type TensorMetadata,
  utf8Text,
} from "../../protocol/index.js";
import type { DirectModel, RestrictedInferenceProcess } from "../../runtime/index.js";
import type { InferService } from "./infer-service.js";
import type { InferHandle } from "./infer-types.js";
import type { Outbox } from "./outbox.js";
import type { HttpParameters } from "./parameters.js";

type Frame = Uint8Array | string;

/** An answer in its place in the order; undefined until it is there. */
interface Slot {
  frame: Frame | undefined;
  handle: InferHandle | undefined;
}

/** How a connection was opened. */
export interface StreamRequest {
  readonly sequenceId: string | undefined;
  /** Raw mode: the model's single input. */
  readonly raw: TensorMetadata | undefined;
}

/** What all connections of a listener share. */
export interface StreamHost {
  readonly inference: RestrictedInferenceProcess;
  readonly service: InferService;
  readonly outbox: Outbox;
  readonly parameters: () => HttpParameters;
  readonly isDraining: () => boolean;
  /** A connection was closed for what it did. */
  readonly refused: (error: HeadraceError) => void;
}

let lastStream = 0;

export class StreamConnection implements StepSink {
  private socket: WebSocket<unknown> | undefined;
  /** The state id of frames that name none. */
  private readonly stateId: string;
  private readonly ownsState: boolean;
  private readonly key: number;
  /** Where raw frames take the short way. */
  private readonly direct: DirectModel | undefined;
  private readonly slots: Slot[] = [];
  private readonly out: Frame[] = [];
  private rawPending = 0;

  constructor(
    private readonly host: StreamHost,
    private readonly request: StreamRequest,
  ) {
    this.ownsState = request.sequenceId === undefined;
    // A control character first: no client can name the stream of another connection.
    this.stateId = request.sequenceId ?? `\u0000stream-${++lastStream}`;
    const { direct, stateful } = host.inference;
    const [input, ...others] = direct?.inputs ?? [];
    // Without state nothing keeps the steps of a connection in order, and the bytes of a BOOL have to be looked at.
    const isShort = stateful && input?.fixed && input.datatype !== "BOOL" && others.length === 0;
    this.direct = isShort ? direct : undefined;
    this.key = direct === undefined || !stateful ? NO_STATE : direct.engine.pin(this.stateId);
  }

  opened(socket: WebSocket<unknown>): void {
    this.socket = socket;
  }

  /** Whether every answer has been given, and read as far as the operating system takes it. */
  get isIdle(): boolean {
    const isAnswered = this.rawPending === 0 && this.slots.length === 0 && this.out.length === 0;
    return isAnswered && !this.socket?.getBufferedAmount();
  }

  message(bytes: ArrayBuffer, isBinary: boolean): void {
    if (this.socket === undefined) return;
    const { maxInFlightPerConnection: limit, maxBodyBytes } = this.host.parameters();
    if (bytes.byteLength > maxBodyBytes) {
      const message = `a frame of ${bytes.byteLength} bytes, at most ${maxBodyBytes} are allowed (maxBodyBytes)`;
      this.end(new HeadraceError("PAYLOAD_TOO_LARGE", message));
    } else if (this.rawPending + this.slots.length >= limit) {
      this.end(new HeadraceError("RESOURCE_EXHAUSTED", `more than ${limit} frames are waiting for answers`));
    } else if (isBinary && this.request.raw !== undefined && this.direct !== undefined && this.slots.length === 0) {
      this.stepRaw(this.direct, bytes);
    } else {
      this.stepFrame(bytes, isBinary);
    }
  }

  /** The engine's answer to a raw frame. */
  completed(request: number, code: number, batch: number, row: number): boolean {
    this.rawPending -= 1;
    const { direct } = this;
    if (this.socket === undefined || direct === undefined) return false;
    try {
      this.out.push(this.rawAnswer(direct, request, code, batch, row));
    } catch (error) {
      this.out.push(encodeStreamError(toHeadraceError(error)));
    }
    if (this.rawPending === 0 && this.slots.length > 0) this.moveReady();
    this.host.outbox.add(this);
    return false;
  }

  /** Writes what is ready, in one go. For the outbox. */
  flush(): void {
    const { socket, out } = this;
    if (socket === undefined || out.length === 0) return;
    socket.cork(() => {
      for (const frame of out) socket.send(frame, typeof frame !== "string");
    });
    out.length = 0;
    const limit = this.host.parameters().maxBackpressureBytes;
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
    this.host.refused(error);
    this.socket?.end(code, reason);
  }

  /** Closes a connection that has had all its answers. */
  goAway(): void {
    this.socket?.end(1001, "UNAVAILABLE: the server is stopping");
  }

  /** The socket is gone: what waits is cancelled, a state that was this connection's own is freed. */
  closed(): void {
    this.socket = undefined;
    for (const { handle } of this.slots) handle?.cancel();
    this.slots.length = 0;
    this.out.length = 0;
    const { direct } = this.host.inference;
    if (this.rawPending > 0) direct?.engine.cancelAll(this);
    if (this.ownsState) this.host.inference.dropState(this.stateId);
    if (this.key !== NO_STATE) direct?.engine.unpin(this.key);
  }

  private stepRaw(direct: DirectModel, bytes: ArrayBuffer): void {
    const request = this.host.isDraining()
      ? undefined
      : direct.engine.submit(this, bytes, 0, bytes.byteLength, this.key, 0, 0);
    if (request !== undefined && request >= 0) {
      this.rawPending += 1;
      return;
    }
    // Its bytes may be the wrong number: the long way says so, in its place.
    this.stepFrame(bytes, true);
  }

  private stepFrame(bytes: ArrayBuffer, isBinary: boolean): void {
    const slot: Slot = { frame: undefined, handle: undefined };
    this.slots.push(slot);
    let request: DecodedRequest | undefined;
    try {
      request = this.decode(new Uint8Array(bytes), isBinary);
      if (this.host.isDraining()) throw new HeadraceError("UNAVAILABLE", "the server is stopping");
      const { id } = request;
      slot.handle = this.host.service.infer(request, this.stateIdFor(), (error, outputs) => {
        this.settle(slot, error === undefined ? () => this.encode(outputs, isBinary, id) : error, id);
      });
    } catch (error) {
      this.settle(slot, toHeadraceError(error), request?.id);
    }
  }

  /** A model without state has no streams to keep apart. */
  private stateIdFor(): string | undefined {
    return this.host.inference.stateful ? this.stateId : undefined;
  }

  private decode(bytes: Uint8Array, isBinary: boolean): DecodedRequest {
    if (!isBinary) return decodeJsonInfer(utf8Text(bytes, "frame"));
    return this.request.raw === undefined ? decodeStreamRequest(bytes) : decodeRawInfer(bytes, this.request.raw);
  }

  private encode(outputs: readonly NamedTensor[], isBinary: boolean, id: string | undefined): Frame {
    if (isBinary && this.request.raw !== undefined) return encodeRawAnswer(outputs).slice();
    const response = { modelName: this.host.inference.name, modelVersion: "1", id, outputs };
    const message = encodeInferResponse(response, () => isBinary);
    return isBinary ? encodeStreamFrame(message) : utf8Text(message.header, "answer");
  }

  private settle(slot: Slot, outcome: HeadraceError | (() => Frame), id: string | undefined): void {
    if (this.socket === undefined) return;
    try {
      slot.frame = typeof outcome === "function" ? outcome() : encodeStreamError(outcome, id);
    } catch (error) {
      slot.frame = encodeStreamError(toHeadraceError(error), id);
    }
    this.moveReady();
    this.host.outbox.addLater(this);
  }

  /** Slots whose turn it is: raw frames before them have been answered, and so have the slots before them. */
  private moveReady(): void {
    if (this.rawPending > 0) return;
    let ready = 0;
    for (const { frame } of this.slots) {
      if (frame === undefined) break;
      this.out.push(frame);
      ready += 1;
    }
    if (ready > 0) this.slots.splice(0, ready);
  }

  /** A view over the engine's memory where the model has a single output that is preallocated, else a copy. */
  private rawAnswer(direct: DirectModel, request: number, code: number, batch: number, row: number): Frame {
    if (code !== OK) return encodeStreamError(direct.engine.errorFor(code, request));
    const { outputs } = direct;
    const single = outputs.length === 1 ? outputs[0] : undefined;
    if (single?.fixed) return direct.engine.outputBytes(batch, row, single.index);
    return this.joinOutputs(direct, request, batch, row);
  }

  private joinOutputs(direct: DirectModel, request: number, batch: number, row: number): Uint8Array {
    const { engine } = direct;
    const tensors = direct.outputs.map(({ index, datatype, fixed }) => {
      const { bytes, strings } = fixed
        ? { bytes: engine.outputBytes(batch, row, index), strings: undefined }
        : engine.readOutput(request, index);
      if (datatype === "BYTES") return { datatype, shape: [strings?.length ?? 0], data: strings ?? [] };
      if (bytes === undefined) throw bug("an output of numbers came as strings");
      // Only the bytes count in a raw answer, whatever they are.
      return {
        datatype: "UINT8" as const,
        shape: [bytes.byteLength],
        data: bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes),
      };
    });
    return encodeRawAnswer(tensors);
  }
}
