/** What a reader has to know before believing a figure. Every way of showing a result shows these first. */
import type { BenchCase, BenchResult, Repetition } from "../result.js";
import { whole } from "./format.js";

/** `bad`: figures may be of something else than the model served well. `doubt`: they may not repeat. */
export interface Warning {
  readonly level: "bad" | "doubt";
  readonly text: string;
  /** Names of the cases. */
  readonly cases: readonly string[];
}

/** A generator that did less than this share of its schedule did not keep it. */
const KEPT = 0.98;

export function warningsOf(result: BenchResult): Warning[] {
  const { cases, machine } = result;
  const found = [
    errors(cases),
    unfinished(cases),
    of(
      cases,
      "bad",
      "the generator was saturated: rates are lower bounds, latencies are its own",
      (one) => one.summary.saturated,
    ),
    of(cases, "bad", "the rate offered was not reached: latency grows for as long as one measures", behind),
    of(
      cases,
      "doubt",
      "not stable: the last windows differ by more than the method allows",
      (one) => !one.summary.stable,
    ),
    of(
      cases,
      "doubt",
      "fewer than three repetitions: how far figures repeat is not known",
      (one) => one.repetitions.length < 3,
    ),
    busyMachine(machine),
  ];
  return found.filter((one) => one !== undefined);
}

/** A warning and the cases that it is about, the first few by name. */
export function warningText({ text, cases }: Omit<Warning, "level">, most = 4): string {
  if (cases.length === 0) return text;
  const more = cases.length > most ? ` and ${cases.length - most} more` : "";
  return `${text} (${cases.slice(0, most).join(", ")}${more})`;
}

function of(
  cases: readonly BenchCase[],
  level: Warning["level"],
  text: string,
  when: (one: BenchCase) => boolean,
): Warning | undefined {
  const names = cases.filter(when).map(({ name }) => name);
  return names.length === 0 ? undefined : { level, text, cases: names };
}

function errors(cases: readonly BenchCase[]): Warning | undefined {
  const hit = cases.filter(({ summary }) => summary.errors > 0);
  const first = hit.flatMap(({ repetitions }) => repetitions.map(({ firstError }) => firstError)).find(Boolean);
  const count = hit.reduce((sum, { summary }) => sum + summary.errors, 0);
  const why = first === undefined ? "" : `, the first: ${first}`;
  return of(hit, "bad", `${whole(count)} request${count === 1 ? "" : "s"} failed${why}`, () => true);
}

function unfinished(cases: readonly BenchCase[]): Warning | undefined {
  // A closed loop always ends with its last requests in flight.
  const inFlight = ({ mode, load, repetitions }: BenchCase): number =>
    mode === "closed" ? (load.concurrency ?? 0) * repetitions.length : 0;
  const hit = cases.filter((one) => one.summary.unfinished > inFlight(one));
  const count = hit.reduce((sum, { summary }) => sum + summary.unfinished, 0);
  return of(hit, "bad", `${whole(count)} due and not answered at the end, in no percentile`, () => true);
}

function behind({ repetitions }: BenchCase): boolean {
  const late = ({ offeredPerSecond, ratePerSecond }: Repetition): boolean =>
    offeredPerSecond !== undefined && ratePerSecond < offeredPerSecond * KEPT;
  return repetitions.some(late);
}

function busyMachine({ loadAverage, cores }: BenchResult["machine"]): Warning | undefined {
  if (loadAverage === undefined || loadAverage < cores * 0.25) return undefined;
  const text = `the machine was busy before the first case: load average ${loadAverage.toFixed(2)} on ${cores} cores`;
  return { level: "doubt", text, cases: [] };
}
