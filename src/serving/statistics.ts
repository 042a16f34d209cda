/** V2 statistics of a model, the same for every transport. Counters are 64 bits wide and never rounded. */
import type { ErrorCode } from "../errors.js";
import type { RequestStatistics, RestrictedInferenceProcess } from "../runtime/index.js";

/** A number of times, and how long they took together. */
export interface V2Duration {
  readonly count: bigint;
  readonly ns: bigint;
}

/** What the requests of a model spent where; each request that succeeded is in `queue` and all of `compute_…` once. */
export interface V2InferStatistics {
  readonly success: V2Duration;
  readonly fail: V2Duration;
  readonly queue: V2Duration;
  readonly compute_input: V2Duration;
  readonly compute_infer: V2Duration;
  readonly compute_output: V2Duration;
  /** There is no cache: always 0. */
  readonly cache_hit: V2Duration;
  readonly cache_miss: V2Duration;
}

/** The runs of one number of rows. */
export interface V2BatchStatistics {
  readonly batch_size: bigint;
  readonly compute_input: V2Duration;
  readonly compute_infer: V2Duration;
  readonly compute_output: V2Duration;
}

export interface V2ModelStatistics {
  readonly name: string;
  readonly version: string;
  /** Milliseconds since 1970; 0: never. */
  readonly last_inference: bigint;
  /** Rows that gave outputs. */
  readonly inference_count: bigint;
  /** Runs of the model that they took. */
  readonly execution_count: bigint;
  readonly inference_stats: V2InferStatistics;
  readonly batch_stats: readonly V2BatchStatistics[];
}

const NEVER: V2Duration = { count: 0n, ns: 0n };

export function modelStatistics({ name, version, requests }: RestrictedInferenceProcess): V2ModelStatistics {
  const statistics = requests();
  const { runs } = statistics;
  return {
    name,
    version,
    last_inference: BigInt(statistics.lastMillis),
    inference_count: statistics.inferences,
    execution_count: runs.reduce((sum, run) => sum + run.runs, 0n),
    inference_stats: inferStatistics(statistics),
    batch_stats: runs.map(({ rows, runs: count, inputNanos, inferNanos, outputNanos }) => ({
      batch_size: BigInt(rows),
      compute_input: { count, ns: inputNanos },
      compute_infer: { count, ns: inferNanos },
      compute_output: { count, ns: outputNanos },
    })),
  };
}

function inferStatistics({ outcomes, durations, failedNanos, phases }: RequestStatistics): V2InferStatistics {
  const { count } = phases;
  let failed = 0n;
  for (const code of Object.keys(outcomes) as (ErrorCode | "OK")[]) if (code !== "OK") failed += outcomes[code] ?? 0n;
  return {
    success: { count: outcomes.OK, ns: durations.nanos },
    fail: { count: failed, ns: failedNanos },
    queue: { count, ns: phases.queueNanos },
    compute_input: { count, ns: phases.inputNanos },
    compute_infer: { count, ns: phases.inferNanos },
    compute_output: { count, ns: phases.outputNanos },
    cache_hit: NEVER,
    cache_miss: NEVER,
  };
}

/** The answer of V2's statistics over HTTP: bigints as JSON integers, which have no limit. */
export function statisticsJson(models: readonly V2ModelStatistics[]): string {
  // No name begins with the marked NUL.
  const text = JSON.stringify({ model_stats: models }, (_, value) =>
    typeof value === "bigint" ? `\u0000${value}` : value,
  );
  return text.replace(/"\\u0000(\d+)"/g, "$1");
}
