/**
 * The steps of one state id on a WebSocket.
 *
 * A raw frame of a direct model with state takes the short way: its bytes go from the socket's buffer into the engine, this
 * object is the sink of the step, and its answer is a view over the engine's memory, good until the round of outcomes ends.
 * Steps of one state id complete in order, so nothing needs to be queued.
 */
import { NO_STATE, OK, type StepSink } from "../../engine/engine.js";
import type { StepInfo } from "../../engine/taps.js";
import { bug, toHeadraceError } from "../../errors.js";
import { encodeRawAnswer, encodeStreamError, type TraceContext } from "../../protocol/index.js";
import type { DirectModel, RestrictedInferenceProcess } from "../../runtime/index.js";
import type { AnswerLane, Frame } from "./answers.js";

/** The connection of a stream. */
export interface StreamOwner {
  /** Whether somebody is left to read answers. */
  isOpen(): boolean;
  /** The answer to a step that went the short way, to be written before the round of outcomes ends. */
  answered(stream: Stream, frame: Frame): void;
}

/** Which stream it is. */
export interface StreamNames {
  readonly stateId: string;
  /** Whether nobody else can name its state, so that it ends with the stream. */
  readonly ownsState: boolean;
  /** Which of the connection's streams, where it has several. */
  readonly number: number | undefined;
  /** The trace of all its steps. */
  readonly trace: TraceContext | undefined;
}

export class Stream implements StepSink {
  /** Steps on the short way that have no answer yet. */
  private pending = 0;
  /** Where raw frames take the short way. */
  private readonly direct: DirectModel | undefined;
  private readonly key: number;

  /** @param lane  where its answers take their turn */
  constructor(
    private readonly owner: StreamOwner,
    private readonly inference: RestrictedInferenceProcess,
    private readonly names: StreamNames,
    readonly lane: AnswerLane,
  ) {
    const { direct, stateful } = inference;
    const [input, ...others] = direct?.inputs ?? [];
    // Without state nothing keeps the steps of a connection in order, and the bytes of a BOOL have to be looked at.
    const isShort = stateful && input?.fixed && input.datatype !== "BOOL" && others.length === 0;
    this.direct = isShort ? direct : undefined;
    this.key = direct === undefined || !stateful ? NO_STATE : direct.engine.pin(names.stateId);
  }

  get stateId(): string {
    return this.names.stateId;
  }

  get number(): number | undefined {
    return this.names.number;
  }

  get trace(): TraceContext | undefined {
    return this.names.trace;
  }

  get info(): StepInfo {
    return this.names;
  }

  /** Submits the bytes of a raw frame from `offset`; false: they have to go the long way, which also says what is wrong. */
  step(bytes: Uint8Array, offset: number): boolean {
    const { buffer, byteOffset, byteLength } = bytes;
    const from = byteOffset + offset;
    const request = this.direct?.engine.submit(this, buffer as ArrayBuffer, from, byteLength - offset, this.key, 0, 0);
    if (request === undefined || request < 0) return false;
    this.pending += 1;
    return true;
  }

  /** Whether a step on the short way has no answer yet. */
  get isWaiting(): boolean {
    return this.pending > 0;
  }

  /** The engine's answer to a step that went the short way. */
  completed(request: number, code: number, batch: number, row: number): boolean {
    this.pending -= 1;
    const { direct } = this;
    if (direct === undefined || !this.owner.isOpen()) return false;
    this.owner.answered(this, this.answer(direct, request, code, batch, row));
    return false;
  }

  /** No more steps; those under way are answered. Frees the state after them, if asked to, or if it was its own. */
  end(dropsState = false): void {
    if (dropsState || this.names.ownsState) this.inference.dropState(this.stateId);
    if (this.key !== NO_STATE) this.inference.direct?.engine.unpin(this.key);
  }

  private answer(direct: DirectModel, request: number, code: number, batch: number, row: number): Frame {
    try {
      if (code !== OK) throw direct.engine.errorFor(code, request);
      const { outputs } = direct;
      const single = outputs.length === 1 ? outputs[0] : undefined;
      // A view where the model has a single output that is preallocated, else a copy.
      if (single?.fixed) return direct.engine.outputBytes(batch, row, single.index);
      return joinOutputs(direct, request, batch, row);
    } catch (error) {
      return encodeStreamError(toHeadraceError(error), { stream: this.number });
    }
  }
}

function joinOutputs(direct: DirectModel, request: number, batch: number, row: number): Uint8Array {
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
