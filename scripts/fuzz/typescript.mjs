// The fuzz targets of TypeScript, test/fuzz/targets/*.mjs, each in a process of its own.

import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join, parse } from "node:path";
import { ROOT, run } from "./processes.mjs";

const FUZZ = join(ROOT, "test", "fuzz");
const BUILD = join(ROOT, "build", "fuzz-js");
/** What is reachable must not grow with the inputs: caches have their limits. */
const MAX_GROWTH_BYTES = 64 << 20;

export function typescriptTargets() {
  return readdirSync(join(FUZZ, "targets"))
    .filter((name) => name.endsWith(".mjs"))
    .map((name) => parse(name).name);
}

/** Writes what the targets load, before several of them would at once. */
export function buildTypescript() {
  const library = JSON.stringify(join(FUZZ, "lib", "build.mjs"));
  return run(process.execPath, ["-e", `import(${library}).then(({ buildSources }) => buildSources())`]);
}

function launch(target, args) {
  const corpus = join(BUILD, "corpus", target);
  mkdirSync(corpus, { recursive: true });
  return run(
    process.execPath,
    ["--expose-gc", join(FUZZ, "run.mjs"), target, "--corpus", corpus, "--found", join(BUILD, "found"), ...args],
    { mayFail: true },
  );
}

/** Searches for so long. @returns {Promise<import("./report.mjs").TargetResult>} */
export async function fuzzTypescript(target, { seconds, seed }) {
  const { status, output } = await launch(target, ["--seconds", String(seconds), "--seed", String(seed)]);
  const report = readReport(output);
  if (report === undefined) {
    const file = join(BUILD, "found", target, "hung");
    const why = status === "SIGKILL" ? "an input does not end" : output.slice(-2000);
    return { name: target, inputs: 0, slowestMillis: 0, findings: [{ file, why }], files: {} };
  }
  const findings = report.findings.map(({ name, why }) => ({ file: join(BUILD, "found", target, name), why }));
  if (report.heapGrowthBytes > MAX_GROWTH_BYTES)
    findings.push({ file: "", why: `leak: ${report.heapGrowthBytes} bytes` });
  return { name: target, inputs: report.runs, slowestMillis: report.slowestMillis, findings, files: report.files };
}

function readReport(output) {
  try {
    return JSON.parse(output.trimEnd().split("\n").at(-1) ?? "");
  } catch {
    return undefined;
  }
}

/** Lines of the decoders that any target reaches. @returns {import("./report.mjs").FileCoverage[]} */
export function typescriptCoverage(results) {
  const byFile = new Map();
  for (const [file, { lines, reached }] of results.flatMap(({ files = {} }) => Object.entries(files))) {
    const known = byFile.get(file) ?? { file, lines: lines.length, reached: new Set() };
    for (const line of reached) known.reached.add(line);
    byFile.set(file, known);
  }
  return [...byFile.values()].map(({ reached, ...rest }) => ({ ...rest, reached: reached.size }));
}

/** The seeds become few inputs that reach all that is known to be reached. */
export async function minimiseTypescript(target) {
  const few = join(BUILD, "few", target);
  rmSync(few, { recursive: true, force: true });
  const { status, output } = await launch(target, ["--seconds", "0", "--minimise", few]);
  if (status !== 0) throw new Error(`${target} could not be minimised:\n${output}`);
  const seeds = join(FUZZ, "seeds", target);
  rmSync(seeds, { recursive: true, force: true });
  renameSync(few, seeds);
}
