// Servers under test: started afresh for every measurement, pinned, awaited until ready, and stopped.

import { existsSync } from "node:fs";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { killTree, processTree } from "./process-tree.mjs";
import { pinned, start } from "./processes.mjs";

const START_SECONDS = 30;
const POLL_MS = 50;
const STOP_TIMEOUT_MS = 5_000;
const FIRST_PORT = 20_000;
const PORTS = 10_000;

/**
 * @typedef {object} Server
 * @property {(...ports: (number | string)[]) => string[]} command
 * @property {number} [ports]         how many it wants, one by default; `readyPath` is asked for at the first
 * @property {Record<string, string>} [environment]  beside our own
 * @property {number} [startSeconds]  how long it may take until it is ready, 30 by default
 * @property {string} [readyPath]  answers 200 once the server can be measured; without one a connection is enough
 * @property {{ file: string, remedy: string }[]} needs
 */

/**
 * Runs `use` against a fresh server and stops it afterwards.
 * @template T
 * @param {Server} server
 * @param {number} core
 * @param {(address: { port: number, ports: number[], pid: number, output: () => { stdout: string } }) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function withServer(server, core, use) {
  for (const { file, remedy } of server.needs) {
    if (!existsSync(file)) throw new Error(`${file} is missing: ${remedy}`);
  }
  const ports = await freePorts(server.ports ?? 1);
  const { environment } = server;
  const program = await start(pinned(core, server.command(...ports)), { environment });
  try {
    await ready(program, ports[0], server);
    return await use({ port: ports[0], ports, pid: program.pid, output: program.output });
  } finally {
    await stop(program);
  }
}

async function ready(program, port, { readyPath: path, startSeconds = START_SECONDS }) {
  const url = `http://127.0.0.1:${port}${path ?? ""}`;
  let status;
  program.ended.then((value) => {
    status = value;
  });
  for (const deadline = Date.now() + 1000 * startSeconds; Date.now() < deadline; await sleep(POLL_MS)) {
    if (status !== undefined) {
      const { stdout, stderr } = program.output();
      throw new Error(`the server ended with ${status} before it was ready\n${tail(stdout + stderr)}`);
    }
    if (path === undefined ? await accepts(port) : await answers(url)) return;
  }
  const { stdout, stderr } = program.output();
  throw new Error(`the server was not ready after ${startSeconds} s (${url})\n${tail(stdout + stderr)}`);
}

async function answers(url) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1000), headers: { connection: "close" } });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false; // not listening yet
  }
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** Servers of several processes do not always take theirs along. */
async function stop(program) {
  const tree = processTree(program.pid);
  program.kill("SIGTERM");
  const timer = setTimeout(() => killTree(tree), STOP_TIMEOUT_MS);
  await program.ended;
  clearTimeout(timer);
  killTree(tree);
}

/**
 * Below the ports that the kernel gives to whoever asks for any: a server may take seconds until it listens, and opens
 * connections of its own meanwhile.
 */
async function freePorts(count) {
  const ports = new Set();
  while (ports.size < count) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

function tail(text) {
  return text.trimEnd().split("\n").slice(-15).join("\n");
}
