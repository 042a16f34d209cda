/**
 * The addon, typed: an exact mirror of native/addon, no logic. Only load.ts, engine.ts, json.ts and src/transport talk to it.
 *
 * Hot functions take plain positional numbers and give back a number: an index at or above 0, or a negative code.
 */
import type { Datatype } from "../datatype.js";
import type { NativeServerClass } from "./server-surface.js";

/**
 * Bits of a step's flags; its priority goes in from bit 8. `row`: another row of the same request follows, and only the last
 * one is counted as a request. `inner`: part of a prediction that the submitter counts.
 */
export const StepFlags = { start: 1, end: 2, hold: 4, row: 8, inner: 16 } as const;
export const PRIORITY_SHIFT = 8;

/** By the numbers of headrace::Code in native/engine/status.h. */
export const NATIVE_CODES = [
  "OK",
  "INVALID_ARGUMENT",
  "PAYLOAD_TOO_LARGE",
  "NOT_FOUND",
  "MODEL_NOT_FOUND",
  "MODEL_INVALID",
  "RESOURCE_EXHAUSTED",
  "DEADLINE_EXCEEDED",
  "CANCELLED",
  "UNIMPLEMENTED",
  "UNAVAILABLE",
  "INTERNAL",
] as const;

/** A completion is four numbers in the record array: request, code, batch, row. */
export const RECORD_FIELDS = 4;
/** Written over a record's code: this request is not released with the rest of its drain. */
export const RECORD_KEPT = 0xffffffff;

export interface NativeModelConfig {
  path: string;
  constants: { input: string; value: bigint | number | boolean | string | ArrayBuffer }[];
  /** Undefined: pairs are recognised by their names. */
  state: { input: string; output: string; batchAxis?: number }[] | undefined;
  context: { input: string; size: number; axis?: number }[];
  shapes: { input: string; dims: number[] }[];
  maxBatch?: number;
  maxDelayMicros?: number;
  queueSize?: number;
  queueBytes?: number;
  execution?: "auto" | "inline" | "lanes";
  lanes?: number;
  intraOpThreads?: number;
  stateTtlMillis?: number;
  maxStates?: number;
  evict?: "refuse" | "lru";
}

/** A tensor of a loaded model. */
export interface TensorDescription {
  name: string;
  datatype: Datatype;
  /** As the model declares it; -1 is dynamic. */
  modelShape: number[];
  /** -1: none. */
  batchAxis: number;
  /** Of one step, without batch axis and context; -1 where steps may differ. */
  rowShape: number[];
  /** Whether `rowShape` is fully known and the elements have a size. */
  fixed: boolean;
  /** Bytes of one step's data; 0 unless fixed. */
  rowBytes: number;
}

/** What a model turned out to be when it was loaded: its tensors, its state, and how it is run. */
export interface ModelDescription {
  inputs: (TensorDescription & { context: number })[];
  outputs: TensorDescription[];
  states: (TensorDescription & { output: string })[];
  constants: string[];
  stateful: boolean;
  /** Bytes that one state id takes. */
  stateBytes: number;
  batchable: boolean;
  whyNotBatchable: string;
  maxBatch: number;
  execution: "inline" | "lanes";
  lanes: number;
  /** One run of so many rows, the median of several, in microseconds. */
  timings: { rows: number; micros: number }[];
}

/** Bucket i of a `Durations` has what took at most 2^i microseconds, and more than the one before it. */
export const DURATION_BOUNDS_MICROS: readonly number[] = Array.from({ length: 25 }, (_, i) => 2 ** i);

/** How long things took: `counts` by bucket, of which the last one has all that is longer, and their sum. */
export interface Durations {
  counts: bigint[];
  nanos: bigint;
}

/** The runs of one number of rows that succeeded; the times are sums. */
export interface RunTotals {
  runs: bigint;
  gatherNanos: bigint;
  runNanos: bigint;
  scatterNanos: bigint;
}

/**
 * What a model did since it was loaded. `succeeded` to `refused` count steps, which are rows; `queue` has their waits.
 * `gather`, `run` and `scatter` are of batches. `requests`, by code, and `request`, of those that succeeded, count what was
 * asked for, however many rows it had, without steps that were `inner`. `phases` is what the requests that succeeded spent
 * where, `inner` ones included. `waiting`, `running`, `stalledNanos`, `liveStates` and `stateBytes` are as of now.
 */
export interface NativeStats {
  succeeded: bigint;
  failed: bigint;
  cancelled: bigint;
  timedOut: bigint;
  refused: bigint;
  batches: bigint;
  dispatchedFull: bigint;
  dispatchedIdle: bigint;
  dispatchedDelay: bigint;
  /** Batches of several rows that the model refused, and that were run again in halves. */
  splits: bigint;
  queue: Durations;
  gather: Durations;
  run: Durations;
  scatter: Durations;
  requests: bigint[];
  request: Durations;
  failedRequestNanos: bigint;
  phases: { count: bigint; queueNanos: bigint; gatherNanos: bigint; runNanos: bigint; scatterNanos: bigint };
  /** Batches by their number of rows. */
  batchSizes: bigint[];
  /** By number of rows. */
  runs: RunTotals[];
  /** Milliseconds since 1970 when a run last succeeded; 0: never. */
  lastRunMillis: number;
  waiting: number;
  running: number;
  /** How long steps have been in the engine while no batch ended; 0 where there are none. */
  stalledNanos: number;
  liveStates: number;
  evictedStates: bigint;
  stateBytes: number;
}

