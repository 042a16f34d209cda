// What every script of the trust suite is made of: its form, its figures, its pass lines, and the report at its end.

import { parseArgs } from "node:util";
import { stopAllOnSignals, stopAllProcesses } from "../../../bench/lib/processes.mjs";
import { progressLine } from "../../../bench/lib/progress.mjs";

/**
 * One pass line: what must hold, the goal in words, what was measured, and whether it holds.
 * @typedef {{ what: string, goal: string, measured: string, passed: boolean }} Line
 *
 * What a script printed, as JSON, on the last line of its standard output.
 * @typedef {{ name: string, form: "short" | "long", seed: number, seconds: number, figures: Record<string, number | string>,
 *   lines: Line[] }} Report
 *
 * @typedef {object} Check
 * @property {boolean} isLong     the long form was asked for
 * @property {Record<string, string>} options  those of the script's own that were given
 * @property {number} seed        of everything random: the same seed does the same
 * @property {(name: string, value: number | string) => void} figure  a figure to be kept; its unit is the end of its name
 * @property {(what: string, goal: string, measured: string | number, passed: boolean) => void} holds  a pass line
 * @property {(text: string) => void} progress  what is being done, on a terminal
 */

/**
 * Runs a script of the suite to its end. Exit status: 0 all lines hold, 1 one does not or the script failed, 2 wrong usage.
 * @param {{ name: string, about: string, own?: Record<string, string>, work: (check: Check) => Promise<void> }} script
 *   about: a line or more for --help; own: options that only this script has, each with its line for --help
 */
export async function trustCheck({ name, about, own = {}, work }) {
  const options = readOptions(name, about, own);
  if (options === undefined) return;
  stopAllOnSignals();
  const began = performance.now();
  const figures = {};
  const lines = [];
  const line = progressLine(process.stderr);
  const seconds = () => Math.round((performance.now() - began) / 100) / 10;
  try {
    await work({
      ...options,
      figure: (key, value) => {
        figures[key] = typeof value === "number" ? Number(value.toPrecision(6)) : value;
      },
      holds: (what, goal, measured, passed) => {
        lines.push({ what, goal, measured: String(measured), passed });
        line.clear();
        process.stderr.write(`${passed ? "ok    " : "FAILED"} ${what}: ${measured} (goal: ${goal})\n`);
      },
      progress: (text) => line.show(`${name}: ${text} (${seconds()} s)`),
    });
  } catch (error) {
    lines.push({ what: "the script itself", goal: "runs to its end", measured: error.message, passed: false });
    process.stderr.write(`${error.stack}\n`);
  } finally {
    line.clear();
    stopAllProcesses();
  }
  const report = {
    name,
    form: options.isLong ? "long" : "short",
    seed: options.seed,
    seconds: seconds(),
    figures,
    lines,
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exitCode = lines.length > 0 && lines.every(({ passed }) => passed) ? 0 : 1;
}

function readOptions(name, about, own) {
  try {
    const { values } = parseArgs({
      options: {
        ...Object.fromEntries(Object.keys(own).map((option) => [option, { type: "string" }])),
        long: { type: "boolean", default: false },
        seed: { type: "string", default: "1" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const { long, seed, help, ...rest } = values;
    if (!help) return { isLong: long, seed: wholeNumber("--seed", seed), options: rest };
    process.stdout.write(
      `Usage: node test/trust/${name}.mjs [options]\n\n${about}\n\n` +
        "  --long    as long as docs/reliability.md says; otherwise the short form that CI runs\n" +
        "  --seed N  of everything random (default 1)\n" +
        Object.entries(own)
          .map(([option, line]) => `  --${option} N  ${line}\n`)
          .join(""),
    );
  } catch (error) {
    process.stderr.write(`${name}: ${error.message}\n`);
    process.exitCode = 2;
  }
  return undefined;
}

/** @param {string} option @param {string} text */
export function wholeNumber(option, text) {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${option} wants a whole number, not '${text}'`);
  return Number(text);
}
