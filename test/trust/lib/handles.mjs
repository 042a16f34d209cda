// What a process holds of the operating system's: what it must have given back when its work is done.

import { readdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

const LOOK_MILLIS = 25;

/** @typedef {{ files: number, threads: number, resources: number }} Handles */

/** What this process holds now. @returns {Handles} */
export function handles() {
  return {
    // Reading the folder takes one itself.
    files: readdirSync("/proc/self/fd").length - 1,
    threads: readdirSync("/proc/self/task").length,
    resources: process.getActiveResourcesInfo().length,
  };
}

/**
 * What it holds, once that is no more than before; after a while, whatever it is then. The kernel tells nobody when a thread
 * has gone.
 * @param {Handles} before
 */
export async function settledHandles(before, millis = 10_000) {
  const limit = performance.now() + millis;
  for (;;) {
    const now = handles();
    if (Object.keys(before).every((kind) => now[kind] <= before[kind]) || performance.now() > limit) return now;
    await delay(LOOK_MILLIS);
  }
}
