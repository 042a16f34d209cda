/** Which process runs where: a server and a generator that share a core measure each other. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { CorePlan } from "./options.js";

/** The CPUs that this process may use. */
export function allowedCores(): number[] {
  try {
    return coreList(/^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "");
  } catch {
    // Not Linux, or /proc is not there: nobody is put anywhere.
    return [];
  }
}

/** `0-2,5` is 0, 1, 2 and 5. */
export function coreList(text: string): number[] {
  return text
    .split(",")
    .filter((part) => part !== "")
    .flatMap((part) => {
      const [first = 0, last = first] = part.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
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

/** Who runs where; empty and undefined: wherever the system likes. */
export interface SharedCores {
  readonly server: readonly number[];
  readonly generator: number | undefined;
}

/** The last core that this process may use is the generator's, all others are the server's. */
export function sharedOut(): SharedCores {
  const all = allowedCores();
  if (all.length < 2 || !hasTaskset()) return { server: [], generator: undefined };
  return { server: all.slice(0, -1), generator: all.at(-1) };
}

/** A command as it runs on these cores. */
export function pinned(cores: string | undefined, command: readonly [string, ...string[]]): [string, ...string[]] {
  return cores === undefined ? [...command] : ["taskset", "-c", cores, ...command];
}
