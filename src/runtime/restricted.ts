import type { NativeStats } from "../engine/surface.js";
import type { StepInfo } from "../engine/taps.js";
import type { ErrorCode } from "../errors.js";
import type { Types } from "../types/index.js";
import type { DirectModel } from "./direct-model.js";
import type { DriverMetric } from "./driver.js";
import type { DriverStatus } from "./driver-process.js";
import type { RepositoryControl } from "./repository.js";
import type { RequestStatistics } from "./request-counters.js";
import type { RequestPolicy } from "./request-policy.js";
import type { StepListener } from "./step-taps.js";

/** How one prediction is made. */
export interface PredictOptions {
  /** The stream that this step belongs to. Default: none, the prediction runs on a fresh state that is dropped afterwards. */
  stateId?: string;
  /** Begin from the initial state. Default: false. */
  start?: boolean;
  /** Free the state afterwards. Default: false. */
  end?: boolean;
  /** Milliseconds until DEADLINE_EXCEEDED; the state is then as it was. Default: none. */
  timeoutMs?: number;
  /** Ends the prediction as CANCELLED; the state is then as it was. */
  signal?: AbortSignal;
  /** 1 is the highest, 255 the lowest. Default: 0, which ranks as 128. */
  priority?: number;
}

/** A prediction under way. */
export interface Prediction {
  readonly outputs: Promise<Readonly<Record<string, unknown>>>;
  /** Ends it as CANCELLED; the state is then as it was. Does nothing where it has ended. */
  cancel(): void;
}

/** A driver of a process, as monitoring sees it. */
export interface DriverReport {
  readonly ref: string;
  readonly status: DriverStatus;
  readonly metrics: readonly DriverMetric[];
}

/** What a driver may do with an inference process: predict and read the interface, not stop or reconfigure it. */
export interface RestrictedInferenceProcess {
  /** The pipeline's name; the name of the model on the wire. */
  readonly name: string;
  /** A positive integer in digits. */
  readonly version: string;
  readonly inputs: Types;
  readonly outputs: Types;
  readonly stateful: boolean;
  /** What becomes of timeouts and priorities that clients ask for: `timeoutOf`, `priorityOf`. */
  readonly requestPolicy: RequestPolicy;
  /** What V2's model configuration says beyond what follows from the pipeline. */
  readonly modelConfig: Readonly<Record<string, unknown>>;
  /** Where the pipeline is one ONNX cell: the way past JavaScript values. */
  readonly direct: DirectModel | undefined;
  /** One prediction, as `InferenceProcess.predict`, also while the process is stopping: a driver may finish what it took. */
  predict(
    inputs: Readonly<Record<string, unknown>>,
    options?: PredictOptions,
  ): Promise<Readonly<Record<string, unknown>>>;
  /**
   * Like `predict`, for many predictions that rarely are given up: cheaper than a signal for each.
   * @param info What is told to those who follow the state id.
   */
  begin(inputs: Readonly<Record<string, unknown>>, options?: PredictOptions, info?: StepInfo): Prediction;
  /**
   * Follows a state id: calls `listener` with the results of its steps, whoever makes them, in their order, from those on that are
   * submitted after this call. Returns how to stop that. Throws INVALID_ARGUMENT where the pipeline has no state.
   */
  subscribe(stateId: string, listener: StepListener): () => void;
  /** Calls `listener` for each state that was evicted, not those ended on request. Returns how to stop that. */
  onEvict(listener: (stateId: string, reason: "ttl" | "lru") => void): () => void;
  /** Frees the state of a stream that is over: now, or after its steps that are under way. */
  dropState(stateId: string): void;
  /** What loads and unloads models, where the runtime has been given one. */
  readonly repository: RepositoryControl | undefined;
  /** Counters of each ONNX cell, by its ref. */
  stats(): Readonly<Record<string, NativeStats>>;
  /** How the requests of the process ended and how long they took, whichever driver they came through. */
  requests(): RequestStatistics;
  /** Counts a request that failed before it came to `predict`, `begin` or the engine: its tensors could not be read, for example. */
  refused(code: ErrorCode): void;
  /** States of function cells: how many there are, and how many were evicted. */
  functionStates(): { readonly live: number; readonly evicted: number };
  /**
   * Whether its models get on: false while one of them has steps and none of its batches has ended for `stallSeconds` of the
   * Inference. It is true again as soon as one does.
   */
  isProgressing(): boolean;
  /** The drivers of the process, as they are now. */
  drivers(): readonly DriverReport[];
}
