/** What `headrace bench` is asked for, by the command line or by `headrace tune`. */
import type { Pipeline } from "../pipeline/index.js";
import type { Arrival, BenchProtocol } from "./result.js";

export const PROTOCOLS = ["engine", "http-binary", "http-json", "ws-raw", "ws-binary", "grpc"] as const;

/** One load of a sweep. */
export type LoadPlan =
  | { readonly mode: "closed"; readonly concurrency: number }
  | { readonly mode: "open"; readonly ratePerSecond: number; readonly arrival: Arrival }
  | { readonly mode: "streams"; readonly streams: number; readonly framesPerSecond: number };

/** Seconds. */
export interface BenchTiming {
  /** Before anything counts. Default 1. */
  readonly warmup: number;
  /** Measured in any case. Default 3. */
  readonly atLeast: number;
  /** Measured where the windows do not become stable. Default 10. */
  readonly atMost: number;
  /** One window of the stability criterion. Default 1. */
  readonly window: number;
  /** How long answers are waited for in the end; what is missing then is unfinished. Default 2. */
  readonly lastAnswers: number;
}

/** Steps of a sequence, both included; each sequence draws its own number. */
export interface SequenceLength {
  readonly min: number;
  readonly max: number;
}

/** CPU lists as taskset takes them, such as `0` or `0,2-3`. */
export interface CorePlan {
  readonly server?: string;
  readonly generator?: string;
}

/**
 * ```ts
 * const result = await runBench({ ...DEFAULTS, target: "gru.onnx", loads: [{ mode: "closed", concurrency: 16 }] });
 * ```
 */
export interface BenchOptions {
  /** A model file, a module, or the URL of a V2 server: http:, ws: or grpc:. */
  readonly target: string;
  /** Default: all that the target has. */
  readonly protocols?: readonly BenchProtocol[];
  readonly loads: readonly LoadPlan[];
  readonly timing: BenchTiming;
  /** Each in fresh processes. Default 3. */
  readonly repetitions: number;
  /** The model at a URL. Default: the only one that is there. */
  readonly model?: string;
  /** Further arguments of `headrace serve`, for a model file: how it is batched and run. */
  readonly serveArguments: readonly string[];
  /** How many connections share the requests in flight. Default: by protocol. */
  readonly connections?: number;
  /** Open loop: the most requests in flight; further ones wait in the generator. Default 256. */
  readonly maxInFlight: number;
  /** Of stateful models. Default: sequences that never end. */
  readonly sequenceLength?: SequenceLength;
  /** Whether requests belong to sequences. Default: as the model says. */
  readonly stateful?: boolean;
  /** Rows of a request, for models without state. Default 1. */
  readonly rows: number;
  /** Files with the data of inputs, by input: .npy, or raw little-endian bytes. Default: random by type. */
  readonly inputFiles: Readonly<Record<string, string>>;
  /** Shapes of inputs that the model leaves open, without rows, by input. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** Sent with every request, such as `authorization: Bearer …`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly seed: number;
  /** Default: server and generator each on one of their own, where there are several. `false`: wherever the kernel likes. */
  readonly cores?: CorePlan | false;
  /** The target as a pipeline, where it is a model or a module: the engine alone can be measured of it. */
  readonly pipeline?: () => Promise<Pipeline>;
  /** As it goes into the result. */
  readonly command: readonly string[];
}

export const DEFAULTS: Omit<BenchOptions, "target"> = {
  loads: [1, 16, 256].map((concurrency) => ({ mode: "closed", concurrency })),
  timing: { warmup: 1, atLeast: 3, atMost: 10, window: 1, lastAnswers: 2 },
  repetitions: 3,
  serveArguments: [],
  maxInFlight: 256,
  rows: 1,
  inputFiles: {},
  shapes: {},
  headers: {},
  seed: 1,
  command: [],
};

/** Hears what is under way, for whoever waits. */
export interface BenchProgress {
  /** A measurement begins: the `index`-th (from 0) of `total`. */
  begin(what: { readonly name: string; readonly index: number; readonly total: number }): void;
  /** A window of it has ended. */
  window(ratePerSecond: number, p99Micros: number): void;
}
