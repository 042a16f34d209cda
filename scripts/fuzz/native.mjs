// The fuzz targets of C++, native/fuzz/*.cc, by libFuzzer: built under the address and undefined behaviour sanitizers to search,
// and with coverage to see what their inputs reach.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join, parse, relative } from "node:path";
import { ensureHeaders } from "../onnxruntime-headers.mjs";
import { isNativeDecoder } from "./decoders.mjs";
import { ortLibrary, ROOT, run, works } from "./processes.mjs";

const SOURCES = join(ROOT, "native", "fuzz");
const SEEDS = join(SOURCES, "seeds");
const BUILD = join(ROOT, "build", "fuzz");
const COVERAGE = join(ROOT, "build", "fuzz-coverage");
const SUPPRESSIONS = join(ROOT, "native", "test", "lsan.supp");
const OPTIONS = ["-rss_limit_mb=2048", "-max_len=40000", "-len_control=20", "-timeout=1"];
/** Larger inputs are not kept among the seeds. */
const MAX_SEED_BYTES = 2048;

export function nativeTargets() {
  return readdirSync(SOURCES)
    .filter((name) => name.endsWith(".cc"))
    .map((name) => parse(name).name);
}

/** What is missing, and how to get it; undefined where nothing is. */
export function missingForNative(compiler) {
  const version = /-\d+$/.exec(compiler)?.[0] ?? "";
  const tools = [compiler, `llvm-cov${version}`, `llvm-profdata${version}`, "cmake"];
  // llvm-profdata knows no --version, and says so.
  const missing = tools.filter((tool) => !works(tool, tool.includes("profdata") ? "merge" : "--version", "--help"));
  if (missing.length === 0) return undefined;
  return `${missing.join(", ")} was not found (Debian: apt-get install clang-16 llvm-16 cmake)`;
}

/** @param {string} folder @param {string} compiler @param {readonly string[]} targets @param {readonly string[]} options of CMake */
async function build(folder, compiler, targets, options) {
  mkdirSync(folder, { recursive: true });
  await run("cmake", [
    ...["-S", ROOT, "-B", folder, "-DCMAKE_BUILD_TYPE=RelWithDebInfo", `-DCMAKE_CXX_COMPILER=${compiler}`],
    ...["-DHEADRACE_FUZZ=ON", "-DHEADRACE_WERROR=ON", ...options],
    ...[`-DONNXRUNTIME_INCLUDE_DIR=${await ensureHeaders()}`, `-DHEADRACE_ORT_LIBRARY=${ortLibrary()}`],
    ...(works("ninja", "--version") ? ["-G", "Ninja"] : []),
  ]);
  const wanted = targets.flatMap((target) => ["--target", `fuzz_${target}`]);
  await run("cmake", ["--build", folder, "--parallel", process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? "2", ...wanted]);
}

export function buildNative(compiler, targets) {
  return build(BUILD, compiler, targets, ["-DHEADRACE_SANITIZER=address"]);
}

const program = (folder, target) => join(folder, "native", "fuzz", `fuzz_${target}`);

function folderOf(kind, target) {
  const path = join(BUILD, kind, target);
  mkdirSync(path, { recursive: true });
  return path;
}

function inputsOf(target) {
  const seeds = join(SEEDS, target);
  return [folderOf("corpus", target), ...(existsSync(seeds) ? [seeds] : [])];
}

function launch(target, args) {
  const env = { ...process.env, LSAN_OPTIONS: `suppressions=${SUPPRESSIONS}:print_suppressions=0` };
  return run(program(BUILD, target), [...OPTIONS, ...args], { cwd: BUILD, env, mayFail: true });
}

/** Searches for so long. @returns {Promise<import("./report.mjs").TargetResult>} */
export async function fuzzNative(target, { seconds, seed }) {
  const result = { name: target, inputs: 0, slowestMillis: 0, findings: [] };
  const dictionary = target.includes("infer") ? "json.dict" : "http.dict";
  // All that is kept first, however long it takes: on a busy machine the time might be over before.
  let isOver = await searchOnce(result, ["-runs=0", `-seed=${seed}`]);
  const until = performance.now() + 1000 * seconds;
  // An input that was slow once, and is not when it is tried again, ends the program, and not the search.
  for (let turn = 0; !isOver; turn++) {
    const left = Math.ceil((until - performance.now()) / 1000);
    if (left <= 0) break;
    const args = [`-max_total_time=${left}`, `-seed=${seed + turn}`, `-dict=${join(SOURCES, dictionary)}`];
    isOver = await searchOnce(result, args);
  }
  return result;
}

