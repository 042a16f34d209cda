// Servers under test: started afresh for every measurement, pinned, awaited until ready, and stopped.

import { existsSync } from "node:fs";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { pinned, start } from "./processes.mjs";

const READY_TIMEOUT_MS = 30_000;
const POLL_MS = 50;
const STOP_TIMEOUT_MS = 3_000;

/**
 * @typedef {object} Server
 * @property {(port: number | string) => string[]} command
 * @property {string} [readyPath]  answers 200 once the server can be measured; without one a connection is enough
 * @property {{ file: string, remedy: string }[]} needs
 */

/**
 * Runs `use` against a fresh server and stops it afterwards.
 * @template T
 * @param {Server} server
 * @param {number} core
 * @param {(address: { port: number, pid: number }) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function withServer(server, core, use) {
  for (const { file, remedy } of server.needs) {
    if (!existsSync(file)) throw new Error(`${file} is missing: ${remedy}`);
  }
  const port = await freePort();
  const program = await start(pinned(core, server.command(port)));
  try {
    await ready(program, port, server.readyPath);
    return await use({ port, pid: program.pid });
  } finally {
    await stop(program);
  }
}

async function ready(program, port, path) {
  const url = `http://127.0.0.1:${port}${path ?? ""}`;
  let status;
  program.ended.then((value) => {
    status = value;
  });
  for (const deadline = Date.now() + READY_TIMEOUT_MS; Date.now() < deadline; await sleep(POLL_MS)) {
    if (status !== undefined) {
      const { stdout, stderr } = program.output();
      throw new Error(`the server ended with ${status} before it was ready\n${tail(stdout + stderr)}`);
    }
    if (path === undefined ? await accepts(port) : await answers(url)) return;
  }
  throw new Error(`the server was not ready after ${READY_TIMEOUT_MS / 1000} s (${url})`);
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

async function stop(program) {
  program.kill("SIGTERM");
  const timer = setTimeout(() => program.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await program.ended;
  clearTimeout(timer);
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

function tail(text) {
  return text.trimEnd().split("\n").slice(-15).join("\n");
}
