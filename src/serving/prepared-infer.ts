/**
 * A request whose JSON header has come before, as a steady client's has with every step: all that follows from the header was
 * worked out once, so the tensor's bytes go straight into the engine, and the outputs into an answer that is otherwise the
 * same every time.
 */
import { NO_STATE, OK, type StepSink, type StepTimes } from "../engine/engine.js";
import type { StepInfo } from "../engine/taps.js";
import type { HeadraceError } from "../errors.js";
import type { EncodedMessage } from "../protocol/index.js";
import type { DirectModel, RestrictedInferenceProcess } from "../runtime/index.js";
import type { InferHandle, RequestHead } from "./infer-types.js";
import type { PreparedAnswer } from "./prepared-answer.js";

/** Who waits for the answer to a prepared request. */
export interface PreparedClient {
  /** Whether nobody waits any more. */
  readonly isOver: boolean;
  /** What to cancel when the client goes before its answer. */
  whenGone(work: InferHandle): void;
  /** The answer; its parts are views that are gone after this call. */
  message(message: EncodedMessage): void;
  error(error: HeadraceError): void;
  /** Where the request is traced: told what the engine knows of its step, before the answer. */
  readonly span?: { phases(times: StepTimes): void } | undefined;
}

export class PreparedInfer {
  /**
   * @param head  what the header says of the request
   * @param inputBytes  of the single input's one row
   */
  constructor(
    private readonly inference: RestrictedInferenceProcess,
    readonly direct: DirectModel,
    readonly head: Pick<RequestHead, "id" | "sequenceId" | "trace">,
    private readonly flags: number,
    private readonly inputBytes: number,
    private readonly answer: PreparedAnswer,
  ) {}

  /**
   * Steps with a request of this header, whose tensor is `bytes` from `offset` on, and answers it, or returns false: it has
   * other bytes than the header says.
   */
  run(client: PreparedClient, bytes: Uint8Array, offset: number, length = bytes.byteLength - offset): boolean {
    if (length !== this.inputBytes) return false;
    const { engine } = this.direct;
    const { sequenceId } = this.head;
    const key = sequenceId === undefined ? NO_STATE : engine.keyOf(sequenceId);
    const step = new PreparedStep(this, client);
    const at = bytes.byteOffset + offset;
    const request = engine.submit(step, bytes.buffer as ArrayBuffer, at, length, key, this.flags, 0);
    if (request >= 0) {
      step.submitted(request);
      return true;
    }
    const refusal = engine.errorFor(request);
    this.inference.refused(refusal.code);
    client.error(refusal);
    return true;
  }

  /** The message with the outputs of one row, which are views. */
  messageOf(batch: number, row: number): EncodedMessage {
    const { engine } = this.direct;
    return this.answer.message((index) => engine.outputBytes(batch, row, index));
  }
}

class PreparedStep implements StepSink {
  private request = -1;

  constructor(
    private readonly infer: PreparedInfer,
    private readonly client: PreparedClient,
  ) {}

  get info(): StepInfo {
    return this.infer.head;
  }

  submitted(request: number): void {
    this.request = request;
    this.client.whenGone(this);
  }

  completed(request: number, code: number, batch: number, row: number): boolean {
    this.request = -1;
    if (this.client.isOver) return false;
    if (code === OK) this.client.span?.phases(this.infer.direct.engine.timesOf(request));
    if (code === OK) this.client.message(this.infer.messageOf(batch, row));
    else this.client.error(this.infer.direct.engine.errorFor(code, request));
    return false;
  }

  /** The client has gone. */
  cancel(): void {
    if (this.request >= 0) this.infer.direct.engine.cancel(this.request, "CANCELLED");
  }
}
