/**
 * Builds the addon: checks what is needed, says in one message what to install where something is missing, and hands
 * over to CMake through cmake-js.
 *
 *   node scripts/build-native.mjs [--debug] [--sanitizer address|thread] [--werror] [--out DIR]
 */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ensureHeaders } from "./onnxruntime-headers.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const INSTALL = {
  linux: "On Debian and Ubuntu: apt-get install g++ cmake make. On Fedora: dnf install gcc-c++ cmake make.",
  darwin: "On macOS: xcode-select --install, and brew install cmake.",
  win32: "On Windows: install the Visual Studio Build Tools with the C++ workload, and CMake.",
};

function works(command, ...args) {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

/** What is missing for a build, as people call it. */
function missingTools() {
  const missing = [];
  if (!works("cmake", "--version")) missing.push("CMake 3.20 or later");
  if (process.platform !== "win32") {
    const compilers = [process.env.CXX, "c++", "g++", "clang++"].filter(Boolean);
    if (!compilers.some((compiler) => works(compiler, "--version"))) missing.push("a C++20 compiler (g++ 11 or later)");
    if (!["make", "ninja"].some((tool) => works(tool, "--version"))) missing.push("make or ninja");
  }
  return missing;
}

function fail(message) {
  process.stderr.write(`\nheadrace: the native engine was not built.\n${message}\n\n`);
  process.exit(1);
}

const { values } = parseArgs({
  options: {
    debug: { type: "boolean", default: false },
    sanitizer: { type: "string" },
    werror: { type: "boolean", default: Boolean(process.env.CI) },
    out: { type: "string", default: join("build", "native") },
  },
});

const missing = missingTools();
if (missing.length > 0) fail(`Missing: ${missing.join(", ")}. ${INSTALL[process.platform] ?? ""}`);

let headers = "";
try {
  headers = await ensureHeaders();
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}

const cmakeJs = createRequire(import.meta.url).resolve("cmake-js/bin/cmake-js");
const args = [cmakeJs, "compile", "--out", values.out, `--CDONNXRUNTIME_INCLUDE_DIR=${headers}`];
args.push(`--CDHEADRACE_WERROR=${values.werror ? "ON" : "OFF"}`, `--CDHEADRACE_SANITIZER=${values.sanitizer ?? ""}`);
if (values.debug) args.push("--debug");
const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? "2";
const run = spawnSync(process.execPath, args, {
  cwd: ROOT,
  encoding: "utf8",
  stdio: ["ignore", "pipe", "pipe"],
  env: { ...process.env, CMAKE_BUILD_PARALLEL_LEVEL: jobs },
  maxBuffer: 256 << 20,
});
if (run.status !== 0) {
  process.stderr.write(`${run.stdout}\n${run.stderr}\n`);
  fail(`The compiler's own messages are above. ${INSTALL[process.platform] ?? ""}`);
}
process.stdout.write(`headrace: native engine built in ${join(values.out, values.debug ? "Debug" : "Release")}\n`);
