/** Which cores the server gets, and which the generator, so that neither is measured by what the other leaves it. */
import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

import type { Cores } from "./server.js";

/** The last core that this process may use is the generator's, the others are the server's. */
export function sharedOut(): Cores {
  const all = allowed();
  const generator = all.at(-1);
  if (all.length < 2 || !isInstalled("taskset")) return { server: [], generator: undefined };
  return { server: all.slice(0, -1), generator };
}

function allowed(): number[] {
  try {
    const [, list = ""] = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
    return coreList(list);
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

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
