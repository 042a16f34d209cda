/**
 * Builds and runs the engine's C++ tests, plain or under a sanitizer, each in a build folder of its own.
 *
 *   node scripts/test-engine.mjs [--sanitizer address|thread] [--compiler clang++-16] [--only NAME]
 *
 * Ends with one line, "N passed, N failed", where N counts test programs.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ensureHeaders } from "./onnxruntime-headers.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** libonnxruntime of the installed onnxruntime-node. */
function ortLibrary() {
  const home = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  const folder = join(home, "bin", "napi-v6", process.platform, process.arch);
  const name = readdirSync(folder).find((file) => /^(lib)?onnxruntime[^_]*(\.so|\.dylib|\.dll)/.test(file));
  if (name === undefined) throw new Error(`no ONNX Runtime library in ${folder}: run \`npm ci\` first`);
  return join(folder, name);
}

function works(command, ...args) {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

/** Whether the compiler finds doctest's header. */
function hasDoctest(compiler) {
  const work = mkdtempSync(join(tmpdir(), "headrace-doctest-"));
  try {
    const probe = join(work, "probe.cc");
    writeFileSync(probe, "#include <doctest/doctest.h>\n");
    return works(compiler, "-std=c++20", "-fsyntax-only", probe);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Ends the process: 0 where tests are optional, 1 in CI, where they are not. */
function skip(why) {
  process.stdout.write(`engine tests skipped: ${why}\n`);
  process.exit(process.env.CI ? 1 : 0);
}

/** Runs a command with its output passed on; its output again, for reading. */
function run(command, args, { quiet = false } = {}) {
  const result = spawnSync(command, args, { cwd: ROOT, encoding: "utf8", maxBuffer: 256 << 20 });
  if (result.error) throw result.error;
  if (!quiet || result.status !== 0) process.stdout.write(result.stdout + result.stderr);
  return result;
}

const { values } = parseArgs({
  options: { sanitizer: { type: "string" }, compiler: { type: "string" }, only: { type: "string" } },
});
if (values.sanitizer !== undefined && !["address", "thread"].includes(values.sanitizer)) {
  process.stderr.write(`--sanitizer is '${values.sanitizer}', it may be 'address' or 'thread'\n`);
  process.exit(2);
}
const compiler =
  values.compiler ?? process.env.CXX ?? ["c++", "g++", "clang++"].find((name) => works(name, "--version"));
if (compiler === undefined || !works(compiler, "--version")) skip("no C++ compiler (apt-get install g++)");
if (!works("cmake", "--version")) skip("no CMake (apt-get install cmake)");
if (!hasDoctest(compiler)) skip("doctest is not installed (apt-get install doctest-dev, or brew install doctest)");

const suffix = [values.sanitizer, values.compiler && basename(values.compiler)].filter(Boolean);
const build = join(ROOT, "build", ["engine-tests", ...suffix].join("-"));
mkdirSync(build, { recursive: true });
const configured = run(
  "cmake",
  [
    ...["-S", ROOT, "-B", build, "-DCMAKE_BUILD_TYPE=RelWithDebInfo", `-DCMAKE_CXX_COMPILER=${compiler}`],
    ...["-DHEADRACE_TESTS=ON", "-DHEADRACE_WERROR=ON", `-DHEADRACE_SANITIZER=${values.sanitizer ?? ""}`],
    ...[`-DONNXRUNTIME_INCLUDE_DIR=${await ensureHeaders()}`, `-DHEADRACE_ORT_LIBRARY=${ortLibrary()}`],
    ...(works("ninja", "--version") ? ["-G", "Ninja"] : []),
  ],
  { quiet: true },
);
if (configured.status !== 0) process.exit(1);
const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? "2";
if (run("cmake", ["--build", build, "--parallel", jobs], { quiet: true }).status !== 0) process.exit(1);

const selection = values.only === undefined ? [] : ["-R", values.only];
const tested = run("ctest", ["--test-dir", build, "--output-on-failure", "--no-tests=error", ...selection]);
const counts = /(\d+) tests? failed out of (\d+)/.exec(tested.stdout);
if (counts === null) process.exit(1);
process.stdout.write(`${Number(counts[2]) - Number(counts[1])} passed, ${counts[1]} failed\n`);
process.exit(tested.status === 0 ? 0 : 1);
