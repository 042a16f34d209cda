/** The columns of the table of cases, the same in the terminal and in the HTML report. */
import type { BenchCase, LatencyMedians, Repetition } from "../result.js";
import { median } from "../statistics.js";
import { duration, loadText, percent, whole } from "./format.js";

export interface Column {
  readonly title: string;
  /** Numbers stand under each other by their last digit. */
  readonly align: "left" | "right";
  readonly cell: (one: BenchCase) => string;
}

export const COLUMNS: readonly Column[] = [
  { title: "protocol", align: "left", cell: ({ protocol }) => protocol },
  { title: "load", align: "left", cell: loadText },
  { title: "steps/s", align: "right", cell: ({ summary }) => whole(summary.ratePerSecond.median) },
  { title: "min to max", align: "right", cell: range },
  { title: "p50", align: "right", cell: (one) => latency(one, "p50") },
  { title: "p90", align: "right", cell: (one) => latency(one, "p90") },
  { title: "p99", align: "right", cell: (one) => latency(one, "p99") },
  { title: "p99.9", align: "right", cell: (one) => latency(one, "p999") },
  { title: "max", align: "right", cell: (one) => latency(one, "max") },
  { title: "service p99", align: "right", cell: serviceP99 },
  { title: "generator", align: "right", cell: (one) => shareOf(one, ({ generator }) => generator.busyFraction) },
  { title: "server CPU", align: "right", cell: (one) => shareOf(one, ({ server }) => server?.cpuFraction) },
  { title: "errors", align: "right", cell: ({ summary }) => whole(summary.errors) },
  { title: "unfinished", align: "right", cell: ({ summary }) => whole(summary.unfinished) },
  { title: "notes", align: "left", cell: notes },
];

function range({ summary: { ratePerSecond } }: BenchCase): string {
  return `${whole(ratePerSecond.min)} to ${whole(ratePerSecond.max)}`;
}

/** Without an answer there is no latency, not one of 0. */
export function isAnswered({ repetitions }: BenchCase): boolean {
  return repetitions.some(({ latency }) => latency.count > 0);
}

function latency(one: BenchCase, which: keyof LatencyMedians): string {
  return isAnswered(one) ? duration(one.summary.latencyMicros[which]) : "-";
}

function serviceP99(one: BenchCase): string {
  const micros = medianOf(one, ({ service }) => (service.count > 0 ? service.p99 : undefined));
  return micros === undefined ? "-" : duration(micros);
}

/** Over the repetitions that have the figure; undefined when none does. */
export function medianOf(
  { repetitions }: Pick<BenchCase, "repetitions">,
  pick: (one: Repetition) => number | undefined,
): number | undefined {
  const values = repetitions.map(pick).filter((value) => value !== undefined);
  return values.length === 0 ? undefined : median(values);
}

function shareOf(one: BenchCase, pick: (repetition: Repetition) => number | undefined): string {
  const share = medianOf(one, pick);
  return share === undefined ? "-" : percent(share);
}

/** What to doubt about one case, in a few words; empty when nothing. */
export function notes({ summary }: BenchCase): string {
  return [summary.stable ? "" : "not stable", summary.saturated ? "generator saturated" : ""]
    .filter(Boolean)
    .join(", ");
}
