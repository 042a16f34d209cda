// Runs the fuzz targets and puts together what they found.

import { buildNative, fuzzNative, missingForNative, nativeCoverage, nativeTargets } from "./native.mjs";
import { buildTypescript, fuzzTypescript, typescriptCoverage, typescriptTargets } from "./typescript.mjs";

/**
 * @typedef {object} TargetResult
 * @property {string} name
 * @property {number} inputs
 * @property {number} slowestMillis
 * @property {{ file: string, why: string }[]} findings  file: the input, where there is one
 * @property {Record<string, { lines: number[], reached: number[] }>} [files]
 *
 * @typedef {{ file: string, lines: number, reached: number }} FileCoverage
 *
 * @typedef {object} FuzzOptions
 * @property {number} seconds  for each target
 * @property {number} seed
 * @property {number} [jobs]  targets that run at a time
 * @property {string} [compiler]
 * @property {string} [only]  a part of the names of those to run
 * @property {(text: string) => void} [progress]
 * @property {(result: TargetResult) => void} [told]  of each target that is done
 */

export const COMPILER = "clang++-16";

/**
 * @param {FuzzOptions} options
 * @returns {Promise<{ targets: TargetResult[], coverage: FileCoverage[] }>} Throws an Error that says what to install.
 */
export async function fuzz({
  seconds,
  seed,
  jobs = 1,
  compiler = COMPILER,
  only = "",
  progress = () => {},
  told = () => {},
}) {
  const native = nativeTargets().filter((name) => name.includes(only));
  const typescript = typescriptTargets().filter((name) => name.includes(only));
  if (native.length + typescript.length === 0) throw new Error(`no fuzz target has '${only}' in its name`);
  const missing = native.length === 0 ? undefined : missingForNative(compiler);
  if (missing !== undefined) throw new Error(missing);
  progress("building");
  if (typescript.length > 0) await buildTypescript();
  if (native.length > 0) await buildNative(compiler, native);
  const works = [
    ...typescript.map((name) => [name, () => fuzzTypescript(name, { seconds, seed })]),
    ...native.map((name) => [name, () => fuzzNative(name, { seconds, seed })]),
  ];
  const targets = await pool(works, jobs, progress, told);
  progress("coverage");
  const coverage = [
    ...typescriptCoverage(targets),
    ...(native.length === 0 ? [] : await nativeCoverage(compiler, native)),
  ];
  return { targets, coverage };
}

/** The results of all, in their order, so many at a time. */
async function pool(works, jobs, progress, told) {
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < works.length) {
      const index = next++;
      const [name, work] = works[index];
      progress(name);
      results[index] = await work();
      told(results[index]);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return results;
}

/** The share of lines that are reached. @param {readonly FileCoverage[]} files */
export function shareOf(files) {
  const sum = (of) => files.reduce((total, file) => total + of(file), 0);
  return (
    sum(({ reached }) => reached) /
    Math.max(
      1,
      sum(({ lines }) => lines),
    )
  );
}
