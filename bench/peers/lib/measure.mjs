// Runs the servers, interleaved: A B C, A B C, … so that a machine that slows down or warms up hits all alike.

import { setTimeout as sleep } from "node:timers/promises";
import { outcomeOf } from "../../lib/measure.mjs";
import { LOADGEN, REPOSITORY } from "../../lib/paths.mjs";
import { cpuSecondsOf } from "../../lib/process-tree.mjs";
import { pinned, start } from "../../lib/processes.mjs";
import { withServer } from "../../lib/server.mjs";

/**
 * One form of one server: what it did in each repetition, or why it could not be measured.
 * @typedef {object} Attempt
 * @property {import("./peers.mjs").Peer} peer
 * @property {import("./forms.mjs").Form} form
 * @property {object[]} runs   what the generator printed, and `server_cpu_fraction` of all the server's processes
 * @property {string} [error]  the first; it is not tried again
 */

// Away from the ends of what is measured, which the two programs do not see at the very same time.
const MARGIN_SECONDS = 0.1;
const LAST_ANSWERS_SECONDS = 10;

/**
 * @param {Attempt[]} attempts  filled in
 * @param {import("./options.mjs").Options} options
 * @param {import("./check.mjs").Check} check
 * @param {(repetition: number, peer: import("./peers.mjs").Peer) => void} starting
 */
export async function measureAll(attempts, options, check, starting) {
  const peers = [...new Set(attempts.map(({ peer }) => peer))];
  for (let repetition = 1; repetition <= options.repetitions; repetition += 1) {
    for (const peer of peers) {
      const wanted = attempts.filter((attempt) => attempt.peer === peer && attempt.error === undefined);
      if (wanted.length === 0) continue;
      starting(repetition, peer);
      await measurePeer(peer, wanted, options, check);
    }
  }
}

async function measurePeer(peer, attempts, options, check) {
  try {
    await withServer(peer.server, options.serverCore, async (address) => {
      for (const [index, attempt] of attempts.entries()) {
        try {
          await checkForm(attempt.form, address, check, index);
          attempt.runs.push(await measureForm(attempt.form, address, options));
        } catch (error) {
          attempt.error = publishable(error.message);
        }
      }
    });
  } catch (error) {
    for (const attempt of attempts) attempt.error ??= publishable(error.message);
  }
}

async function checkForm(form, address, check, index) {
  const client = await form.open(address.ports[form.port]);
  // A WebSocket's streams are its own. Over HTTP and gRPC a server may keep one stream whatever form its steps have.
  const firstStream = form.kind === "websocket" ? 1 : 1_000_001 + 1000 * index;
  try {
    await check(client, firstStream);
  } finally {
    client.close();
  }
}

async function measureForm(form, address, { clientCore, seconds, warmup }) {
  const program = await start(loadCommand(form, address.ports[form.port], { clientCore, seconds, warmup }));
  const timer = setTimeout(() => program.kill("SIGKILL"), 1000 * (warmup + seconds + LAST_ANSWERS_SECONDS));
  const cpu = await serverCpu(address.pid, { seconds, warmup });
  const status = await program.ended;
  clearTimeout(timer);
  return { ...outcomeOf({ status, ...program.output() }), server_cpu_fraction: cpu };
}

/** A program's complaint without what is this machine's alone: where the repository lies, and where packages come from. */
export function publishable(message) {
  return message
    .replaceAll(`${REPOSITORY}/`, "")
    .split("\n")
    .filter((line) => !/^Looking in (indexes|links)|https?:\/\/(?!127\.0\.0\.1)/.test(line))
    .join("\n");
}

/** The generator's command. */
export function loadCommand(form, port, { clientCore, seconds, warmup }) {
  const durations = ["--seconds", String(seconds), "--warmup", String(warmup)];
  return pinned(clientCore, [LOADGEN, ...form.load, "--port", String(port), ...durations]);
}

async function serverCpu(pid, { seconds, warmup }) {
  await sleep(1000 * (warmup + MARGIN_SECONDS));
  const [cpuBefore, before] = [cpuSecondsOf(pid), performance.now()];
  await sleep(1000 * Math.max(seconds - 2 * MARGIN_SECONDS, MARGIN_SECONDS));
  return (cpuSecondsOf(pid) - cpuBefore) / ((performance.now() - before) / 1000);
}
