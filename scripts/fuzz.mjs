/**
 * Fuzzes what reads bytes of clients, files and other processes: the decoders of C++ under the address and undefined behaviour
 * sanitizers (native/fuzz), those of TypeScript by counters in their code (test/fuzz). An input that ends the program, leaks,
 * breaks what a target demands or takes more than a second is a finding.
 *
 *   node scripts/fuzz.mjs [--seconds 30] [--seed N] [--jobs 1] [--only NAME] [--compiler clang++-16] [--minimise]
 *
 * What it learnt stays in build/fuzz/corpus and build/fuzz-js/corpus, and what it found in `found` beside it. `--minimise` makes
 * few inputs of all that it knows and puts them in the place of the seeds.
 *
 * Ends with one line, "N passed, N failed", where N counts targets and, where all of them ran, the coverage of the decoders.
 */
import { parseArgs } from "node:util";
import { percent } from "../bench/lib/statistics.mjs";
import { LEAST_COVERAGE } from "./fuzz/decoders.mjs";
import { minimiseNative, nativeTargets } from "./fuzz/native.mjs";
import { COMPILER, fuzz, shareOf } from "./fuzz/report.mjs";
import { minimiseTypescript, typescriptTargets } from "./fuzz/typescript.mjs";

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function number(name, text) {
  if (!/^[1-9]\d*$/.test(text)) fail(`--${name} is '${text}', it may be a whole number from 1`);
  return Number(text);
}

function tell({ name, inputs, slowestMillis, findings }) {
  const outcome =
    findings.length === 0 ? "nothing found" : findings.map(({ file, why }) => `${why}\n  ${file}`).join("\n");
  process.stdout.write(`${name}: ${inputs} inputs, the slowest ${Math.round(slowestMillis)} ms: ${outcome}\n`);
}

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "30" },
    seed: { type: "string", default: "1" },
    jobs: { type: "string", default: "1" },
    only: { type: "string" },
    compiler: { type: "string", default: COMPILER },
    minimise: { type: "boolean", default: false },
  },
});
const { only, compiler } = values;
const [seconds, seed, jobs] = ["seconds", "seed", "jobs"].map((name) => number(name, values[name]));
const report = await fuzz({ seconds, seed, jobs, only, compiler, told: tell }).catch((error) => fail(error.message));
if (values.minimise) {
  const chosen = (names) => names.filter((name) => name.includes(only ?? ""));
  for (const name of chosen(nativeTargets())) await minimiseNative(name);
  for (const name of chosen(typescriptTargets())) await minimiseTypescript(name);
}
for (const file of report.coverage) process.stdout.write(`${percent(shareOf([file])).padStart(8)} ${file.file}\n`);
const share = shareOf(report.coverage);
process.stdout.write(
  `${percent(share)} of the decoders' lines are reached, at least ${percent(LEAST_COVERAGE)} are wanted\n`,
);
const outcomes = report.targets.map(({ findings }) => findings.length === 0);
// A part of the targets reaches a part of the lines.
if (only === undefined) outcomes.push(share >= LEAST_COVERAGE);
const passed = outcomes.filter((isGood) => isGood).length;
process.stdout.write(`${passed} passed, ${outcomes.length - passed} failed\n`);
process.exitCode = passed === outcomes.length ? 0 : 1;
