/** Where figures come from; without it they mean little. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { arch, availableParallelism, cpus, loadavg, release, type as system, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import type { BenchMachine } from "./result.js";

const PACKAGE = fileURLToPath(new URL("../../", import.meta.url));

export function describeMachine(): BenchMachine {
  const { onnxruntime, governor, commit } = {
    onnxruntime: runtimeVersion(),
    governor: governorOf(),
    commit: commitOf(),
  };
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    os: `${system()} ${release()} ${arch()}`,
    node: process.version,
    ...(onnxruntime === undefined ? {} : { onnxruntime }),
    ...(governor === undefined ? {} : { governor }),
    loadAverage: loadavg()[0] ?? 0,
    ...(commit === undefined ? {} : { commit }),
  };
}

function runtimeVersion(): string | undefined {
  try {
    return (createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string }).version;
  } catch {
    return undefined; // a server elsewhere can be measured without it
  }
}

function governorOf(): string | undefined {
  const file = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
  return existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
}

/** Of a checkout of Headrace, not of whatever an installed package happens to lie in. */
function commitOf(): string | undefined {
  if (!existsSync(`${PACKAGE}.git`)) return undefined;
  try {
    const command = ["describe", "--always", "--dirty", "--abbrev=12"];
    return execFileSync("git", command, { cwd: PACKAGE, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}
