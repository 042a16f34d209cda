// bench/RESULTS.md, and the same tables for the terminal.

import { bestOf } from "./results.mjs";

const INTEGER = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

// Under a closed loop a server that gets less of its core than this shared it with somebody.
const BUSY_CPU_FRACTION = 0.9;

/**
 * @param {object} results
 * @param {string} results.date
 * @param {object} results.machine
 * @param {object} results.options
 * @param {import("./results.mjs").Figure[]} results.figures
 * @param {{ id: string, title: string, settings: string, versions: Record<string, string>, error?: string }[]} results.peers
 */
export function renderResults(results) {
  return `${[
    "# Headrace beside other servers",
    introduction(results),
    "## All forms of requests",
    table(results.figures),
    legend(),
    "## Best against best",
    bestTable(results.figures),
    "## What could not be measured",
    failures(results),
    "## How",
    method(results),
    "## Servers, settings and versions",
    settings(results),
  ].join("\n\n")}\n`;
}

function introduction({ date, machine, options }) {
  return [
    "Written by `npm run bench:peers`; [peers/results.json](peers/results.json) holds every run. Trust the ratios: the",
    "absolute figures are this machine's.",
    "",
    `- ${date}, Headrace at commit ${machine.commit}`,
    `- ${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, load ${machine.loadAverage.toFixed(1)} at the start`,
    `- Node ${machine.node}`,
    `- medians of ${options.repetitions} interleaved repetitions of ${options.seconds} s, after ${options.warmup} s of warm-up`,
  ].join("\n");
}

/** The highest first, whichever server it is of. */
export function table(figures) {
  const rows = figures
    .filter(({ rate }) => rate !== undefined)
    .sort((a, b) => b.rate.median - a.rate.median)
    .map((figure) => [
      figure.title,
      figure.form,
      INTEGER.format(figure.rate.median),
      `${INTEGER.format(figure.rate.min)} to ${INTEGER.format(figure.rate.max)}`,
      millis(figure.p50Micros),
      millis(figure.p99Micros),
      `${INTEGER.format(100 * figure.serverCpuFraction)} %`,
      figure.runtime === "headrace" ? "" : times(figure.ofSameKind),
      figure.runtime === "headrace" ? "" : times(figure.ofBest),
      remark(figure),
    ]);
  const header = [
    "server",
    "protocol",
    "steps/s",
    "min to max",
    "p50 ms",
    "p99 ms",
    "server CPU",
    "Headrace, same kind",
    "Headrace, best",
    "",
  ];
  return markdownTable(header, rows, [2, 3, 4, 5, 6, 7, 8]);
}

function legend() {
  return [
    "`Headrace, same kind` says how many times as many steps Headrace takes over the same kind of protocol (JSON with JSON,",
    "binary HTTP with binary HTTP, …), `Headrace, best` how many times over its fastest. The latencies are those of a full",
    "house: 64 requests in flight over HTTP and gRPC, 256 over WebSockets.",
  ].join("\n");
}

function bestTable(figures) {
  const rows = bestOf(figures).map((figure) => [
    figure.title,
    figure.form,
    INTEGER.format(figure.rate.median),
    figure.runtime === "headrace" ? "" : times(figure.ofBest),
  ]);
  return markdownTable(["server", "its fastest protocol", "steps/s", "Headrace's fastest is"], rows, [2, 3]);
}

function failures({ figures, peers }) {
  const lines = [
    ...peers.filter(({ error }) => error !== undefined).map(({ title, error }) => failure(title, error)),
    ...figures
      .filter(({ error }) => error !== undefined)
      .map(({ title, form, error }) => failure(`${title}, ${form}`, error)),
  ];
  return lines.length === 0
    ? "Nothing: every server was installed, answered rightly and was measured."
    : lines.join("\n\n");
}

function failure(what, error) {
  return `- ${what}:\n\n${`${error}`
    .split("\n")
    .map((line) => `      ${line}`)
    .join("\n")}`;
}

function method({ options }) {
  return [
    `- All serve [models/gru512.onnx](models/gru512.onnx): 512 floats in, 8 out, 64 of recurrent state that the server keeps`,
    "  for each stream: Headrace by itself, the others in the map that one writes for it.",
    "- All run ONNX Runtime on one thread, the same release; `peers/README.md` says which settings are the best of each.",
    `- The server, with all its processes and threads, has core ${options.serverCore}; the load generator, native code, core ${options.clientCore}.`,
    "- Each repetition starts each server afresh. Before a form of requests is measured, the first steps of 16 streams at a",
    "  time must agree with ONNX Runtime run one by one, to 1e-5: nobody is measured doing less work.",
    "- The load is a closed loop: an answer makes room for the next request of its stream. A wrong status, an answer of the",
    "  wrong size, a lost connection or a request without an answer fails the server.",
  ].join("\n");
}

function settings({ peers }) {
  const rows = peers.map(({ title, settings: how, versions }) => [
    title,
    how,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ") || "not installed",
  ]);
  return markdownTable(["server", "settings", "versions"], rows, []);
}

/** What makes a figure less than it seems. */
function remark({ serverCpuFraction, saturated }) {
  if (saturated) return "generator saturated: a lower bound";
  if (serverCpuFraction < BUSY_CPU_FRACTION) return "did not fill its core, or shared it";
  return "";
}

function times(ratio) {
  return ratio === undefined ? "" : `${ratio.toFixed(1)}x`;
}

function millis(micros) {
  return (micros / 1000).toFixed(micros < 10_000 ? 2 : 1);
}

/**
 * @param {string[]} header
 * @param {string[][]} rows
 * @param {number[]} right columns that are aligned to the right
 */
function markdownTable(header, rows, right) {
  const widths = header.map((name, column) => Math.max(name.length, 3, ...rows.map((row) => row[column].length)));
  const pad = (cell, column) => (right.includes(column) ? cell.padStart(widths[column]) : cell.padEnd(widths[column]));
  const line = (cells) => `| ${cells.map(pad).join(" | ")} |`;
  const rule = widths.map((width, column) =>
    right.includes(column) ? `${"-".repeat(width - 1)}:` : "-".repeat(width),
  );
  return [line(header), `| ${rule.join(" | ")} |`, ...rows.map(line)].join("\n");
}
