// State ids that come and go: rounds of steps, after each of which a tenth of the ids is replaced by new ones.

import { rowOf } from "./gru.mjs";
import { HttpWire, postBinary } from "./http-wire.mjs";
import { frame, OPCODE, WsWire } from "./ws-wire.mjs";

const PATH = "/v2/models/gru512/infer";
const STREAM = "/v2/models/gru512/stream?raw=input";
const WIRES = 8;
const IDS = 400;
const SHARE = 0.1;
/** Connections that are streams of their own; one of them is replaced after each round. */
const CONNECTIONS = 10;
const ROWS = 64;

export class Churn {
  /** Steps that succeeded; ids that ended on request; ids that were left to the time that states are kept. */
  counts = { rounds: 0, steps: 0, ended: 0, left: 0, connections: 0 };
  /** @type {string[]} */
  ids = [];
  #next = 0;

  /** @param {number} port @param {ReturnType<import("./random.mjs").randomOf>} random */
  constructor(port, random) {
    Object.assign(this, { port, random });
    this.rows = Array.from({ length: ROWS }, () => rowOf(random));
    while (this.ids.length < IDS) this.ids.push(this.#newId());
  }

  async open() {
    this.wires = await Promise.all(Array.from({ length: WIRES }, () => HttpWire.open(this.port)));
    this.streams = await Promise.all(Array.from({ length: CONNECTIONS }, () => this.#connect()));
  }

  /** Steps every id and every connection once, and replaces some. */
  async round() {
    await Promise.all([
      ...this.wires.map((wire, i) => this.#stepShare(wire, i)),
      ...this.streams.map((wire) => this.#stream(wire)),
    ]);
    this.counts.rounds += 1;
    const [oldest] = this.streams.splice(0, 1);
    oldest.close();
    const opened = await this.#connect();
    await this.#stream(opened);
    this.streams.push(opened);
  }

  /** Ends every id that is left, and every connection. */
  async close() {
    for (const [i, id] of this.ids.entries()) await this.#step(this.wires[i % WIRES], id, true);
    this.counts.ended += this.ids.length;
    this.ids.length = 0;
    for (const wire of [...this.wires, ...this.streams]) wire.close();
  }

  #newId() {
    return `churn ${this.#next++}`;
  }

  #connect() {
    this.counts.connections += 1;
    return WsWire.open(this.port, STREAM);
  }

  /** The ids of one connection, of which some are in their last round: half of those end on request. */
  async #stepShare(wire, offset) {
    const { random, ids, counts } = this;
    for (let i = offset; i < ids.length; i += WIRES) {
      const isLast = random.next() < SHARE;
      const isEnd = isLast && random.next() < 0.5;
      await this.#step(wire, ids[i], isEnd);
      if (!isLast) continue;
      counts[isEnd ? "ended" : "left"] += 1;
      ids[i] = this.#newId();
      // It lives from here on, as all others do.
      await this.#step(wire, ids[i], false);
    }
  }

  async #step(wire, id, isEnd) {
    const parameters = { sequence_id: id, ...(isEnd ? { sequence_end: true } : {}) };
    wire.write(postBinary({ path: PATH, input: "input", values: this.random.pick(this.rows), parameters }));
    const { status, body } = await wire.answer();
    if (status !== 200) throw new Error(`a step of '${id}' was answered with ${status}: ${body}`);
    this.counts.steps += 1;
  }

  async #stream(wire) {
    const row = this.random.pick(this.rows);
    wire.write(frame(OPCODE.binary, Buffer.from(row.buffer, row.byteOffset, row.byteLength)));
    const { opcode, payload } = await wire.next();
    if (opcode !== OPCODE.binary) throw new Error(`a frame was answered with ${payload}`);
    this.counts.steps += 1;
  }
}

/** The states that live while the ids and the connections do. */
export const LIVE = IDS + CONNECTIONS;

/**
 * The slope of a line through points, by least squares.
 * @param {{ x: number, y: number }[]} points
 */
export function slopeOf(points) {
  const mean = (of) => points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const x = mean((point) => point.x);
  const y = mean((point) => point.y);
  const covariance = mean((point) => (point.x - x) * (point.y - y));
  return covariance / mean((point) => (point.x - x) ** 2);
}
