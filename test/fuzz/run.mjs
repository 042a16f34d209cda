/**
 * One fuzz target of TypeScript: replays its corpus, then searches on, and ends with one line of JSON, a `TargetReport`.
 *
 *   node --expose-gc test/fuzz/run.mjs TARGET [--seconds N] [--seed N] [--corpus DIR] [--found DIR] [--minimise DIR]
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildSources, countInto } from "./lib/build.mjs";
import { Fuzzer } from "./lib/fuzzer.mjs";
import { watch } from "./lib/watchdog.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const SLOW_MILLIS = 1000;
const HUNG_MILLIS = 10_000;

/**
 * @typedef {object} TargetReport
 * @property {number} runs
 * @property {{ name: string, why: string }[]} findings  name: of the file with the input
 * @property {number} slowestMillis
 * @property {number} heapGrowthBytes  of what is reachable, from the first inputs to the last
 * @property {Record<string, { lines: number[], reached: number[] }>} files  of the decoders
 */

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "10" },
    seed: { type: "string", default: "1" },
    corpus: { type: "string" },
    found: { type: "string", default: join(HERE, "..", "..", "build", "fuzz-js", "found") },
    minimise: { type: "string" },
  },
});
const [name = ""] = positionals;
const sources = buildSources();
const coverage = countInto();
const { decoders, fuzz } = await import(`./targets/${name}.mjs`);
const tokens = decoders.flatMap((file) => sources.get(file).tokens);
const found = join(values.found, name);
const fuzzer = new Fuzzer({
  ...{ fuzz, coverage, found, slowMillis: SLOW_MILLIS, seed: Number(values.seed) },
  tokens: [...new Set(tokens)],
  begins: watch({ hungMillis: HUNG_MILLIS, found }),
});
for (const folder of [join(HERE, "seeds", name), values.corpus]) {
  if (folder !== undefined && existsSync(folder)) fuzzer.replay(folder);
}
const heapBefore = heapUsed();
fuzzer.search(Number(values.seconds));
const heapGrowthBytes = heapUsed() - heapBefore - bytesOf(fuzzer.corpus);
const files = Object.fromEntries(decoders.map((file) => [file, linesOf(file)]));
if (values.corpus !== undefined) fuzzer.keep(values.corpus, false);
if (values.minimise !== undefined) fuzzer.keep(values.minimise, true);
const { runs, findings, slowest: slowestMillis } = fuzzer;
process.stdout.write(`${JSON.stringify({ runs, findings, slowestMillis, heapGrowthBytes, files })}\n`);
process.exit(0);

function heapUsed() {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function bytesOf(buffers) {
  return buffers.reduce((sum, { length }) => sum + length, 0);
}

/** A line is reached when everything that begins in it is. */
function linesOf(file) {
  const { lines } = sources.get(file);
  const place = coverage.places.get(file);
  if (place === undefined) throw new Error(`${name} does not load ${file}`);
  const missed = new Set(lines.filter((_, index) => fuzzer.reached[place.start + index] === 0));
  const all = [...new Set(lines)].sort((a, b) => a - b);
  return { lines: all, reached: all.filter((line) => !missed.has(line)) };
}
