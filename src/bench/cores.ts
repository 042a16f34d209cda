/** Which process runs where: a server and a generator that share a core measure each other. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { InvalidArgumentError } from "../errors.js";
import type { CorePlan } from "./options.js";

const CORE_LIST = /^\d+(-\d+)?(,\d+(-\d+)?)*$/;

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

/**
 * As asked for; else the first core for the server and the last one for the generator, where they are two.
 * @throws INVALID_ARGUMENT for cores that this process may not use.
 */
export function planCores(asked: CorePlan | false | undefined, cores = allowedCores()): CorePlan {
  if (asked === false) return {};
  refuseCores("--server-cores", asked?.server, cores);
  refuseCores("--generator-core", asked?.generator, cores);
  if (!hasTaskset()) return {};
  if (cores.length < 2) return { ...asked };
  return { server: `${cores[0]}`, generator: `${cores.at(-1)}`, ...asked };
}

function refuseCores(path: string, asked: string | undefined, cores: readonly number[]): void {
  if (asked === undefined) return;
  if (!CORE_LIST.test(asked)) {
    throw new InvalidArgumentError(`expected CPUs such as 0 or 0,2-3, got '${asked}'`, { path });
  }
  if (cores.length === 0) return;
  const last = Math.max(...cores);
  // Not listed in full: a range may have billions.
  const isThere = asked.split(",").every((part) => {
    const [first = 0, end = first] = part.split("-").map(Number);
    return first <= end && end <= last && coreList(part).every((core) => cores.includes(core));
  });
  if (isThere) return;
  throw new InvalidArgumentError(`expected some of the CPUs ${cores.join(", ")}, got '${asked}'`, { path });
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
