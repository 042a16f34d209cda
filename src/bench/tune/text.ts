/** What tune found, for the terminal: what was tried, what won and why, and what to paste. */
import { change, digits, duration, loadText, percent, whole } from "../report/format.js";
import { configurationText, keyOf } from "./configuration.js";
import type { Pasteable } from "./paste.js";
import type { Outcome } from "./search.js";
import type { Trial } from "./trial.js";
import type { Neighbourhood, TuneResult } from "./tune.js";

export interface TunePaint {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
}

const HEAD = [
  "",
  "execution",
  "lanes",
  "threads",
  "max batch",
  "delay",
  "load",
  "steps/s",
  "p50",
  "p99",
  "CPU",
  "mean batch",
  "",
];
const LEFT = new Set([0, 1, 6, 12]);

/** Lines of text that end with a line feed. `paste` is for the winner. */
export function tuneText(result: TuneResult, paste: Pasteable | undefined, paint: TunePaint): string {
  return [
    `${paint.bold("tried")}, in this order, each under the load that speaks for it:\n`,
    trialTable(result, paint),
    "\n",
    ...(paste === undefined ? nothing(result, paint) : verdict(result, paste, paint)),
  ].join("");
}

function trialTable(result: TuneResult, paint: TunePaint): string {
  const chosen = result.winner === undefined ? undefined : keyOf(result.winner.configuration);
  const rows = result.outcomes.map(({ best }) => ({
    best,
    cells: trialCells(best, keyOf(best.configuration) === chosen),
  }));
  const widths = HEAD.map((title, i) => Math.max(title.length, ...rows.map(({ cells }) => (cells[i] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (LEFT.has(i) ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  const shown = rows.map(({ best, cells }) => {
    if (keyOf(best.configuration) === chosen) return paint.green(line(cells));
    return best.failure === undefined ? line(cells) : paint.dim(line(cells));
  });
  return [paint.dim(line(HEAD)), ...shown].map((text) => `  ${text}\n`).join("");
}

function trialCells({ configuration, load, measured, failure }: Trial, isChosen: boolean): string[] {
  const { execution, lanes, intraOpThreads, maxSize, maxDelayMicros } = configuration;
  const { ratePerSecond, latencyMicros, cpuFraction, meanBatch } = measured;
  return [
    isChosen ? ">" : "",
    execution,
    execution === "lanes" ? String(lanes) : "-",
    String(intraOpThreads),
    String(maxSize),
    `${maxDelayMicros} us`,
    loadText(load),
    whole(ratePerSecond),
    duration(latencyMicros.p50),
    duration(latencyMicros.p99),
    cpuFraction === undefined ? "-" : percent(cpuFraction),
    meanBatch === undefined ? "-" : digits(meanBatch),
    failure ?? (measured.saturated ? "met, the generator was the limit" : "met"),
  ];
}

function verdict(result: TuneResult, paste: Pasteable, paint: TunePaint): string[] {
  const { winner, objective, outcomes } = result;
  if (winner === undefined) return [];
  const { measured, load, configuration } = winner;
  const figure = `${objective.percentile} ${duration(measured.latencyMicros[objective.percentile])}`;
  return [
    `${paint.bold(paint.green(configurationText(configuration)))}\n`,
    `  meets "${objective.text}": ${figure} at ${whole(measured.ratePerSecond)} steps/s, ${loadText(load)} (median of the confirmation)\n`,
    ...against(result).map((text) => `  ${text}\n`),
    ...result.neighbours.flatMap((one) => reasons(one, winner, outcomes)).map((text) => `  ${paint.dim(text)}\n`),
    ...notes(result).map((text) => `${paint.red("note:")} ${text}\n`),
    `\n${paint.bold("TypeScript")}\n${paste.typescript}`,
    `\n${paint.bold("headrace.yaml")} (headrace run)\n${paste.yaml}`,
    `\n${paint.bold("config.pbtxt")} (headrace serve --models)\n${paste.pbtxt}`,
    `\n${paint.bold("command line")}\n${paste.command}\n`,
  ];
}

/** The winner beside the default, both from the confirmation. */
function against({ winner, baseline }: TuneResult): string[] {
  if (winner === undefined || baseline === undefined) return [];
  if (keyOf(winner.configuration) === keyOf(baseline.configuration)) {
    return ["This is the default: nothing that was tried is better by more than the noise."];
  }
  const [now, then] = [winner.measured, baseline.measured];
  const changes = [
    winner.load.mode === "closed" ? `steps/s ${change(now.ratePerSecond / then.ratePerSecond - 1)}` : "",
    `p50 ${change(now.latencyMicros.p50 / then.latencyMicros.p50 - 1)}`,
    `p99 ${change(now.latencyMicros.p99 / then.latencyMicros.p99 - 1)}`,
    now.cpuFraction === undefined || then.cpuFraction === undefined
      ? ""
      : `CPU ${change(now.cpuFraction / then.cpuFraction - 1)}`,
  ];
  const missed = baseline.failure === undefined ? "" : `, which does not meet the objective (${baseline.failure})`;
  const name = configurationText(baseline.configuration);
  return [`against the default (${name}) under the same load: ${changes.filter(Boolean).join(", ")}${missed}`];
}

/** What the other settings of one axis did, each at its own best load. */
function reasons({ axis, outcomes }: Neighbourhood, winner: Trial, all: readonly Outcome[]): string[] {
  const key = keyOf(winner.configuration);
  const own = all.find((one) => keyOf(one.configuration) === key)?.best ?? winner;
  const others = outcomes.filter((one) => keyOf(one.configuration) !== key);
  if (others.length === 0) return [];
  return [`${axis}: ${others.map(({ best }) => `${settingText(axis, best)} ${comparedTo(own, best)}`).join("; ")}`];
}

function settingText(axis: string, { configuration }: Trial): string {
  const { execution, lanes, intraOpThreads, maxSize, maxDelayMicros } = configuration;
  if (axis === "intraOpThreads") return String(intraOpThreads);
  if (axis.endsWith("maxSize")) return String(maxSize);
  if (axis.endsWith("maxDelayMicros")) return String(maxDelayMicros);
  return execution === "inline" ? "inline" : `${lanes} lane${lanes === 1 ? "" : "s"}`;
}

function comparedTo(own: Trial, other: Trial): string {
  if (other.failure !== undefined) return `misses it (${other.failure})`;
  const [a, b] = [own.measured, other.measured];
  if (own.load.mode === "closed") return `${change(b.ratePerSecond / a.ratePerSecond - 1)} steps/s`;
  const cpu =
    a.cpuFraction === undefined || b.cpuFraction === undefined
      ? ""
      : `CPU ${change(b.cpuFraction / a.cpuFraction - 1)}, `;
  return `${cpu}p99 ${change(b.latencyMicros.p99 / a.latencyMicros.p99 - 1)}`;
}

function notes({ cutShort, withdrawn, winner }: TuneResult): string[] {
  return [
    ...withdrawn.map(
      (one) =>
        `${configurationText(one.configuration)} looked better in the search, and did not when measured again beside the default`,
    ),
    cutShort ? "the search stopped at its limit of configurations; --configurations lets it try more" : "",
    winner?.measured.saturated ? "the generator was saturated: the server can do more than this" : "",
  ].filter(Boolean);
}

function nothing(result: TuneResult, paint: TunePaint): string[] {
  const { objective, outcomes, calibration, goal } = result;
  const { percentile, limitMicros } = objective;
  const closest = outcomes
    .map(({ best }) => best)
    .reduce((a, b) => (b.measured.latencyMicros[percentile] < a.measured.latencyMicros[percentile] ? b : a));
  const one = calibration.timings.find(({ rows }) => rows === 1)?.micros;
  const alone =
    one !== undefined && one >= limitMicros
      ? `One run of the model for one step takes ${duration(one)} already: no configuration can meet it on this machine.`
      : undefined;
  return [
    `${paint.bold(paint.red(`nothing that was tried meets "${objective.text}"`))}\n`,
    `  closest: ${configurationText(closest.configuration)}: ${percentile} ${duration(closest.measured.latencyMicros[percentile])} at ${loadText(closest.load)}; ${closest.failure ?? "met once, not when measured again"}\n`,
    alone === undefined ? "" : `  ${alone}\n`,
    goal === "throughput" || alone !== undefined
      ? ""
      : "  --max-throughput finds the load that the objective leaves room for.\n",
    ...notes(result).map((text) => `${paint.red("note:")} ${text}\n`),
  ];
}
