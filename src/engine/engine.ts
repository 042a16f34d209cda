/**
 * One loaded model as TypeScript uses it: steps go in as bytes, outcomes come back to sinks, batch by batch.
 *
 * Steps submitted during one turn of the event loop reach the engine together, with one kick at its end; outcomes that
 * are ready together are handed out together, with one wake-up. Nothing here allocates per step.
 */
import type { HeadraceError } from "../errors.js";
import { addon } from "./load.js";
import { fromNative, fromNativeDone, stateError, stepError } from "./native-errors.js";
import { OutputViews } from "./output-views.js";
import { StateKeys } from "./state-keys.js";
import {
  type ModelDescription,
  NATIVE_CODES,
  type NativeEngine,
  type NativeModelConfig,
  type NativeStats,
  RECORD_FIELDS,
  RECORD_KEPT,
} from "./surface.js";
import { type StepInfo, type StepTap, StepTaps } from "./taps.js";

/**
 * How long one kick may run a tiny model on the JavaScript thread before sockets get their turn, in microseconds. Each turn
 * costs every busy socket a read and a write, so less of it is throughput lost, and more is latency.
 */
const INLINE_BUDGET_MICROS = 5000;
/** Never a key: the step has no state id. */
export const NO_STATE = -1;
/** Code of a step that has outputs. */
export const OK = 0;

/** Where the outcome of a step goes. */
export interface StepSink {
  /** Of all its steps; for those who follow their state id. */
  readonly info?: StepInfo | undefined;
  /**
   * Called once for each submitted step. Where `code` is OK the outputs can be read until the call returns, or, where
   * it returns true, until `release(request)`.
   */
  completed(request: number, code: number, batch: number, row: number): boolean;
}

/** The phases of one step, in nanoseconds: its wait, then those of the batch that it was a row of. */
export interface StepTimes {
  readonly queue: number;
  readonly gather: number;
  readonly run: number;
  readonly scatter: number;
  readonly rows: number;
}

export class Engine {
  readonly description: ModelDescription;
  /** Whether every step's inputs have the same, known shapes. */
  readonly hasFixedInputs: boolean;
  private readonly native: NativeEngine;
  private readonly records: Uint32Array;
  private readonly sinks: (StepSink | undefined)[] = [];
  private readonly views: OutputViews;
  private readonly flushers: (() => void)[] = [];
  private readonly keys: StateKeys;
  private readonly taps = new StepTaps();
  private inline: boolean;
  private outstanding = 0;
  private lastStats: NativeStats | undefined;
  private closing: Promise<void> | undefined;
  private kickPending = false;
  private readonly turn = (): void => this.endOfTurn();

  private constructor(native: NativeEngine) {
    this.native = native;
    this.description = native.describe();
    this.hasFixedInputs = this.description.inputs.every(({ fixed }) => fixed);
    this.records = native.records();
    this.views = new OutputViews(native, this.description);
    this.keys = new StateKeys(native);
    this.inline = this.description.execution === "inline";
  }

  /** Loads a model. Throws HeadraceError: NATIVE_UNAVAILABLE, MODEL_NOT_FOUND, MODEL_INVALID, UNIMPLEMENTED. */
  static async load(config: NativeModelConfig): Promise<Engine> {
    let engine: Engine | undefined;
    const wake = (): void => engine?.drain();
    engine = new Engine(await fromNativeDone<NativeEngine>((done) => addon().load(config, wake, done)));
    return engine;
  }

  /** The same engine from another thread of this process; `token` comes from `share()` there. */
  static attach(token: number): Engine {
    let engine: Engine | undefined;
    try {
      engine = new Engine(addon().attach(token, () => engine?.drain()));
      return engine;
    } catch (error) {
      throw fromNative(error);
    }
  }

  share(): number {
    return this.native.share();
  }

  /** Calls `flush` after each round of outcomes, while their outputs are still readable. Returns how to stop that. */
  onFlush(flush: () => void): () => void {
    this.flushers.push(flush);
    return () => {
      const at = this.flushers.indexOf(flush);
      if (at >= 0) this.flushers.splice(at, 1);
    };
  }

