// Headrace as a server to be measured, and what is done with it from outside.

import { readFileSync } from "node:fs";
import { CLI } from "./paths.mjs";

/**
 * @param {string} target                     a model or a module of the repository
 * @param {{ options?: string[], node?: string[] }} [more]  of `headrace serve`, and of Node.js
 * @returns {import("./server.mjs").Server}
 */
export function headraceServer(target, { options = [], node = [] } = {}) {
  return {
    command: (port) => [process.execPath, ...node, CLI, "serve", target, "--port", String(port), ...options],
    readyPath: "/v2/health/ready",
    needs: [
      { file: CLI, remedy: "run `npm run build` first" },
      { file: target, remedy: "it is part of the repository" },
    ],
  };
}

const STEPS_AT_A_TIME = 256;

/**
 * One step for each of so many state ids.
 * @param {import("headrace/client").HeadraceClient} client
 * @param {object} inputs   of every step
 * @param {object} options  of every step, beside its state id
 */
export async function stepStates(client, inputs, count, options) {
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < count; i = next++) await client.infer(inputs, { stateId: `state-${i}`, ...options });
  };
  await Promise.all(Array.from({ length: STEPS_AT_A_TIME }, worker));
}

/** What of a process is in memory, in MiB. */
export function residentMib(pid) {
  const [, pages] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ");
  return (Number(pages) * 4096) / (1 << 20);
}
