// One stream that is to be cancelled: what it was before, what it would be after, and which of the two it is.

import { setImmediate as turn } from "node:timers/promises";
import { deserialize } from "node:v8";
import { distance, rowOf, stateFloats } from "./gru.mjs";

/** Rows that share a run are added up in another order; a step changes a state by far more. */
const TOLERANCE = 1e-5;
const EXPORT_HEAD = 8;
const STEPS_BEFORE = 3;

/**
 * "before": nothing has changed, "done": the step has been committed; anything else says what is wrong.
 * @typedef {string} Verdict
 */

/** What a prediction says of itself. @param {Promise<{ output: Float32Array }>} prediction @returns {Promise<Verdict>} */
export async function saidOf(prediction, stream) {
  try {
    const { output } = await prediction;
    const { output: wanted } = await stream.after();
    return distance(output, wanted) <= TOLERANCE ? "done" : "a wrong output";
  } catch (error) {
    return errorSays(error.code, error.message);
  }
}

/** @param {string} code @param {string} message @returns {Verdict} */
export function errorSays(code, message) {
  const isKnown = code === "CANCELLED" || code === "DEADLINE_EXCEEDED";
  return isKnown && message.includes("state is as it was before") ? "before" : `${code}: ${message}`;
}

/** What the slow model of the tests does, without it. */
export const PLODDER = {
  width: 4,
  initial: () => new Float32Array(4),
  step: async (input, state) => {
    const sum = input.map((value, i) => value + state[i]);
    return { output: sum, state: sum };
  },
};

/** Makes streams with a past, or without one. */
export class Streams {
  #count = 0;

  /** @param {ReturnType<import("./random.mjs").randomOf>} random */
  constructor(random) {
    this.random = random;
  }

  /**
   * Exported states of a server, made by steps that nobody disturbs.
   * @param {object} server  that lets steps through
   * @param {import("./gru.mjs").GruReference | typeof PLODDER} reference  what they must give
   * @param {() => Promise<unknown>} [besides]  what must be done for a step to run
   */
  async pool(server, reference, besides = async () => {}) {
    const pool = [];
    let floats = reference.initial();
    for (let steps = 1; steps <= STEPS_BEFORE; steps++) {
      const row = rowOf(this.random, reference.width);
      await Promise.all([server.proc.predict({ input: [row] }, { stateId: "pool" }), besides()]);
      floats = (await reference.step(row, floats)).state;
      pool.push({ bytes: server.proc.exportState("pool"), floats, steps });
    }
    server.proc.dropState("pool");
    return { reference, pasts: [undefined, ...pool] };
  }

  /** A stream of a server, with a state of the pool or none. */
  make(server, { reference, pasts }) {
    const past = this.random.pick(pasts);
    const stateId = `stream ${++this.#count}`;
    if (past !== undefined) server.proc.importState(stateId, past.bytes);
    return new Stream(server.proc, reference, stateId, rowOf(this.random, reference.width), past);
  }
}

export class Stream {
  #after;

  constructor(proc, reference, stateId, row, past) {
    Object.assign(this, { proc, reference, stateId, row, past });
  }

  /** What the step gives where it is committed. */
  after() {
    this.#after ??= this.reference.step(this.row, this.past?.floats ?? this.reference.initial());
    return this.#after;
  }

  /** @param {object} [options] of `predict` @returns {Promise<{ output: Float32Array }>} */
  step(options = {}) {
    return this.proc.predict({ input: [this.row] }, { stateId: this.stateId, ...options });
  }

  /** Which state it has now, bit by bit where it is the one before. Frees it. @returns {Promise<Verdict>} */
  async did() {
    const now = await this.#exported();
    this.proc.dropState(this.stateId);
    if (now === undefined || this.past === undefined) {
      if (now === this.past) return "before";
      if (now === undefined) return "the state is gone";
    }
    if (this.past !== undefined && Buffer.compare(now, this.past.bytes) === 0) return "before";
    const { state } = await this.after();
    if (distance(stateFloats(now, state.length), state) > TOLERANCE) return "neither state";
    const counted = deserialize(now.subarray(EXPORT_HEAD)).functions?.get("wait").steps;
    if (counted === undefined || counted === (this.past?.steps ?? 0) + 1) return "done";
    return "one cell only";
  }

  /** The state, once the run of a step that was given up, which goes on to its end, is over. */
  async #exported() {
    for (;;) {
      try {
        return this.proc.exportState(this.stateId);
      } catch (error) {
        if (error.code === "NOT_FOUND") return undefined;
        if (error.code !== "UNAVAILABLE") throw error;
        await turn();
      }
    }
  }
}