  /**
   * A whole step of a model with a single input of fixed shape, copied before this returns.
   * @returns the request, or a negative code: then nothing was taken.
   */
  submit(
    sink: StepSink,
    bytes: ArrayBuffer,
    offset: number,
    length: number,
    key: number,
    flags: number,
    timeoutMicros: number,
  ): number {
    const request = this.native.submit(bytes, offset, length, key, flags, timeoutMicros);
    if (request >= 0) {
      this.taps.stepSubmitted(request, key, flags, sink.info);
      this.expect(sink, request);
    }
    return request;
  }

  /** Begins a step whose inputs come one by one or in pieces. `shapes` where the model leaves dimensions open. */
  begin(key: number, flags: number, timeoutMicros: number, shapes?: number[][]): number {
    const request = this.native.begin(key, flags, timeoutMicros, shapes);
    if (request >= 0) this.taps.stepBegun(request, key, flags);
    return request;
  }

  /** The next bytes of an input of a step that was begun, copied before this returns. A negative code or 0. */
  append(request: number, input: number, bytes: Uint8Array): number {
    return -this.native.append(request, input, bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  }

  setStrings(request: number, input: number, strings: readonly Uint8Array[]): number {
    return -this.native.setStrings(request, input, strings);
  }

  /** Submits a step whose inputs are complete. On a negative code the request is gone. */
  publish(sink: StepSink, request: number): number {
    const code = this.native.publish(request);
    this.taps.stepPublished(request, code === OK, sink.info);
    if (code === OK) this.expect(sink, request);
    return -code;
  }

  /** Gives up a step before it was published. */
  abandon(request: number): void {
    this.taps.stepAbandoned(request);
    this.native.abandon(request);
  }

  /** Asks that a step end as CANCELLED or DEADLINE_EXCEEDED with its state untouched; false: too late, it has completed. */
  cancel(request: number, code: "CANCELLED" | "DEADLINE_EXCEEDED"): boolean {
    const cancelled = this.native.cancel(request, NATIVE_CODES.indexOf(code));
    // Its completion, and perhaps a successor that may run now, wait for a turn.
    this.scheduleKick();
    return cancelled;
  }

  /** Cancels everything that these sinks still wait for. They hear of each once more. */
  cancelAll(sinks: ReadonlySet<StepSink>): void {
    if (sinks.size === 0) return;
    for (const [request, waiting] of this.sinks.entries()) {
      if (waiting !== undefined && sinks.has(waiting)) this.cancel(request, "CANCELLED");
    }
  }

  /** Gives a kept step's outputs back; `commit` keeps the new state of a step that was submitted with `hold`. */
  release(request: number, commit: boolean): void {
    this.native.release(request, commit);
    this.scheduleKick();
  }

  /** The bytes of a preallocated output of one step: the same view object every time, valid as the outputs are. */
  outputBytes(batch: number, row: number, output: number): Uint8Array {
    return this.views.of(batch, row, output);
  }

  /** An output of any kind, copied. */
  readOutput(request: number, output: number): { shape: number[]; bytes?: ArrayBuffer; strings?: Uint8Array[] } {
    return this.native.readOutput(request, output);
  }

  /** The error that a step's negative or completion code stands for. */
  errorFor(code: number, request?: number): HeadraceError {
    const detail = request === undefined ? "" : this.native.errorOf(request);
    return stepError(code, addon().stepErrorMessage(Math.abs(code), detail));
  }

  /** A key for a state id, valid until `unpin`. */
  pin(stateId: string): number {
    return this.native.pin(stateId);
  }

  unpin(key: number): void {
    this.native.unpin(key);
  }

  /** A key for a state id, for one submission before the event loop's next turn; NO_STATE where the model keeps none. */
  keyOf(stateId: string): number {
    return this.description.stateful ? this.keys.of(stateId) : NO_STATE;
  }

  /**
   * Follows the steps of a key that are submitted from now on. At most one tap for each key, which must stay pinned until the
   * returned function has ended it; steps that are under way then are still followed.
   */
  tap(key: number, tap: StepTap): () => void {
    return this.taps.add(key, tap);
  }

  /** Tells which keys are followed: those that are, and each change. Returns how to stop that. */
  onTap(listener: (key: number, on: boolean) => void): () => void {
    return this.taps.onChange(listener);
  }

  /** A step of a key was submitted and has ended without passing here; see `StepTap`. */
  steppedElsewhere(key: number, outputs: Uint8Array | undefined): void {
    this.taps.of(key)?.steppedElsewhere(outputs);
  }

  /** Frees the state behind a key: now, or after the steps that are under way. */
  dropState(key: number): void {
    this.native.dropState(key);
  }

  /** Evicts expired states; what was evicted since the last call. */
  sweep(): { stateId: string; reason: "ttl" | "lru" }[] {
    const flat = this.native.sweep();
    const evicted: { stateId: string; reason: "ttl" | "lru" }[] = [];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      evicted.push({ stateId: flat[i] ?? "", reason: flat[i + 1] === "lru" ? "lru" : "ttl" });
    }
    return evicted;
  }

