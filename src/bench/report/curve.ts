/** The latency/throughput curve: what load costs, one line for each protocol and way of loading. */
import type { BenchCase, BenchResult } from "../result.js";
import { plot, WIDTH, X_RANGE, yRange } from "./axes.js";
import { duration, loadSize, loadText, roundDuration, short, whole } from "./format.js";
import { type Markup, markup } from "./markup.js";
import { linearScale, logScale, type Scale } from "./scale.js";
import { legendEntry, line, type Point } from "./series.js";

const HEIGHT = 420;

/** Past this ratio of the fastest to the slowest a linear axis would press the slow lines into the corner. */
const WIDE = 12;

export interface CaseGroup {
  readonly name: string;
  readonly cases: readonly BenchCase[];
}

/** The cases of one line: the same protocol and way of loading, in the order of the load. */
export function caseGroups({ cases }: Pick<BenchResult, "cases">): CaseGroup[] {
  const groups = new Map<string, BenchCase[]>();
  for (const one of cases) {
    const how = one.mode === "closed" ? "" : ` ${[one.mode, one.load.arrival].filter(Boolean).join(", ")}`;
    const key = `${one.protocol}${how}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups].map(([name, members]) => ({
    name,
    cases: members.toSorted((a, b) => loadSize(a.load) - loadSize(b.load)),
  }));
}

/** Undefined where nothing was answered at all. */
export function latencyCurve(result: BenchResult): Markup | undefined {
  const cases = result.cases.filter(({ summary }) => summary.ratePerSecond.median > 0);
  if (cases.length === 0) return undefined;
  const groups = caseGroups({ cases });
  const x = rateScale(cases.map(({ summary }) => summary.ratePerSecond.median));
  const latencies = cases.flatMap(({ summary: { latencyMicros } }) => [latencyMicros.p50, latencyMicros.p99]);
  const y = logScale(latencies, yRange(HEIGHT), roundDuration);
  const lines = groups.flatMap(({ cases }, style) => [
    line({ style, dashed: true, points: cases.map(p50Point) }, x, y),
    line({ style, points: cases.map(p99Point) }, x, y),
  ]);
  const described = groups.map(({ name, cases }) => `${name}: ${fastest(cases)}`).join("; ");
  const drawn = plot(
    {
      title: "Latency against throughput",
      description: described,
      height: HEIGHT,
      x: { scale: x, label: "steps a second" },
      y: { scale: y, label: "latency" },
    },
    lines,
  );
  const entries = groups.map(({ name }, style) => legendEntry(style, name));
  return markup`<figure>${drawn}<ul class="legend">${entries}<li class="note">solid: p99, dashed: p50; numbers: the load</li></ul></figure>`;
}

function rateScale(rates: readonly number[]): Scale {
  const positive = rates.filter((rate) => rate > 0);
  const wide = positive.length > 0 && Math.max(...positive) / Math.min(...positive) > WIDE;
  const range = [X_RANGE[0], WIDTH - 40] as const;
  return wide ? logScale(positive, range) : linearScale(Math.max(...rates, 0), range);
}

function p50Point({ summary }: BenchCase): Point {
  return { x: summary.ratePerSecond.median, y: summary.latencyMicros.p50 };
}

function p99Point(one: BenchCase): Point {
  const { ratePerSecond, latencyMicros } = one.summary;
  const { p50, p99 } = latencyMicros;
  const hint = `${one.name}: ${loadText(one)}, ${whole(ratePerSecond.median)} steps/s, p50 ${duration(p50, "µs")}, p99 ${duration(p99, "µs")}`;
  return { x: ratePerSecond.median, y: p99, hint, label: short(loadSize(one.load)) };
}

function fastest(cases: readonly BenchCase[]): string {
  const best = cases.reduce((a, b) => (b.summary.ratePerSecond.median > a.summary.ratePerSecond.median ? b : a));
  const { ratePerSecond, latencyMicros } = best.summary;
  return `at most ${whole(ratePerSecond.median)} steps/s, at a p99 of ${duration(latencyMicros.p99, "µs")}`;
}
