/** From what a generator and a server say to a repetition, and from repetitions to a summary. */
import type { GeneratorOutcome } from "./generator.js";
import type { ModelStatistics } from "./management.js";
import type { BatchSize, CaseSummary, LatencySummary, PhaseTimes, Repetition } from "./result.js";
import { median } from "./statistics.js";

/** @param isOwn Whether the server is a process of ours, so that its CPU time is known. */
export function repetitionOf(outcome: GeneratorOutcome, isOwn: boolean, served: ServerSide = {}): Repetition {
  return {
    seconds: outcome.seconds,
    requests: outcome.requests,
    errors: outcome.errors,
    ...(outcome.first_error === "" ? {} : { firstError: outcome.first_error }),
    unfinished: outcome.unfinished,
    ratePerSecond: outcome.rate,
    ...(outcome.offered_rate === undefined ? {} : { offeredPerSecond: outcome.offered_rate }),
    stable: outcome.stable,
    windows: outcome.windows.map(({ rate, p99_us }) => ({ ratePerSecond: rate, p99Micros: p99_us })),
    generator: { busyFraction: outcome.client_busy_fraction, saturated: outcome.saturated },
    ...(isOwn ? { server: { cpuFraction: outcome.server_cpu_fraction } } : {}),
    latency: latencyOf(outcome.latency_us),
    service: latencyOf(outcome.service_us),
    ...served,
  };
}

function latencyOf({ buckets, ...times }: GeneratorOutcome["latency_us"]): LatencySummary {
  return { ...times, histogram: buckets.map(([upper, count]) => [upper, count] as const) };
}

const NO_TIMES: LatencySummary = { count: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0, mean: 0, histogram: [] };

/** A measurement that could not be made: nothing but the error. */
export function failedRepetition(problem: string): Repetition {
  return {
    seconds: 0,
    requests: 0,
    errors: 1,
    firstError: problem,
    unfinished: 0,
    ratePerSecond: 0,
    stable: false,
    windows: [],
    generator: { busyFraction: 0, saturated: false },
    latency: NO_TIMES,
    service: NO_TIMES,
  };
}

export interface ServerSide {
  readonly phases?: PhaseTimes;
  readonly batchSizes?: readonly BatchSize[];
}

/** What happened in a server between two readings of its counters. */
export function serverSide(before: ModelStatistics | undefined, after: ModelStatistics | undefined): ServerSide {
  if (before === undefined || after === undefined) return {};
  const phase = (name: "queue" | "input" | "infer" | "output"): number => {
    const count = after[name].count - before[name].count;
    return count > 0 ? (after[name].ns - before[name].ns) / count / 1000 : 0;
  };
  const sizes = [...after.runs]
    .map(([rows, runs]): BatchSize => [rows, runs - (before.runs.get(rows) ?? 0)])
    .filter(([, runs]) => runs > 0)
    .sort(([a], [b]) => a - b);
  return {
    ...(after.queue.count > before.queue.count
      ? { phases: { queue: phase("queue"), gather: phase("input"), run: phase("infer"), scatter: phase("output") } }
      : {}),
    ...(sizes.length > 0 ? { batchSizes: sizes } : {}),
  };
}

export function summaryOf(repetitions: readonly Repetition[]): CaseSummary {
  const rates = repetitions.map(({ ratePerSecond }) => ratePerSecond);
  // A repetition without answers has no latency, which is not one of 0.
  const answered = repetitions.filter(({ latency }) => latency.count > 0);
  const middle = (key: "p50" | "p90" | "p99" | "p999" | "max"): number =>
    answered.length === 0 ? 0 : median(answered.map(({ latency }) => latency[key]));
  return {
    ratePerSecond: { median: median(rates), min: Math.min(...rates), max: Math.max(...rates) },
    latencyMicros: {
      p50: middle("p50"),
      p90: middle("p90"),
      p99: middle("p99"),
      p999: middle("p999"),
      max: middle("max"),
    },
    errors: repetitions.reduce((sum, { errors }) => sum + errors, 0),
    unfinished: repetitions.reduce((sum, { unfinished }) => sum + unfinished, 0),
    stable: repetitions.every(({ stable }) => stable),
    saturated: repetitions.some(({ generator }) => generator.saturated),
  };
}
