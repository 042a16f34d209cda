import type { Datatype } from "../datatype.js";
import { type Engine, OK, type StepSink, type StepTimes } from "../engine/engine.js";
import { NATIVE_CODES, StepFlags } from "../engine/surface.js";
import type { StepInfo } from "../engine/taps.js";
import { bug, type HeadraceError } from "../errors.js";
import { type RowOutput, rowBytes, rowCount, rowStrings, withoutAxis } from "./rows.js";

/** A tensor on its way into the engine: bytes, or strings for BYTES. Its shape has the batch axis. */
export interface StepTensor {
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly bytes?: Uint8Array;
  readonly strings?: readonly Uint8Array[];
}

export interface EngineStepOptions {
  /** From `engine.pin`, or NO_STATE. */
  readonly key: number;
  readonly flags: number;
  readonly timeoutMicros: number;
  /** Outputs and, with the hold flag, the new state stay until `release`. */
  readonly keep: boolean;
  /** Told to those who follow its state id. */
  readonly info?: StepInfo | undefined;
  /** A single row whose inputs went into the engine piece by piece: the request that `engine.begin` gave. */
  readonly begun?: number;
}

/**
 * One request to the engine of one or more rows, each a step of its own; done when all of them are. A row that fails ends
 * the others.
 */
export class EngineStep implements StepSink {
  private readonly rows: number;
  /** By row: -1 before its submission and after its failure. */
  private readonly requests: number[] = [];
  private readonly batches: number[] = [];
  private readonly slots: number[] = [];
  private open = 0;
  private submitting = true;
  private finished = false;
  private isTaken = false;
  private error: HeadraceError | undefined;

  /**
   * @param inputs In the engine's order.
   * @param done Called once, also where the submission fails, with the first error if there was one. Without `keep` the
   *   outputs can be read until it returns.
   */
  constructor(
    private readonly engine: Engine,
    private readonly inputs: readonly StepTensor[],
    private readonly options: EngineStepOptions,
    private readonly done: (step: EngineStep, error: HeadraceError | undefined) => void,
  ) {
    const [first] = engine.description.inputs;
    this.rows = first === undefined ? 1 : rowCount(inputs[0]?.shape ?? [], first.batchAxis);
  }

  get info(): StepInfo | undefined {
    return this.options.info;
  }

  /** Whether the engine counts the request: it took the last row, which stands for all. Else its failure is the caller's to count. */
  get isCounted(): boolean {
    return this.isTaken;
  }

  /** Where the last row spent its time; to be asked for while the outputs can be read. */
  get times(): StepTimes {
    return this.engine.timesOf(this.requests[this.rows - 1] ?? -1);
  }

  /** Whether `done` has been called. */
  get isFinished(): boolean {
    return this.finished;
  }

  submit(): void {
    for (let row = 0; row < this.rows && this.error === undefined; ++row) {
      const request = this.submitRow(row);
      this.requests[row] = request >= 0 ? request : -1;
      if (request >= 0) this.open += 1;
      else this.fail(this.engine.errorFor(request));
      this.isTaken = request >= 0 && row === this.rows - 1;
    }
    this.submitting = false;
    this.finishIfDone();
  }

  /**
   * Ends what has not completed, now: a run that is under way goes on, but its outcome is thrown away and the state stays
   * as it was.
   */
  cancel(code: "CANCELLED" | "DEADLINE_EXCEEDED"): void {
    for (const [row, request] of this.requests.entries()) {
      if (request < 0 || this.batches[row] !== undefined || !this.engine.cancel(request, code)) continue;
      this.requests[row] = -1;
      this.open -= 1;
      this.error ??= this.engine.errorFor(NATIVE_CODES.indexOf(code));
    }
    this.finishIfDone();
  }

