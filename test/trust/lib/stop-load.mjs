// Requests of which each is accounted for, over connections that end at any time.

import { HttpWire } from "./http-wire.mjs";
import { OPCODE, WsWire } from "./ws-wire.mjs";

/**
 * What became of each request:
 *   answered, refused   with 200 or an output; with 503 or UNAVAILABLE
 *   unreachable         it was not sent: nobody listened any more, or the WebSocket was closed
 *   unaccepted          a frame that crossed the close frame 1001, which says that all that was accepted has been answered
 *   lost                it was sent, and the connection ended without an answer
 *   wrong               any other answer
 * @typedef {{ answered: number, refused: number, unreachable: number, unaccepted: number, lost: number, wrong: number }} Account
 */

export class StopLoad {
  /** @type {Account} */
  account = { answered: 0, refused: 0, unreachable: 0, unaccepted: 0, lost: 0, wrong: 0 };
  /** @type {Record<string, number>} the codes that WebSockets were closed with */
  codes = {};
  /** @type {string[]} */
  problems = [];
  #left;
  #untilHalf;
  #halfDone;

  /**
   * @param {number} port
   * @param {number} total  requests in all
   */
  constructor(port, total) {
    this.port = port;
    this.#left = total;
    this.#untilHalf = Math.floor(total / 2);
    /** Resolves when half of them have been answered. @type {Promise<void>} */
    this.half = new Promise((resolve) => {
      this.#halfDone = resolve;
    });
  }

  get counted() {
    return Object.values(this.account).reduce((sum, count) => sum + count, 0);
  }

  /** One request after the other, on one connection or each on its own. @param {Buffer} bytes */
  async http(bytes, isKept) {
    let wire;
    let isNew = true;
    while (this.#take()) {
      isNew = wire === undefined || wire.end !== undefined;
      if (isNew) wire = await HttpWire.open(this.port).catch(() => undefined);
      if (wire === undefined) {
        this.#count("unreachable");
        continue;
      }
      wire.write(bytes);
      const answer = await wire.answer().catch((error) => error);
      this.#count(this.#kindOf(answer, isNew));
      // Whoever is told so sends nothing more there.
      if (isKept && answer.headers?.get("connection") !== "close") continue;
      wire.close();
      wire = undefined;
    }
    wire?.close();
  }

  /** Frames, so many at a time, as long as the WebSocket is open; then what is left finds nobody. @param {Buffer} bytes */
  async webSocket(path, bytes, inFlight) {
    const wire = await WsWire.open(this.port, path).catch(() => undefined);
    if (wire !== undefined) {
      await Promise.all(Array.from({ length: inFlight }, () => this.#frames(wire, bytes)));
      this.codes[wire.code ?? "open"] = (this.codes[wire.code ?? "open"] ?? 0) + 1;
      wire.close();
    }
    while (this.#take()) this.#count("unreachable");
  }

  async #frames(wire, bytes) {
    while (wire.code === undefined && this.#take()) {
      wire.write(bytes);
      try {
        this.#count(this.#kindOfFrame(await wire.next()));
      } catch (error) {
        const isTold = wire.code === 1001;
        if (!isTold) this.problems.push(error.message);
        this.#count(isTold ? "unaccepted" : "lost");
      }
    }
    // One that has sent all that it had is still told that the server stops.
    if (wire.code === undefined) await wire.ended;
  }

  #take() {
    if (this.#left === 0) return false;
    this.#left -= 1;
    return true;
  }

  #count(kind) {
    this.account[kind] += 1;
    if (kind === "answered" && --this.#untilHalf === 0) this.#halfDone();
  }

  #kindOf(answer, isNew) {
    if (answer.status === 200) return "answered";
    if (answer.status === 503) return "refused";
    const problem = answer.message ?? `${answer.status} ${answer.body}`;
    this.problems.push(`${isNew ? "new connection" : "kept connection"}: ${problem}`);
    return answer instanceof Error ? "lost" : "wrong";
  }

  #kindOfFrame({ opcode, payload }) {
    const text = opcode === OPCODE.text ? payload.toString() : "";
    if (!text.includes('"error"')) return "answered";
    if (text.includes("UNAVAILABLE")) return "refused";
    this.problems.push(text);
    return "wrong";
  }
}