  exportState(stateId: string): Uint8Array {
    const result = this.native.exportState(stateId);
    if (typeof result !== "number") return new Uint8Array(result);
    throw stateError(result, stateId);
  }

  importState(stateId: string, state: Uint8Array): void {
    const code = this.native.importState(stateId, state.buffer as ArrayBuffer, state.byteOffset, state.byteLength);
    if (code !== OK) throw stateError(code, stateId);
  }

  /**
   * Changes how many batches may run at the same time; one replica of a model that was found to be tiny runs on this thread.
   * Throws HeadraceError: UNAVAILABLE, RESOURCE_EXHAUSTED.
   */
  async setReplicas(replicas: number): Promise<void> {
    const lanes = replicas === 1 && this.description.execution === "inline" ? 0 : replicas;
    if (lanes === 0) this.inline = true;
    await fromNativeDone<void>((done) => this.native.setLanes(lanes, done));
    this.inline = lanes === 0;
    // Whatever was queued for the others.
    this.scheduleKick();
  }

  /** For how long steps have been in the engine while no batch ended, in nanoseconds; 0 where there are none. */
  stalledNanos(): number {
    return this.lastStats === undefined ? this.native.stalled() : 0;
  }

  /**
   * Where a step that succeeded spent its time, in nanoseconds, and how many rows its batch had. To be asked for as its outputs
   * are.
   */
  timesOf(request: number): StepTimes {
    const [queue = 0, gather = 0, run = 0, scatter = 0, rows = 0] = this.native.timesOf(request);
    return { queue, gather, run, scatter, rows };
  }

  /** Counters; after `close` the last ones. */
  stats(): NativeStats {
    return this.lastStats ?? this.native.stats();
  }

  /** Refuses new steps, then finishes (`drain`) or cancels what is queued, and ends the engine's threads. Once. */
  close(drain: boolean): Promise<void> {
    this.closing ??= this.shutDown(drain);
    return this.closing;
  }

  private async shutDown(drain: boolean): Promise<void> {
    await fromNativeDone<void>((done) => this.native.close(drain, done));
    this.drain();
    this.lastStats = this.native.stats();
    // The model's memory goes now, not when this object is collected.
    this.native.letGo();
  }

  private expect(sink: StepSink, request: number): void {
    this.sinks[request] = sink;
    if (this.outstanding++ === 0) this.native.reference(true);
    if (!this.kickPending) this.scheduleKick();
  }

  private scheduleKick(): void {
    if (this.kickPending) return;
    this.kickPending = true;
    setImmediate(this.turn);
  }

  private endOfTurn(): void {
    this.kickPending = false;
    if (this.lastStats !== undefined) return; // closed
    if (this.inline) {
      const more = this.native.runInline(INLINE_BUDGET_MICROS);
      this.drain();
      if (more) this.scheduleKick();
    } else {
      this.native.kick();
    }
  }

  private drain(): void {
    for (let count = this.native.drain(); count > 0; count = this.native.drain()) {
      for (let i = 0; i < count; ++i) this.handOut(i * RECORD_FIELDS);
      for (const flush of this.flushers) flush();
      this.native.releaseDrained();
      this.outstanding -= count;
    }
    if (this.outstanding === 0) this.native.reference(false);
  }

  private handOut(at: number): void {
    const { records } = this;
    const request = records[at] as number;
    const sink = this.sinks[request];
    const code = records[at + 1] as number;
    this.sinks[request] = undefined;
    try {
      if (sink?.completed(request, code, records[at + 2] as number, records[at + 3] as number)) {
        records[at + 1] = RECORD_KEPT;
      }
    } catch (error) {
      // One sink's failure must not cost the others of its batch their answers.
      queueMicrotask(() => {
        throw error;
      });
    }
    this.taps.stepCompleted(request, code === OK, records[at + 2] as number, records[at + 3] as number);
  }
}
