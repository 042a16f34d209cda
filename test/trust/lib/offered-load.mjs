// Load whose answers may be refusals: each kind is counted and timed by itself, which a benchmark has no use for.

import { setTimeout as sleep } from "node:timers/promises";
import { HttpWire, post } from "./http-wire.mjs";
import { frame, OPCODE, WsWire } from "./ws-wire.mjs";

/** A generator that polls takes from the server where both cores are threads of one. */
const TURN_MS = 1;

/**
 * `refused`: with the status and header, or the error, that the protocol has for it; `failed`: anything else.
 * @typedef {{ kind: "accepted" | "refused" | "failed", problem?: string }} Outcome
 *
 * `millis`: of each request by its kind, from when it was sent.
 * @typedef {{ sent: number, accepted: number[], refused: number[], failed: number, problem: string | undefined, seconds: number }} Tally
 */

/** A connection with one request at a time. */
class HttpClient {
  /** @param {number} port @param {HttpWire} wire @param {string} path @param {object} request */
  constructor(port, wire, path, request) {
    this.port = port;
    this.wire = wire;
    this.bytes = post(path, JSON.stringify(request));
  }

  /** @returns {Promise<Outcome>} */
  async send() {
    // One that was not needed for long has been closed.
    if (this.wire.end !== undefined) this.wire = await HttpWire.open(this.port);
    this.wire.write(this.bytes);
    const { status, headers, body } = await this.wire.answer();
    if (status === 200) return { kind: "accepted" };
    if (status === 429 && Number(headers.get("retry-after")) >= 1) return { kind: "refused" };
    return { kind: "failed", problem: `${status} ${String(body).slice(0, 200)}` };
  }
}

class WsClient {
  /** @param {WsWire} wire @param {object} request */
  constructor(wire, request) {
    this.wire = wire;
    this.bytes = frame(OPCODE.text, JSON.stringify(request));
  }

  /** @returns {Promise<Outcome>} */
  async send() {
    this.wire.write(this.bytes);
    const { payload } = await this.wire.next();
    const answer = JSON.parse(payload.toString());
    if (answer.error === undefined) return { kind: "accepted" };
    if (answer.code === "RESOURCE_EXHAUSTED") return { kind: "refused" };
    return { kind: "failed", problem: String(payload).slice(0, 200) };
  }
}

/** Clients of one server, connected before anything is measured. */
export class Clients {
  #idle = [];

  /** @param {HttpClient[] | WsClient[]} all */
  constructor(all) {
    this.all = all;
    this.#idle = [...all];
  }

  /**
   * @param {number} port
   * @param {{ model: string, request: object, http: number, ws?: number }} what  how many of each protocol
   */
  static async connect(port, { model, request, http, ws = 0 }) {
    const path = `/v2/models/${model}`;
    const all = [];
    for (let i = 0; i < http; i++) all.push(new HttpClient(port, await HttpWire.open(port), `${path}/infer`, request));
    for (let i = 0; i < ws; i++) all.push(new WsClient(await WsWire.open(port, `${path}/stream`), request));
    // Every so many are of the other protocol, whichever of them are idle.
    return new Clients(all.map((_, i) => all[(i * 389) % all.length]));
  }

  close() {
    for (const { wire } of this.all) wire.close();
  }

  /** Whoever waits for its answer goes on waiting for it. @param {number} count @param {number} seconds @returns {Promise<Tally>} */
  async closedLoop(count, seconds) {
    const tally = newTally();
    const began = performance.now();
    const end = began + 1000 * seconds;
    const loop = async (client) => {
      while (performance.now() < end) await counted(client, tally);
    };
    await Promise.all(this.all.slice(0, count).map(loop));
    return { ...tally, seconds: (performance.now() - began) / 1000 };
  }

  /**
   * Requests at a constant rate, whether or not those before were answered.
   * @param {number} rate  in a second
   * @param {number} seconds
   * @param {() => void} [ended]  called when nothing more is sent
   * @returns {Promise<Tally>} `sent` is fewer than was asked for where the clients were too slow, or all of them waited
   */
  async openLoop(rate, seconds, ended) {
    const tally = newTally();
    const waiting = new Set();
    const began = performance.now();
    const elapsed = () => (performance.now() - began) / 1000;
    for (let due = 0; elapsed() < seconds; await sleep(TURN_MS)) {
      for (const now = Math.floor(elapsed() * rate); due < now; due++) {
        const client = this.#idle.shift();
        if (client === undefined) continue;
        const done = counted(client, tally).then(() => {
          this.#idle.push(client);
          waiting.delete(done);
        });
        waiting.add(done);
      }
    }
    ended?.();
    const measured = { ...tally, accepted: [...tally.accepted], refused: [...tally.refused], seconds: elapsed() };
    await Promise.all(waiting);
    return { ...measured, failed: tally.failed, problem: tally.problem };
  }
}

function newTally() {
  return { sent: 0, accepted: [], refused: [], failed: 0, problem: undefined, seconds: 0 };
}

async function counted(client, tally) {
  tally.sent += 1;
  const sent = performance.now();
  const { kind, problem } = await client.send().catch((error) => ({ kind: "failed", problem: error.message }));
  if (kind === "failed") {
    tally.failed += 1;
    tally.problem ??= problem;
  } else tally[kind].push(performance.now() - sent);
}