/** Adds to a target's result; true: there is a finding. */
async function searchOnce(result, args) {
  const { name: target } = result;
  const found = folderOf("found", target);
  const before = new Set(readdirSync(found));
  const all = [...args, `-artifact_prefix=${found}/`, "-print_final_stats=1", ...inputsOf(target)];
  const { status, output } = await launch(target, all);
  result.inputs += Number(/number_of_executed_units: *(\d+)/.exec(output)?.[1] ?? 0);
  const slowest = 1000 * Number(/slowest_unit_time_sec: *(\d+)/.exec(output)?.[1] ?? 0);
  const files = readdirSync(found).filter((name) => !before.has(name));
  for (const name of files) {
    if (await isRepeated(target, join(found, name)))
      result.findings.push({ file: join(found, name), why: whyOf(name, output) });
  }
  if (status !== 0 && files.length === 0) result.findings.push({ file: "", why: output.slice(-2000) });
  // What was slow once only was the machine.
  if (status === 0 || result.findings.length > 0) result.slowestMillis = Math.max(result.slowestMillis, slowest);
  return result.findings.length > 0;
}

/** A machine that does other things can make any input slow once. */
async function isRepeated(target, file) {
  if (!/\/(timeout|slow-unit)-/.test(file)) return true;
  for (let turn = 0; turn < 3; turn++) if ((await launch(target, [file])).status === 0) return false;
  return true;
}

function whyOf(name, output) {
  const said = /^(?:does not hold: .*|==\d+==ERROR: .*|.*runtime error: .*|SUMMARY: .*)$/m.exec(output)?.[0];
  return `${name.split("-", 1)[0]}: ${said ?? "see its output"}`;
}

/** How many lines of the C++ decoders the kept inputs reach. @returns {Promise<import("./report.mjs").FileCoverage[]>} */
export async function nativeCoverage(compiler, targets) {
  const version = /-\d+$/.exec(compiler)?.[0] ?? "";
  await build(COVERAGE, compiler, targets, ["-DCMAKE_CXX_FLAGS=-fprofile-instr-generate -fcoverage-mapping"]);
  const profiles = join(COVERAGE, "profiles");
  rmSync(profiles, { recursive: true, force: true });
  for (const target of targets) {
    const env = { ...process.env, LLVM_PROFILE_FILE: join(profiles, `${target}.profraw`) };
    await run(program(COVERAGE, target), ["-runs=0", ...OPTIONS, ...inputsOf(target)], { env });
  }
  const merged = join(profiles, "all.profdata");
  const raw = targets.map((target) => join(profiles, `${target}.profraw`));
  await run(`llvm-profdata${version}`, ["merge", "-sparse", "-o", merged, ...raw]);
  const [first = "", ...others] = targets.map((target) => program(COVERAGE, target));
  const objects = [first, ...others.flatMap((path) => ["-object", path])];
  const { output } = await run(
    `llvm-cov${version}`,
    ["export", "-summary-only", `-instr-profile=${merged}`, ...objects],
    {
      stderr: "ignore",
    },
  );
  return JSON.parse(output)
    .data[0].files.map(({ filename, summary }) => ({
      file: relative(join(ROOT, "native"), filename),
      lines: summary.lines.count,
      reached: summary.lines.covered,
    }))
    .filter(({ file }) => isNativeDecoder(file))
    .map(({ file, ...counts }) => ({ file: join("native", file), ...counts }));
}

/** The seeds become few inputs that reach all that is known to be reached. */
export async function minimiseNative(target) {
  rmSync(join(BUILD, "few", target), { recursive: true, force: true });
  const few = folderOf("few", target);
  const seeds = join(SEEDS, target);
  const args = ["-set_cover_merge=1", "-use_counters=0", `-max_len=${MAX_SEED_BYTES}`, few, ...inputsOf(target)];
  const { status, output } = await launch(target, args);
  if (status !== 0) throw new Error(`${target} could not be minimised:\n${output}`);
  rmSync(seeds, { recursive: true, force: true });
  renameSync(few, seeds);
}
