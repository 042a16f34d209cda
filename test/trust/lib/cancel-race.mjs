// Steps that are cancelled at a random time, without a look at where they are.

import { setImmediate as turn } from "node:timers/promises";
import { spinUntil } from "./cancel-servers.mjs";
import { LEAVING, WAYS } from "./cancel-ways.mjs";

const TOGETHER = 4;
const MOST_MICROS = 150;
/** Where a step runs on the thread of the engine, on the one that submits it, and through two cells. */
const SERVERS = ["plain", "inline", "gated"];

/**
 * @param {{ servers: object, pools: Record<string, object> }} opened
 * @param {import("./cancel-stream.mjs").Streams} streams
 * @param {number} count
 * @returns {Promise<{ before: number, done: number, wrong: string[] }>}
 */
export async function raceCancellations({ servers, pools }, streams, count) {
  const { random } = streams;
  const found = { before: 0, done: 0, wrong: [] };
  servers.gated.gate.isOpen = true;
  for (let i = 0; i < count; i = found.before + found.done + found.wrong.length) {
    const name = random.pick(SERVERS);
    const server = servers[name];
    const way = random.pick(Object.keys(WAYS));
    // What becomes of a step whose client is gone is told by counters, so that it must be the only one.
    const plans = Array.from({ length: LEAVING.includes(way) ? 1 : TOGETHER }, () => ({
      stream: streams.make(server, pools[name]),
      turns: random.below(3),
      micros: random.below(MOST_MICROS),
    }));
    const said = await Promise.all(
      plans.map(({ stream, turns, micros }) => WAYS[way](server, stream, () => pass(turns, micros))),
    );
    for (const [at, { stream }] of plans.entries()) {
      const did = await stream.did();
      if (did === said[at] && did in found) found[did] += 1;
      else found.wrong.push(`${name}, ${way}: said '${said[at]}', and the state is '${did}'`);
    }
  }
  servers.gated.gate.isOpen = false;
  return found;
}

/** Turns of the event loop, and time in which it stands still. */
async function pass(turns, micros) {
  for (let i = 0; i < turns; i++) await turn();
  const end = performance.now() + micros / 1000;
  spinUntil(() => performance.now() >= end, "time to pass");
}
