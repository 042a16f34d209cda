/**
 * A result as CSV (RFC 4180): one line for each repetition of each case, so that a spreadsheet can group as it likes,
 * and after them one with `summary` for its repetition.
 */

import type { BenchCase, BenchResult, LatencySummary, Repetition } from "../result.js";
import { median } from "../statistics.js";

type Cell = string | number | boolean | undefined;

interface Row {
  readonly target: BenchResult["target"];
  readonly one: BenchCase;
  readonly index: number;
  readonly repetition: Repetition;
}

/** From the cells of a case's repetitions to the one of its summary. */
type Fold = (cells: readonly Cell[]) => Cell;

/** Medians of numbers; of text the first that is there, which is the same for the whole case or the first error. */
const typical: Fold = (cells) => {
  const numbers = cells.filter((cell) => typeof cell === "number");
  return numbers.length > 0 ? median(numbers) : cells.find((cell) => cell !== undefined);
};

/** What was lost in any repetition is lost. */
const sum: Fold = (cells) =>
  Number(cells.reduce<number>((total, cell) => total + Number(cell ?? 0), 0).toPrecision(12));
const every: Fold = (cells) => cells.every((cell) => cell === true);
const some: Fold = (cells) => cells.some((cell) => cell === true);

const COLUMNS: readonly (readonly [name: string, cell: (row: Row) => Cell, fold?: Fold])[] = [
  ["model", ({ target }) => target.model],
  ["case", ({ one }) => one.name],
  ["protocol", ({ one }) => one.protocol],
  ["mode", ({ one }) => one.mode],
  ["concurrency", ({ one }) => one.load.concurrency],
  ["load_rate_per_second", ({ one }) => one.load.ratePerSecond],
  ["arrival", ({ one }) => one.load.arrival],
  ["streams", ({ one }) => one.load.streams],
  ["frames_per_second", ({ one }) => one.load.framesPerSecond],
  ["repetition", ({ index }) => index + 1, () => "summary"],
  ["seconds", ({ repetition }) => repetition.seconds, sum],
  ["requests", ({ repetition }) => repetition.requests, sum],
  ["errors", ({ repetition }) => repetition.errors, sum],
  ["first_error", ({ repetition }) => repetition.firstError],
  ["unfinished", ({ repetition }) => repetition.unfinished, sum],
  ["rate_per_second", ({ repetition }) => repetition.ratePerSecond],
  ["offered_per_second", ({ repetition }) => repetition.offeredPerSecond],
  ["stable", ({ repetition }) => repetition.stable, every],
  ["generator_busy_fraction", ({ repetition }) => repetition.generator.busyFraction],
  ["generator_saturated", ({ repetition }) => repetition.generator.saturated, some],
  ["server_cpu_fraction", ({ repetition }) => repetition.server?.cpuFraction],
  ...times("latency", ({ repetition }) => repetition.latency),
  ...times("service", ({ repetition }) => repetition.service),
  ["queue_us", ({ repetition }) => repetition.phases?.queue],
  ["gather_us", ({ repetition }) => repetition.phases?.gather],
  ["run_us", ({ repetition }) => repetition.phases?.run],
  ["scatter_us", ({ repetition }) => repetition.phases?.scatter],
  ["mean_batch", ({ repetition }) => meanBatch(repetition)],
];

function times(name: string, of: (row: Row) => LatencySummary): [string, (row: Row) => Cell][] {
  const figures = ["p50", "p90", "p99", "p999", "max", "mean"] as const;
  return figures.map((figure) => [`${name}_${figure}_us`, (row) => (of(row).count > 0 ? of(row)[figure] : undefined)]);
}

function meanBatch({ batchSizes = [] }: Repetition): number | undefined {
  const runs = batchSizes.reduce((sum, [, count]) => sum + count, 0);
  return runs === 0 ? undefined : batchSizes.reduce((sum, [rows, count]) => sum + rows * count, 0) / runs;
}

function summaryOf(rows: readonly Row[]): Cell[] {
  return COLUMNS.map(([, cell, fold = typical]) => fold(rows.map(cell)));
}

function quoted(cell: Cell): string {
  const text = String(cell ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The whole file, its lines ended as the RFC wants them. An empty cell is a value that was not measured. */
export function csvReport(result: BenchResult): string {
  const { target, cases } = result;
  const lines = cases.flatMap((one) => {
    const rows = one.repetitions.map((repetition, index) => ({ target, one, index, repetition }));
    const own = rows.map((row) => COLUMNS.map(([, cell]) => quoted(cell(row))));
    return rows.length === 0 ? [] : [...own, summaryOf(rows).map(quoted)];
  });
  return [COLUMNS.map(([name]) => name), ...lines].map((line) => `${line.join(",")}\r\n`).join("");
}
