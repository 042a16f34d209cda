/**
 * Builds the fuzz targets of what clients send under the address and undefined behaviour sanitizers, and runs each
 * for a while. What it learnt stays in build/fuzz/corpus, and what it found in build/fuzz/found.
 *
 *   node scripts/fuzz.mjs [--seconds 30] [--only NAME] [--compiler clang++-16]
 *
 * Ends with one line, "N passed, N failed", where N counts targets.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { dirname, join, parse } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ensureHeaders } from "./onnxruntime-headers.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCES = join(ROOT, "native", "fuzz");
const BUILD = join(ROOT, "build", "fuzz");

function works(command, ...args) {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function run(command, args, { quiet = false } = {}) {
  const result = spawnSync(command, args, { cwd: BUILD, encoding: "utf8", maxBuffer: 256 << 20 });
  if (result.error) throw result.error;
  if (!quiet || result.status !== 0) process.stdout.write(result.stdout + result.stderr);
  return result;
}

/** The folder of this name for a target, made where there is none. */
function folder(kind, target) {
  const path = join(BUILD, kind, target);
  mkdirSync(path, { recursive: true });
  return path;
}

/** Whether it found nothing. */
function fuzz(target, seconds) {
  const found = folder("found", target);
  const { status, stderr } = run(
    join(BUILD, "native", "fuzz", `fuzz_${target}`),
    [
      ...[`-max_total_time=${seconds}`, "-timeout=10", "-rss_limit_mb=1024", "-max_len=40000", "-len_control=20"],
      ...[
        `-dict=${join(SOURCES, target.includes("json") ? "json.dict" : "http.dict")}`,
        `-artifact_prefix=${found}/`,
        "-print_final_stats=1",
      ],
      ...[folder("corpus", target), join(SOURCES, "seeds", target)],
    ],
    { quiet: true },
  );
  const runs = /number_of_executed_units: *(\d+)/.exec(stderr)?.[1] ?? "no";
  process.stdout.write(`${target}: ${runs} inputs, ${status === 0 ? "nothing found" : `see ${found}`}\n`);
  return status === 0;
}

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "30" },
    only: { type: "string" },
    compiler: { type: "string", default: "clang++-16" },
  },
});
if (!/^[1-9]\d*$/.test(values.seconds)) fail(`--seconds is '${values.seconds}', it may be a whole number from 1`);
if (!works(values.compiler, "--version")) fail(`${values.compiler} was not found (Debian: apt-get install clang-16)`);
const targets = readdirSync(SOURCES)
  .filter((name) => name.endsWith(".cc"))
  .map((name) => parse(name).name)
  .filter((name) => values.only === undefined || name.includes(values.only));
if (targets.length === 0) fail(`no fuzz target has '${values.only}' in its name`);

mkdirSync(BUILD, { recursive: true });
const configured = run(
  "cmake",
  [
    ...["-S", ROOT, "-B", BUILD, "-DCMAKE_BUILD_TYPE=RelWithDebInfo", `-DCMAKE_CXX_COMPILER=${values.compiler}`],
    ...["-DHEADRACE_FUZZ=ON", "-DHEADRACE_WERROR=ON", "-DHEADRACE_SANITIZER=address"],
    `-DONNXRUNTIME_INCLUDE_DIR=${await ensureHeaders()}`,
    ...(works("ninja", "--version") ? ["-G", "Ninja"] : []),
  ],
  { quiet: true },
);
if (configured.status !== 0) process.exit(1);
const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? "2";
const wanted = targets.flatMap((target) => ["--target", `fuzz_${target}`]);
if (run("cmake", ["--build", BUILD, "--parallel", jobs, ...wanted], { quiet: true }).status !== 0) process.exit(1);

const failed = targets.filter((target) => !fuzz(target, Number(values.seconds))).length;
process.stdout.write(`${targets.length - failed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
