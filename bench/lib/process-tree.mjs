// The processes of a server: itself and whatever it started, for what they cost and for their end.

import { readdirSync, readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100; // USER_HZ, the same for all programs on Linux

/** @typedef {{ pid: number, parent: number, cpuSeconds: number, startedAt: string }} Process */

/**
 * A process and its descendants. One whose parent ended before is no longer known as a descendant.
 * @returns {Process[]}
 */
export function processTree(pid) {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
  const tree = all.filter((candidate) => candidate.pid === pid);
  for (const known of tree) tree.push(...all.filter(({ parent }) => parent === known.pid));
  return tree;
}

/** Ends those of a tree that still run. A number that has been given to another process since is not one of them. */
export function killTree(tree) {
  for (const { pid, startedAt } of tree) {
    if (readProcess(pid)?.startedAt !== startedAt) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if (error.code !== "ESRCH") throw error; // it ended by itself just now
    }
  }
}

/** What a server's processes have computed so far. */
export function cpuSecondsOf(pid) {
  return processTree(pid).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
}

/** @returns {Process | undefined} nothing for a process that is gone, or that only waits to be reaped */
function readProcess(pid) {
  let text;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The name in parentheses may hold anything; the fields after it are numbered from 3 on in proc(5).
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number) => fields[number - 3];
  if (field(3) === "Z") return undefined;
  return {
    pid,
    parent: Number(field(4)),
    cpuSeconds: (Number(field(14)) + Number(field(15))) / TICKS_PER_SECOND,
    startedAt: field(22),
  };
}
