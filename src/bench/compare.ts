/** Two results side by side: what changed, how sure that is, and what makes them hard to compare. */
import { changeInterval, ENOUGH_REPETITIONS, type Interval } from "./bootstrap.js";
import type { BenchCase, BenchResult, JsonValue, Repetition } from "./result.js";
import { median } from "./statistics.js";

export const METRICS = ["rate", "p50", "p99"] as const;

/** `rate` in steps a second, where more is better; the others latencies in microseconds, where less is. */
export type Metric = (typeof METRICS)[number];

const OF: Readonly<Record<Metric, (one: Repetition) => number>> = {
  rate: ({ ratePerSecond }) => ratePerSecond,
  p50: ({ latency }) => latency.p50,
  p99: ({ latency }) => latency.p99,
};

/**
 * `worse` and `better`: the whole interval is past the threshold. `same`: it is within. `unclear`: it is on both sides of
 * the threshold. `unknown`: there is no interval, because there are too few repetitions or nothing was answered.
 */
export type Verdict = "worse" | "better" | "same" | "unclear" | "unknown";

export interface MetricChange {
  readonly metric: Metric;
  /** Medians over repetitions. */
  readonly before: number;
  readonly after: number;
  /** Relative: 0.05 is 5 % more. Missing where the median before is 0. */
  readonly change?: number;
  /** Where the change lies with a confidence of 95 %. */
  readonly interval?: Interval;
  readonly verdict: Verdict;
}

export interface CaseChange {
  readonly name: string;
  /** Repetitions before and after. */
  readonly repetitions: readonly [number, number];
  readonly errors: readonly [number, number];
  /** Why the figures of this case need care: not stable, generator saturated. */
  readonly doubts: readonly string[];
  readonly metrics: readonly MetricChange[];
}

export interface Comparison {
  readonly threshold: number;
  readonly cases: readonly CaseChange[];
  /** Names of cases that only one of the results has. */
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
  /** What else is not the same: machine, versions, target, method. */
  readonly differences: readonly Difference[];
  /** Whether a metric of a case is worse, or requests fail now in a case in which none did. */
  readonly worse: boolean;
  /** Whether nothing could be judged: no case in common, or an interval for no metric. */
  readonly unknown: boolean;
}

export interface Difference {
  /** E.g. `machine.cpu`. */
  readonly path: string;
  readonly before?: JsonValue;
  readonly after?: JsonValue;
}

export interface CompareOptions {
  /** The change that matters, relative (default: 0.05). */
  readonly threshold?: number;
  /** Default: all. */
  readonly metrics?: readonly Metric[];
  /** Of the resampling; the same seed gives the same intervals (default: 1). */
  readonly seed?: number;
}

/** Compares the cases of the same name. */
export function compareResults(before: BenchResult, after: BenchResult, options: CompareOptions = {}): Comparison {
  const { threshold = 0.05, metrics = METRICS, seed = 1 } = options;
  const byName = new Map(after.cases.map((one) => [one.name, one]));
  const names = new Set(before.cases.map(({ name }) => name));
  const cases = before.cases.flatMap((one) => {
    const other = byName.get(one.name);
    return other === undefined ? [] : [caseChange(one, other, metrics, threshold, seed)];
  });
  const changes = cases.flatMap((one) => one.metrics);
  return {
    threshold,
    cases,
    onlyBefore: [...names].filter((name) => !byName.has(name)),
    onlyAfter: [...byName.keys()].filter((name) => !names.has(name)),
    differences: differences(before, after),
    worse: changes.some(({ verdict }) => verdict === "worse") || cases.some(failsNow),
    unknown: changes.every(({ verdict }) => verdict === "unknown"),
  };
}

/** Whether requests fail in a case in which none did before. */
export function failsNow({ errors: [before, after] }: CaseChange): boolean {
  return before === 0 && after > 0;
}

function caseChange(
  before: BenchCase,
  after: BenchCase,
  metrics: readonly Metric[],
  threshold: number,
  seed: number,
): CaseChange {
  return {
    name: before.name,
    repetitions: [before.repetitions.length, after.repetitions.length],
    errors: [before.summary.errors, after.summary.errors],
    doubts: doubts(before, after),
    metrics: metrics.map((metric) => metricChange(metric, before, after, threshold, seed)),
  };
}

function metricChange(
  metric: Metric,
  before: BenchCase,
  after: BenchCase,
  threshold: number,
  seed: number,
): MetricChange {
  const [old, now] = [before.repetitions.map(OF[metric]), after.repetitions.map(OF[metric])];
  const [from, to] = [old.length === 0 ? 0 : median(old), now.length === 0 ? 0 : median(now)];
  const interval = changeInterval(old, now, seed);
  return {
    metric,
    before: from,
    after: to,
    ...(from > 0 ? { change: (to - from) / from } : {}),
    ...(interval === undefined ? {} : { interval }),
    verdict: verdictOf(metric, interval, threshold),
  };
}

function verdictOf(metric: Metric, interval: Interval | undefined, threshold: number): Verdict {
  if (interval === undefined) return "unknown";
  const [low, high] = interval;
  if (low > threshold) return metric === "rate" ? "better" : "worse";
  if (high < -threshold) return metric === "rate" ? "worse" : "better";
  return low >= -threshold && high <= threshold ? "same" : "unclear";
}

function doubts(before: BenchCase, after: BenchCase): string[] {
  const both = [
    ["before", before],
    ["after", after],
  ] as const;
  return both.flatMap(([when, { repetitions, summary }]) => [
    ...(repetitions.length < ENOUGH_REPETITIONS
      ? [`${repetitions.length} repetitions ${when}, an interval needs ${ENOUGH_REPETITIONS}`]
      : []),
    ...(summary.stable ? [] : [`not stable ${when}`]),
    ...(summary.saturated ? [`generator saturated ${when}`] : []),
  ]);
}

/** What two results should share, for the change to be the code's. The load average is never the same. */
function differences(before: BenchResult, after: BenchResult): Difference[] {
  const facts = ({ machine, target, method, tool }: BenchResult): Map<string, JsonValue> => {
    const { loadAverage, commit, ...kept } = machine;
    const { name, ...model } = target;
    const groups: Record<string, object> = { machine: kept, target: model, method, tool };
    return new Map(
      Object.entries(groups).flatMap(([group, values]) =>
        Object.entries(values).map(([key, value]) => [`${group}.${key}`, value as JsonValue] as const),
      ),
    );
  };
  const [old, now] = [facts(before), facts(after)];
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((path) => {
    const [from, to] = [old.get(path), now.get(path)];
    if (JSON.stringify(from) === JSON.stringify(to)) return [];
    return [{ path, ...(from === undefined ? {} : { before: from }), ...(to === undefined ? {} : { after: to }) }];
  });
}
