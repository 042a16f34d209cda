// Programs that fuzzing runs.

import { spawn, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

export function works(command, ...args) {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

/** libonnxruntime of the installed onnxruntime-node. */
export function ortLibrary() {
  const home = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  const folder = join(home, "bin", "napi-v6", process.platform, process.arch);
  const name = readdirSync(folder).find((file) => /^(lib)?onnxruntime[^_]*(\.so|\.dylib|\.dll)/.test(file));
  if (name === undefined) throw new Error(`no ONNX Runtime library in ${folder}: run \`npm ci\` first`);
  return join(folder, name);
}

const running = new Set();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/**
 * A program to its end, and what it said.
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, mayFail?: boolean, stderr?: "pipe" | "ignore" }} options
 * @returns {Promise<{ status: number | string, output: string }>}
 */
export function run(command, args, { mayFail = false, stderr = "pipe", ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", stderr] });
    running.add(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text) => {
        output += text;
      });
    }
    child.once("error", reject);
    child.once("close", (code, signal) => {
      running.delete(child);
      const status = code ?? signal ?? "nothing";
      if (status === 0 || mayFail) resolve({ status, output });
      else reject(new Error(`${command} ${args.join(" ")} ended with ${status}:\n${output.slice(-8000)}`));
    });
  });
}
