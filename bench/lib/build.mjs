// What must be there before anything can be measured: the native programs and the peer's dependencies.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { LOADGEN, NATIVE_BUILD, NATIVE_SOURCE } from "./paths.mjs";
import { run } from "./processes.mjs";

/** The load generator is built with the addon. */
export function needGenerator() {
  if (process.platform !== "linux") throw new Error("the benchmark needs Linux: epoll, /proc and taskset");
  if (!existsSync(LOADGEN)) throw new Error("the load generator is not built: run `npm run build:native`");
}

/** Builds the bare loop. The compiler's output is shown only when it fails. */
export async function buildBareLoop() {
  const headers = await onnxruntimeHeaders();
  await must("configure bench/native", [
    "cmake",
    "-S",
    NATIVE_SOURCE,
    "-B",
    NATIVE_BUILD,
    "-DCMAKE_BUILD_TYPE=Release",
    `-DONNXRUNTIME_INCLUDE_DIR=${headers}`,
  ]);
  await must("build bench/native", ["cmake", "--build", NATIVE_BUILD]);
}

/** Installs a peer's locked dependencies when they are missing. */
export async function installPeer(directory) {
  if (existsSync(join(directory, "node_modules"))) return;
  await must("install the peer's dependencies", ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: directory,
  });
}

async function onnxruntimeHeaders() {
  if (process.env.ONNXRUNTIME_INCLUDE_DIR) return process.env.ONNXRUNTIME_INCLUDE_DIR;
  const { ensureHeaders } = await import("../../scripts/onnxruntime-headers.mjs");
  return ensureHeaders();
}

async function must(what, command, options) {
  const { status, stdout, stderr } = await run(command, options);
  if (status !== 0) throw new Error(`cannot ${what} (${command.join(" ")} ended with ${status})\n${stdout}${stderr}`);
}
