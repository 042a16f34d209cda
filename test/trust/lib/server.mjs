// The server under test: a process of its own on one core, and the client on the other.

import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { cpuSecondsOf } from "../../../bench/lib/process-tree.mjs";

export const SERVER_CORE = 0;
export const CLIENT_CORE = 1;
const POLL_MS = 20;

/** Pins this process with all its threads: a client must not take time from the server. */
export function pinClient() {
  execFileSync("taskset", ["-a", "-c", "-p", String(CLIENT_CORE), String(process.pid)], { stdio: "ignore" });
}

/** Whether the system lets us have real-time threads, which have their core as soon as they want it. */
export const MAY_BE_REALTIME = spawnSync("chrt", ["--rr", "1", "true"]).status === 0;

/** The command, with its core to itself as far as it wants it: others on the core must not be taken for a slow server. */
export function first(command) {
  return MAY_BE_REALTIME ? ["chrt", "--rr", "1", ...command] : command;
}

/** @param {number} pid @returns {number} the file descriptors that a process has open, sockets included */
export function openFiles(pid) {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** The most of a process that ever was in memory, in MiB. */
export function peakMib(pid) {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

const TICKS_PER_SECOND = 100;

/** What has run on the server's core so far, whoever it was, in seconds: all of /proc/stat but idle and iowait. */
function coreSeconds() {
  const line = readFileSync("/proc/stat", "utf8")
    .split("\n")
    .find((text) => text.startsWith(`cpu${SERVER_CORE} `));
  const [user, nice, system, , , irq, softirq, steal] = line.split(" ").slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}

/**
 * A clock that stands still while others have the server's core: what a server gets done in its time does not depend on them.
 * @param {number} pid  of the server
 * @returns {() => number} the seconds so far, of which those of others are left out
 */
export function ownTime(pid) {
  const others = () => coreSeconds() - cpuSecondsOf(pid);
  const began = performance.now();
  const before = others();
  return () => (performance.now() - began) / 1000 - Math.max(0, others() - before);
}

/**
 * Looks until something is so; what is looked at has no event, as it is of another process.
 * @param {() => boolean | Promise<boolean>} isSo
 * @param {number} millis  at most
 * @returns {Promise<number | undefined>} the milliseconds that it took; undefined: it did not come to be
 */
export async function until(isSo, millis) {
  const began = performance.now();
  for (;;) {
    if (await isSo()) return performance.now() - began;
    if (performance.now() - began > millis) return undefined;
    await sleep(POLL_MS);
  }
}

/**
 * Waits for a promise, but not for ever. Rejects after `millis`.
 * @template T @param {number} millis @param {Promise<T>} promise @param {string} what @returns {Promise<T>}
 */
export async function within(millis, promise, what) {
  let timer;
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing came within ${millis} ms`)), millis);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
