/** A result for the terminal: where it comes from, what to doubt, and one line for each case. */
import type { BenchResult } from "../result.js";
import { COLUMNS } from "./columns.js";
import { bytes } from "./format.js";
import { warningsOf, warningText } from "./warnings.js";

/** How to show what matters; the terminal's colours, or nothing. */
export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
}

const PLAIN: Paint = { bold: (text) => text, dim: (text) => text, red: (text) => text };

/** Lines of text that end with a line feed. */
export function textReport(result: BenchResult, paint: Paint = PLAIN): string {
  const { machine, target, tool, cases } = result;
  const runtime = machine.onnxruntime === undefined ? "" : `, ONNX Runtime ${machine.onnxruntime}`;
  const server = target.server === undefined ? "" : `, served by ${target.server.name} ${target.server.version}`;
  return [
    `${paint.bold(target.model)} (${target.name})${server}\n`,
    paint.dim(`${machine.cpu}, ${machine.cores} cores, ${bytes(machine.memoryBytes)}; ${machine.os}\n`),
    paint.dim(`${tool.name} ${tool.version}, Node ${machine.node}${runtime}; ${result.startedAt}\n`),
    ...warningsOf(result).map((warning) => `${paint.red("warning:")} ${warningText(warning)}\n`),
    "\n",
    cases.length === 0 ? "no case was measured\n" : caseTable(result, paint),
    paint.dim("medians over repetitions; latency counts from when a step was due, service from when it was sent\n"),
  ].join("");
}

function caseTable({ cases }: BenchResult, paint: Paint): string {
  // A column that is empty for every case says nothing.
  const cells = COLUMNS.map(({ title, cell, align }) => ({ title, align, cells: cases.map(cell) })).filter((column) =>
    column.cells.some((text) => text !== "" && text !== "-"),
  );
  const lines = [-1, ...cases.keys()].map((row) =>
    cells
      .map(({ title, align, cells }) => {
        const width = Math.max(title.length, ...cells.map(({ length }) => length));
        const text = row < 0 ? title : (cells[row] ?? "");
        return align === "left" ? text.padEnd(width) : text.padStart(width);
      })
      .join("  ")
      .trimEnd(),
  );
  return lines.map((line, i) => `  ${i === 0 ? paint.dim(line) : line}\n`).join("");
}