/** Called once: with an error, or with what there is. */
export type NativeDone<Value> = (error: Error | undefined, value: Value) => void;

export interface NativeEngine {
  describe(): ModelDescription;
  records(): Uint32Array;
  submit(
    buffer: ArrayBuffer,
    offset: number,
    length: number,
    stateKey: number,
    flags: number,
    timeoutMicros: number,
  ): number;
  begin(stateKey: number, flags: number, timeoutMicros: number, shapes: number[][] | undefined): number;
  append(request: number, input: number, buffer: ArrayBuffer, offset: number, length: number): number;
  setStrings(request: number, input: number, strings: readonly Uint8Array[]): number;
  publish(request: number): number;
  abandon(request: number): void;
  cancel(request: number, code: number): boolean;
  kick(): void;
  runInline(budgetMicros: number): boolean;
  drain(): number;
  releaseDrained(): void;
  release(request: number, commit: boolean): void;
  outputBuffer(batch: number, output: number): ArrayBuffer;
  readOutput(request: number, output: number): { shape: number[]; bytes?: ArrayBuffer; strings?: Uint8Array[] };
  errorOf(request: number): string;
  pin(stateId: string): number;
  unpin(stateKey: number): void;
  dropState(stateKey: number): void;
  sweep(): string[];
  exportState(stateId: string): ArrayBuffer | number;
  importState(stateId: string, buffer: ArrayBuffer, offset: number, length: number): number;
  stats(): NativeStats;
  stalled(): number;
  timesOf(request: number): number[];
  reference(on: boolean): void;
  share(): number;
  setLanes(count: number, done: NativeDone<void>): void;
  close(drain: boolean, done: NativeDone<void>): void;
  letGo(): void;
}

/** By the numbers of headrace::json::Datatype in native/json/datatype.h. */
export const JSON_DATATYPES = {
  BOOL: 0,
  UINT8: 1,
  UINT16: 2,
  UINT32: 3,
  UINT64: 4,
  INT8: 5,
  INT16: 6,
  INT32: 7,
  INT64: 8,
  FP16: 9,
  FP32: 10,
  FP64: 11,
  BF16: 12,
} as const;

/** What the array of `NativeJson.status` says of the last `read`. */
export const JsonStatus = {
  /** Bytes of all tensors. */
  bytes: 0,
  tensors: 1,
  /** Whether there is a problem: 0 or 1. */
  hasProblem: 2,
  /** Whether the tensors are in other memory than `memory` gave last: 0 or 1. */
  hasMoved: 3,
} as const;

/** Reads V2 requests in JSON, one at a time, and writes tensors as JSON. */
export interface NativeJson {
  status(): Float64Array;
  read(buffer: ArrayBuffer, offset: number, length: number): string | undefined;
  memory(): ArrayBuffer;
  problem(): [path: string, message: string];
  write(
    datatype: number,
    buffer: ArrayBuffer,
    offset: number,
    count: number,
    out: ArrayBuffer,
    outOffset: number,
  ): number;
  writeStrings(strings: readonly Uint8Array[], out: ArrayBuffer, outOffset: number): number;
}

/** How inflating ended: the mirror of headrace::Inflated::Outcome in native/inflate/inflater.h. */
export const InflateOutcome = { whole: 0, tooLarge: 1, broken: 2, followed: 3 } as const;

export type NativeInflated =
  | { readonly outcome: typeof InflateOutcome.whole; readonly bytes: ArrayBuffer }
  | { readonly outcome: typeof InflateOutcome.tooLarge }
  /** In zlib's words. */
  | { readonly outcome: typeof InflateOutcome.broken; readonly reason: string }
  /** How many bytes are behind the end of what was packed. */
  | { readonly outcome: typeof InflateOutcome.followed; readonly leftOver: number };

export interface Addon {
  NativeJson: new () => NativeJson;
  NativeServer: NativeServerClass;
  openOnnxRuntime(libraryPath: string): string;
  /** What a step's code means to whoever submitted it; `detail` is what the model said, or "". */
  stepErrorMessage(code: number, detail: string): string;
  /** Inflates gzip, or deflate in the zlib format, to at most `limit` bytes, on this thread. Throws RESOURCE_EXHAUSTED where memory is short. */
  inflateNow(buffer: ArrayBuffer, offset: number, length: number, isGzip: boolean, limit: number): NativeInflated;
  /** The same on another thread. The bytes must not change until then. */
  inflate(
    buffer: ArrayBuffer,
    offset: number,
    length: number,
    isGzip: boolean,
    limit: number,
    done: NativeDone<NativeInflated>,
  ): void;
  load(config: NativeModelConfig, onWake: () => void, done: NativeDone<NativeEngine>): void;
  attach(token: number, onWake: () => void): NativeEngine;
}
