// The model that a server is compared with: a Map of states, and one run of ONNX Runtime for each step.

import { distance, initialState, stateFloats, WIDTH } from "./gru.mjs";

/** Rows that share a run are added up in another order than one alone; so is the state that follows. */
export const TOLERANCE = 1e-5;
/** Begins the names of states that no client can name: those of connections. */
export const UNNAMED = "\0";
const SETTLE_MILLIS = 5000;

/** The Map, and what was seen on the way. */
export class Oracle {
  /** @type {Map<string, Float32Array>} */
  states = new Map();
  counts = { steps: 0, refused: 0, cancelled: 0, moved: 0, comparisons: 0 };
  worst = 0;

  /** @param {import("./gru.mjs").GruReference} reference @param {number} limit */
  constructor(reference, limit) {
    this.reference = reference;
    this.limit = limit;
  }

  compare(found, wanted, what) {
    const apart = distance(found, wanted);
    this.counts.comparisons += 1;
    this.worst = Math.max(this.worst, apart);
    if (apart > this.limit) throw new Error(`${what}: ${apart} away from the reference, ${this.limit} is allowed`);
  }

  /** What a row must have come to, and does. @param {Float32Array | string} outcome */
  async row(burst, i, outcome, what) {
    const expected = i === burst.aborted ? "CANCELLED" : burst.rows[i].length === WIDTH ? "OK" : "INVALID_ARGUMENT";
    const got = typeof outcome === "string" ? outcome : "OK";
    if (got !== expected) throw new Error(`${what}: ${got} instead of ${expected}`);
    if (got === "INVALID_ARGUMENT") this.counts.refused += 1;
    if (got === "CANCELLED") this.counts.cancelled += 1;
    if (got !== "OK") return;
    const { stateId } = burst;
    const starts = stateId === undefined || (burst.start && i === 0);
    const before = (starts ? undefined : this.states.get(stateId)) ?? initialState();
    const { output, state } = await this.reference.step(burst.rows[i], before);
    this.counts.steps += 1;
    this.compare(outcome, output, what);
    if (stateId === undefined) return;
    if (burst.end && i === burst.rows.length - 1) this.states.delete(stateId);
    else this.states.set(stateId, state);
  }

  /** A burst, row by row. @param {boolean} frees  whether `start` and `end` are messages of their own, which cannot fail */
  async burst(burst, outcomes, frees, what) {
    if (outcomes.length !== burst.rows.length) throw new Error(`${what}: ${outcomes.length} answers`);
    if (frees && burst.start) this.states.delete(burst.stateId);
    for (const [i, outcome] of outcomes.entries()) await this.row(burst, i, outcome, `${what}, row ${i}`);
    if (frees && burst.end) this.states.delete(burst.stateId);
  }

  /** As many states as the Map has, and each of them the one that the Map has. */
  async compareStates(proc) {
    const live = () => proc.stats().gru.liveStates;
    const until = performance.now() + SETTLE_MILLIS;
    // The states of connections that were closed go when the server has noticed.
    while (live() > this.states.size && performance.now() < until) await new Promise((next) => setImmediate(next));
    if (live() !== this.states.size) throw new Error(`${live()} states instead of ${this.states.size}`);
    for (const [stateId, state] of this.states) {
      if (stateId.startsWith(UNNAMED)) continue;
      this.compare(stateFloats(proc.exportState(stateId)), state, `the state of ${stateId}`);
    }
  }
}
