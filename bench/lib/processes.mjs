// The child processes of the benchmark. None outlives it, however it ends.

import { spawn } from "node:child_process";
import { killTree, processTree } from "./process-tree.mjs";

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

/** Kills at once whatever is still running, and what that started. */
export function stopAllProcesses() {
  for (const child of running) killTree(processTree(child.pid));
}

/** The same where this process is told to end, which then ends with the shell's status for that signal. */
export function stopAllOnSignals() {
  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ]) {
    process.once(signal, () => {
      stopAllProcesses();
      process.exit(status);
    });
  }
}

/**
 * A running program. `ended` resolves with its exit status or signal once it is gone.
 * @typedef {{ pid: number, output: () => { stdout: string, stderr: string }, ended: Promise<number | string>,
 *   kill: (signal: NodeJS.Signals) => void }} Program
 */

/**
 * Starts a program, its output collected.
 * @param {string[]} command
 * @param {{ cwd?: string, environment?: Record<string, string> }} [options]  environment: beside our own
 * @returns {Promise<Program>}
 */
export async function start(command, { cwd, environment } = {}) {
  const child = spawn(command[0], command.slice(1), {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_ENV: "production", ...environment },
  });
  const collected = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) {
    child[name].setEncoding("utf8").on("data", (text) => {
      collected[name] += text;
    });
  }
  const ended = new Promise((resolve) => {
    child.once("close", (status, signal) => {
      running.delete(child);
      resolve(status ?? signal);
    });
  });
  await new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => reject(new Error(`cannot run ${command[0]}: ${error.message}`)));
  });
  running.add(child);
  return { pid: child.pid, output: () => collected, ended, kill: (signal) => child.kill(signal) };
}

/**
 * Runs a program to its end.
 * @param {string[]} command
 * @param {{ cwd?: string, environment?: Record<string, string> }} [options]
 */
export async function run(command, options) {
  const program = await start(command, options);
  const status = await program.ended;
  return { status, ...program.output() };
}

/** Pins a command to one core. taskset replaces itself by the command, so the process id stays that of the command. */
export function pinned(core, command) {
  return ["taskset", "-c", String(core), ...command];
}
