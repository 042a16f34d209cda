/** Percentile spectra: how long 1 step in so many takes. One plot for each group of cases, a line for each load. */
import { mergeHistograms, spectrum } from "../histogram.js";
import type { BenchCase, BenchResult } from "../result.js";
import { plot, X_RANGE, yRange } from "./axes.js";
import { isAnswered } from "./columns.js";
import { type CaseGroup, caseGroups } from "./curve.js";
import { duration, loadText, roundDuration } from "./format.js";
import { type Markup, markup } from "./markup.js";
import { logScale, percentileScale } from "./scale.js";
import { legendEntry, line, type Point, STYLES } from "./series.js";

const HEIGHT = 340;

export function percentileSpectra(result: BenchResult): Markup[] {
  return caseGroups(result).map(groupSpectrum);
}

function groupSpectrum(group: CaseGroup): Markup {
  const cases = spread(group.cases, STYLES);
  const lines = cases.map((one) => ({ latency: marked(points(one, "latency")), service: points(one, "service") }));
  const all = lines.flatMap(({ latency, service }) => [...latency, ...service]);
  const x = percentileScale(Math.max(1, ...all.map((point) => point.x)), X_RANGE);
  const y = logScale(
    all.map((point) => point.y),
    yRange(HEIGHT),
    roundDuration,
  );
  const drawn = plot(
    {
      title: `Percentiles of ${group.name}`,
      description: cases.map((one) => `${loadText(one)}: ${described(one)}`).join("; "),
      height: HEIGHT,
      x: { scale: x, label: "percentile" },
      y: { scale: y, label: "time of a step" },
    },
    lines.flatMap(({ latency, service }, style) => [
      line({ style, points: service, dashed: true }, x, y),
      line({ style, points: latency }, x, y),
    ]),
  );
  const entries = cases.map((one, style) => legendEntry(style, loadText(one)));
  const left = group.cases.length - cases.length;
  const note = `solid: latency, dashed: service${left > 0 ? `; ${left} more loads are in the tables` : ""}`;
  return markup`<figure><figcaption>${group.name}</figcaption>${drawn}<ul class="legend">${entries}<li class="note">${note}</li></ul></figure>`;
}

/** At most so many of them, the first and the last among them. */
function spread<T>(values: readonly T[], most: number): T[] {
  if (values.length <= most) return [...values];
  const step = (values.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, i) => values[Math.round(i * step)]).filter((value) => value !== undefined);
}

function points({ repetitions }: BenchCase, which: "latency" | "service"): Point[] {
  const merged = mergeHistograms(repetitions.map((one) => one[which].histogram));
  return spectrum(merged).map(({ oneIn, micros }) => ({ x: oneIn, y: micros }));
}

/** The percentiles that people name get a mark. */
function marked(line: readonly Point[]): Point[] {
  const named = [2, 10, 100, 1e3, 1e4, 1e5, 1e6].map((oneIn) => line.findIndex(({ x }) => x >= oneIn * 0.999));
  return line.map((point, i) => {
    if (!named.includes(i)) return point;
    const share = Number((100 * (1 - 1 / point.x)).toPrecision(6));
    return { ...point, hint: `p${share}: ${duration(point.y, "µs")}` };
  });
}

function described(one: BenchCase): string {
  if (!isAnswered(one)) return "no answers";
  const { p50, p99, max } = one.summary.latencyMicros;
  return `p50 ${duration(p50, "µs")}, p99 ${duration(p99, "µs")}, max ${duration(max, "µs")}`;
}
