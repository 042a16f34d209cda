// Streams that have nothing to do with what is done to the server: their answers have to be the same, bit for bit.

import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { randomOf } from "./random.mjs";
import { frame, OPCODE, WsWire } from "./ws-wire.mjs";

/** Between two steps: a stream that is always busy would be load of its own. */
const PAUSE_MS = 1;

/**
 * What a canary steps.
 * @typedef {{ path: string, floats: number, steps: number, seed: number }} Song
 */

/** The GRU of the benchmark, whose state takes up whatever went wrong in any step. */
export const GRU_SONG = { path: "/v2/models/gru512/stream?raw=input", floats: 512, steps: 40, seed: 7 };

/** @param {Song} song @returns {Buffer[]} its frames */
function framesOf({ floats, steps, seed }) {
  const { next } = randomOf(seed);
  return Array.from({ length: steps }, () => {
    const values = Float32Array.from({ length: floats }, () => next() / 5 - 0.1);
    return frame(OPCODE.binary, Buffer.from(values.buffer));
  });
}

/**
 * Sings once, on a fresh state, each step when the one before was answered.
 * @param {number} port
 * @param {Song} song
 * @returns {Promise<{ digest: string, millis: number[] }>} of all answers; how long each took
 */
export async function sing(port, song) {
  const wire = await WsWire.open(port, song.path);
  const hash = createHash("sha256");
  const millis = [];
  try {
    for (const bytes of framesOf(song)) {
      const sent = performance.now();
      wire.write(bytes);
      const { opcode, payload, at } = await wire.next();
      if (opcode !== OPCODE.binary) throw new Error(`a canary was answered: ${payload}`);
      hash.update(payload);
      millis.push(at - sent);
      await sleep(PAUSE_MS);
    }
  } finally {
    wire.close();
  }
  return { digest: hash.digest("hex"), millis };
}

/**
 * Sings again and again beside what else is done, from now until `stop`.
 * @param {number} port
 * @param {Song} song
 * @param {string} expected  the digest of a quiet run
 */
export function keepSinging(port, song, expected) {
  let isOver = false;
  const outcome = { runs: 0, wrong: 0, problem: undefined, millis: [] };
  const run = (async () => {
    while (!isOver && outcome.problem === undefined) {
      try {
        const { digest, millis } = await sing(port, song);
        outcome.runs += 1;
        outcome.wrong += digest === expected ? 0 : 1;
        outcome.millis.push(...millis);
      } catch (error) {
        outcome.problem = error.message;
      }
    }
  })();
  return {
    /** @returns {Promise<{ runs: number, wrong: number, problem: string | undefined, millis: number[] }>} */
    async stop() {
      isOver = true;
      await run;
      return outcome;
    },
  };
}

/**
 * The pass line of a canary.
 * @param {import("./check.mjs").Check} check
 * @param {{ runs: number, wrong: number, problem: string | undefined }} outcome
 */
export function holdsCanary({ holds }, { runs, wrong, problem }) {
  const measured = problem ?? `${runs - wrong} of ${runs} runs`;
  holds(
    "an unrelated stream beside it",
    "bit for bit as in a quiet run",
    measured,
    runs > 0 && wrong === 0 && !problem,
  );
}
