/**
 * What `headrace bench` writes: the types of schema/bench-result.schema.json, one interface for each of its definitions.
 * Times of steps are microseconds, rates are steps a second. A test holds types and schema to each other.
 */

export interface BenchResult {
  /** The version of this format. */
  readonly schemaVersion: 1;
  readonly tool: ToolVersion;
  /** When the first case began, ISO 8601 in UTC. */
  readonly startedAt: string;
  readonly machine: BenchMachine;
  readonly target: BenchTarget;
  /** The command line that wrote this, program first, so that somebody else can repeat it. */
  readonly command: readonly string[];
  /** Every option that was used, those left at their default too. */
  readonly method: JsonObject;
  readonly cases: readonly BenchCase[];
}

export interface ToolVersion {
  readonly name: string;
  readonly version: string;
}

/** Where the figures come from; without it they mean little. */
export interface BenchMachine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** Kernel, release and architecture. */
  readonly os: string;
  readonly node: string;
  readonly onnxruntime?: string;
  /** The CPU frequency governor, where the kernel tells. */
  readonly governor?: string;
  /** The load average of the last minute before the first case; above 0 somebody else was busy. */
  readonly loadAverage?: number;
  /** The commit of the checkout, marked when the tree differs from it. */
  readonly commit?: string;
}

export interface BenchTarget {
  readonly kind: TargetKind;
  /** As it was given: a path or a URL. */
  readonly name: string;
  /** The name of the model that was measured. */
  readonly model: string;
  /** What a server at a URL says that it is. */
  readonly server?: ToolVersion;
  /** Of a model file, in lower-case hexadecimal. */
  readonly sha256?: string;
  readonly stateful?: boolean;
  /** How the model was set up: batching, execution, lanes. */
  readonly options?: JsonObject;
}

export type TargetKind = "model" | "module" | "url";

/** One point of a sweep: a protocol under a load. */
export interface BenchCase {
  /** Unique within the result; `bench compare` matches by it. */
  readonly name: string;
  readonly protocol: BenchProtocol;
  readonly mode: BenchMode;
  readonly load: BenchLoad;
  readonly repetitions: readonly Repetition[];
  readonly summary: CaseSummary;
}

/** `engine` is the model in the generator's own process, without a network. */
export type BenchProtocol = "engine" | "http-binary" | "http-json" | "ws-raw" | "ws-binary" | "grpc";

/** Closed: so many requests in flight. Open: requests at a rate, answered or not. Streams: open, at each stream's cadence. */
export type BenchMode = "closed" | "open" | "streams";

export interface BenchLoad {
  /** Closed: requests in flight. */
  readonly concurrency?: number;
  /** Open: requests a second. */
  readonly ratePerSecond?: number;
  readonly arrival?: Arrival;
  readonly streams?: number;
  /** Of each stream, e.g. 31.25 for audio in frames of 32 ms. */
  readonly framesPerSecond?: number;
}

export type Arrival = "constant" | "poisson";

/** One measurement of a case, in fresh processes. */
export interface Repetition {
  /** How long was measured, warm-up excluded. */
  readonly seconds: number;
  /** Answered without an error. */
  readonly requests: number;
  readonly errors: number;
  readonly firstError?: string;
  /** Sent, or due to be sent, and not answered when the measurement ended. */
  readonly unfinished: number;
  readonly ratePerSecond: number;
  /** What the schedule asked for (open and streams). */
  readonly offeredPerSecond?: number;
  /** Whether the last windows agree with each other within what `method` says. */
  readonly stable: boolean;
  readonly windows: readonly RateWindow[];
  readonly generator: GeneratorLoad;
  readonly server?: ServerLoad;
  /** From when a step was due to be sent until its answer. */
  readonly latency: LatencySummary;
  /** From when it was in fact sent: what remains once the generator's own lateness is taken off. */
  readonly service: LatencySummary;
  readonly phases?: PhaseTimes;
  readonly batchSizes?: readonly BatchSize[];
}

export interface RateWindow {
  readonly ratePerSecond: number;
  readonly p99Micros: number;
}

export interface GeneratorLoad {
  /** Of one core; near 1 the generator may be what was measured. */
  readonly busyFraction: number;
  readonly saturated: boolean;
}

export interface ServerLoad {
  /** Of one core: 2 is two busy cores. */
  readonly cpuFraction: number;
}

/** Microseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly mean: number;
  /** Buckets that are not empty, in ascending order. */
  readonly histogram: readonly HistogramBucket[];
}

/** The upper bound in microseconds, and how many steps fell into the bucket. */
export type HistogramBucket = readonly [upperMicros: number, count: number];

/** Mean microseconds of a step in each phase inside the server. */
export interface PhaseTimes {
  /** Waiting for the model, or for a batch to form. */
  readonly queue: number;
  /** Copying inputs and states into the batch. */
  readonly gather: number;
  /** The model itself, for the whole batch. */
  readonly run: number;
  /** Copying outputs and states out of the batch. */
  readonly scatter: number;
}

/** How many runs had how many rows. */
export type BatchSize = readonly [rows: number, runs: number];

export interface CaseSummary {
  readonly ratePerSecond: RateSummary;
  readonly latencyMicros: LatencyMedians;
  /** Over all repetitions. */
  readonly errors: number;
  /** Over all repetitions. */
  readonly unfinished: number;
  /** Whether every repetition was. */
  readonly stable: boolean;
  /** Whether the generator was the limit at least once: rates are then lower bounds. */
  readonly saturated: boolean;
}

export interface RateSummary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Each the median over repetitions, microseconds. */
export interface LatencyMedians {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export type JsonObject = { readonly [key: string]: JsonValue };

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