  completed(request: number, code: number, batch: number, slot: number): boolean {
    const row = this.requests.indexOf(request);
    if (row < 0) return false; // it was cancelled while it ran, and has been answered
    this.open -= 1;
    if (code !== OK) {
      this.requests[row] = -1;
      this.fail(this.engine.errorFor(code, request));
      return false;
    }
    this.batches[row] = batch;
    this.slots[row] = slot;
    if (this.rows === 1 && !this.options.keep) {
      this.finished = true;
      this.done(this, this.error);
      return false;
    }
    // Not before this call has told the engine that the row is kept: finishing gives rows back.
    if (this.open === 0) queueMicrotask(() => this.finishIfDone());
    return true;
  }

  /** One output of every row; views over the engine's memory where it is preallocated. */
  output(index: number): RowOutput[] {
    const tensor = this.engine.description.outputs[index];
    if (tensor === undefined) throw bug(`output ${index} does not exist`);
    const rows: RowOutput[] = [];
    for (let row = 0; row < this.rows; ++row) {
      rows.push(
        tensor.fixed
          ? {
              shape: tensor.rowShape,
              bytes: this.engine.outputBytes(this.batches[row] ?? -1, this.slots[row] ?? -1, index),
            }
          : this.readDynamic(this.requests[row] ?? -1, index),
      );
    }
    return rows;
  }

  /** Gives the outputs back, and the new state its place where it was held and `commit` says so. */
  release(commit: boolean): void {
    for (const [row, request] of this.requests.entries()) {
      if (request >= 0 && this.batches[row] !== undefined) this.engine.release(request, commit);
      this.requests[row] = -1;
    }
  }

  private readDynamic(request: number, index: number): RowOutput {
    const { shape, bytes, strings } = this.engine.readOutput(request, index);
    return bytes === undefined ? { shape, strings: strings ?? [] } : { shape, bytes: new Uint8Array(bytes) };
  }

  private submitRow(row: number): number {
    const { engine, inputs, options } = this;
    const flags = row < this.rows - 1 ? options.flags | StepFlags.row : options.flags;
    if (options.begun !== undefined) {
      const code = engine.publish(this, options.begun);
      return code < 0 ? code : options.begun;
    }
    const { description } = engine;
    const fixed = engine.hasFixedInputs;
    const [only] = inputs;
    if (fixed && inputs.length === 1 && only?.bytes !== undefined) {
      const bytes = this.bytesOf(0, row);
      const { key, timeoutMicros } = options;
      return engine.submit(
        this,
        bytes.buffer as ArrayBuffer,
        bytes.byteOffset,
        bytes.byteLength,
        key,
        flags,
        timeoutMicros,
      );
    }
    const shapes = fixed
      ? undefined
      : inputs.map(({ shape }, i) => withoutAxis(shape, description.inputs[i]?.batchAxis ?? -1));
    const request = engine.begin(options.key, flags, options.timeoutMicros, shapes);
    if (request < 0) return request;
    for (const [index, input] of inputs.entries()) {
      const axis = description.inputs[index]?.batchAxis ?? -1;
      const code =
        input.strings === undefined
          ? engine.append(request, index, this.bytesOf(index, row))
          : engine.setStrings(request, index, rowStrings(input.strings, input.shape, axis, row));
      if (code === OK) continue;
      engine.abandon(request);
      return code;
    }
    const code = engine.publish(this, request);
    return code < 0 ? code : request;
  }

  private bytesOf(index: number, row: number): Uint8Array {
    const input = this.inputs[index];
    const axis = this.engine.description.inputs[index]?.batchAxis ?? -1;
    if (input?.bytes === undefined || input.datatype === "BYTES") throw bug("an input of numbers came as strings");
    return rowBytes(input.bytes, input.datatype, input.shape, axis, row);
  }

  private fail(error: HeadraceError): void {
    this.error ??= error;
    this.cancel("CANCELLED");
  }

  private finishIfDone(): void {
    if (this.open > 0 || this.submitting || this.finished) return;
    this.finished = true;
    this.done(this, this.error);
    if (!this.options.keep || this.error !== undefined) this.release(false);
  }
}
