/** Which process runs where: a server and a generator that share a core measure each other. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { CorePlan } from "./options.js";

/** The CPUs that this process may use. */
export function allowedCores(): number[] {
  try {
    const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
    return list.split(",").flatMap((range) => {
      const [first = 0, last = first] = range.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
  } catch {
    return [];
  }
}

function hasTaskset(): boolean {
  try {
    execFileSync("taskset", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** As asked for; else the first core for the server and the last one for the generator, where they are two. */
export function planCores(asked: CorePlan | false | undefined): CorePlan {
  if (asked === false || !hasTaskset()) return {};
  const cores = allowedCores();
  if (cores.length < 2) return { ...asked };
  return { server: `${cores[0]}`, generator: `${cores.at(-1)}`, ...asked };
}

/** A command as it runs on these cores. */
export function pinned(cores: string | undefined, command: readonly [string, ...string[]]): [string, ...string[]] {
  return cores === undefined ? [...command] : ["taskset", "-c", cores, ...command];
}
