/** A result as CSV (RFC 4180): one line for each repetition of each case, so that a spreadsheet can group as it likes. */
import type { BenchCase, BenchResult, LatencySummary, Repetition } from "../result.js";

type Cell = string | number | boolean | undefined;

interface Row {
  readonly target: BenchResult["target"];
  readonly one: BenchCase;
  readonly index: number;
  readonly repetition: Repetition;
}

const COLUMNS: readonly (readonly [name: string, cell: (row: Row) => Cell])[] = [
  ["model", ({ target }) => target.model],
  ["case", ({ one }) => one.name],
  ["protocol", ({ one }) => one.protocol],
  ["mode", ({ one }) => one.mode],
  ["concurrency", ({ one }) => one.load.concurrency],
  ["load_rate_per_second", ({ one }) => one.load.ratePerSecond],
  ["arrival", ({ one }) => one.load.arrival],
  ["streams", ({ one }) => one.load.streams],
  ["frames_per_second", ({ one }) => one.load.framesPerSecond],
  ["repetition", ({ index }) => index + 1],
  ["seconds", ({ repetition }) => repetition.seconds],
  ["requests", ({ repetition }) => repetition.requests],
  ["errors", ({ repetition }) => repetition.errors],
  ["first_error", ({ repetition }) => repetition.firstError],
  ["unfinished", ({ repetition }) => repetition.unfinished],
  ["rate_per_second", ({ repetition }) => repetition.ratePerSecond],
  ["offered_per_second", ({ repetition }) => repetition.offeredPerSecond],
  ["stable", ({ repetition }) => repetition.stable],
  ["generator_busy_fraction", ({ repetition }) => repetition.generator.busyFraction],
  ["generator_saturated", ({ repetition }) => repetition.generator.saturated],
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
  return figures.map((figure) => [`${name}_${figure}_us`, (row) => of(row)[figure]]);
}

function meanBatch({ batchSizes = [] }: Repetition): number | undefined {
  const runs = batchSizes.reduce((sum, [, count]) => sum + count, 0);
  return runs === 0 ? undefined : batchSizes.reduce((sum, [rows, count]) => sum + rows * count, 0) / runs;
}

function quoted(cell: Cell): string {
  const text = String(cell ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The whole file, its lines ended as the RFC wants them. An empty cell is a value that was not measured. */
export function csvReport(result: BenchResult): string {
  const rows = result.cases.flatMap((one) =>
    one.repetitions.map((repetition, index) => ({ target: result.target, one, index, repetition })),
  );
  const lines = rows.map((row) => COLUMNS.map(([, cell]) => quoted(cell(row))));
  return [COLUMNS.map(([name]) => name), ...lines].map((line) => `${line.join(",")}\r\n`).join("");
}
