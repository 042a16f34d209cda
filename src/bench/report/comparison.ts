/** A comparison for the terminal. */
import {
  type CaseChange,
  type Comparison,
  type Difference,
  failsNow,
  type MetricChange,
  type Verdict,
} from "../compare.js";
import { change, duration, whole } from "./format.js";
import { warningText } from "./warnings.js";

/** How to show a verdict; the terminal's colours, or nothing. */
export interface ComparisonPaint {
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
}

const PLAIN: ComparisonPaint = { dim: (text) => text, red: (text) => text, green: (text) => text };

const HEAD = ["case", "metric", "before", "after", "change", "95 % interval", ""];

/** Lines of text that end with a line feed. */
export function comparisonText(comparison: Comparison, paint: ComparisonPaint = PLAIN): string {
  const { cases, onlyBefore, onlyAfter, differences } = comparison;
  const warnings = [
    ...differences.map(differenceText),
    ...cases.flatMap(errorWarning),
    ...doubtWarnings(cases),
    ...onlyBefore.map((name) => `${name}: only in the first result`),
    ...onlyAfter.map((name) => `${name}: only in the second result`),
  ];
  return [
    ...warnings.map((text) => `${paint.red("warning:")} ${text}\n`),
    warnings.length > 0 ? "\n" : "",
    cases.length > 0 ? changeTable(cases, paint) : "",
    conclusion(comparison, paint),
  ].join("");
}

function differenceText({ path, before, after }: Difference): string {
  const shown = (value: unknown): string => (value === undefined ? "(none)" : JSON.stringify(value));
  return `${path} differs: ${shown(before)} before, ${shown(after)} after`;
}

function errorWarning({ name, errors: [before, after] }: CaseChange): string[] {
  return before + after === 0 ? [] : [`${name}: ${whole(before)} errors before, ${whole(after)} after`];
}

/** The same doubt once, with the cases that it is about. */
function doubtWarnings(cases: readonly CaseChange[]): string[] {
  const texts = new Set(cases.flatMap(({ doubts }) => doubts));
  return [...texts].map((text) =>
    warningText({ text, cases: cases.filter(({ doubts }) => doubts.includes(text)).map(({ name }) => name) }),
  );
}

function changeTable(cases: readonly CaseChange[], paint: ComparisonPaint): string {
  const rows = cases.flatMap(({ name, metrics }) =>
    metrics.map((one, i) => ({ cells: [i === 0 ? name : "", ...changeCells(one)], verdict: one.verdict })),
  );
  const widths = HEAD.map((title, i) => Math.max(title.length, ...rows.map(({ cells }) => (cells[i] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i < 2 || i === 6 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ");
  const colour = (verdict: Verdict, text: string): string => {
    if (verdict === "worse") return paint.red(text);
    if (verdict === "better") return paint.green(text);
    return verdict === "same" ? text : paint.dim(text);
  };
  return [
    `  ${paint.dim(line(HEAD).trimEnd())}\n`,
    ...rows.map(({ cells, verdict }) => `  ${colour(verdict, line(cells).trimEnd())}\n`),
  ].join("");
}

function changeCells({ metric, before, after, change: relative, interval, verdict }: MetricChange): string[] {
  const shown = (value: number): string => (metric === "rate" ? `${whole(value)}/s` : duration(value));
  const range = interval === undefined ? "-" : `${change(interval[0])} to ${change(interval[1])}`;
  return [metric, shown(before), shown(after), relative === undefined ? "-" : change(relative), range, verdict];
}

function conclusion({ cases, threshold, worse, unknown }: Comparison, paint: ComparisonPaint): string {
  const limit = change(threshold).replace("+", "");
  if (worse) {
    const failing = cases.filter(failsNow).length;
    const count = cases.flatMap(({ metrics }) => metrics).filter(({ verdict }) => verdict === "worse").length;
    const parts = [
      count > 0 ? `${count} figure${count === 1 ? " is" : "s are"} worse by more than ${limit}` : "",
      failing > 0 ? `requests fail in ${failing} case${failing === 1 ? "" : "s"} in which none did` : "",
    ];
    return paint.red(`${parts.filter(Boolean).join("; ")}\n`);
  }
  if (cases.length === 0) return paint.red("nothing could be judged: the results have no case in common\n");
  if (unknown) return paint.red("nothing could be judged: too few repetitions\n");
  return `no figure is surely worse by more than ${limit}\n`;
}
