// Each case keeps a step at one stage, proves that it is there, and has it cancelled there.

import { setImmediate as turn } from "node:timers/promises";
import { spinUntil, until } from "./cancel-servers.mjs";
import { PLODDER } from "./cancel-stream.mjs";
import { LEAVING, WAYS } from "./cancel-ways.mjs";

/** The answer of the step whose writing is cut off, in elements: more than sockets take by themselves. */
const LONG_ANSWER = 8 << 20;

/**
 * `run` cancels a step at the case's stage; rejects with `Missed` where it was not there. `ways`: how it can be cancelled.
 * @typedef {{ stage: string, server: string, ways: string[], run: (server: object,
 *   stream: import("./cancel-stream.mjs").Stream, way: import("./cancel-ways.mjs").CancelWay) => Promise<string> }} Case
 */

/** The step was at another stage when it was cancelled. */
export class Missed extends Error {}

function mustBe(isThere, stage, { waiting, running }) {
  if (!isThere) throw new Missed(`not ${stage}: ${waiting} wait, ${running} run`);
}

/** In a batch that is not full. `ahead`: how many wait already. */
async function inBatch(server, ahead) {
  await until(() => server.stats().waiting === ahead + 1, "the step to wait");
  mustBe(server.stats().running === 0, "waiting", server.stats());
}

/** Does something while a step of the stream, which is given up afterwards, waits in a batch. */
async function behindAnother(stream, work) {
  const control = new AbortController();
  const first = stream.step({ signal: control.signal }).catch(({ code }) => code);
  await turn();
  const said = await work();
  control.abort();
  const code = await first;
  return code === "CANCELLED" ? said : `the step before ended with ${code}`;
}

/** In a run that takes long, with a row of somebody else, which comes second: behind it a step would be refused as too late. */
async function inRun(server, stream, way) {
  const { timedOut } = server.stats();
  let isLate = false;
  let other;
  const said = await way(server, stream, async () => {
    await until(() => {
      isLate = server.stats().timedOut > timedOut;
      return isLate || server.stats().waiting === 1;
    }, "the step to wait");
    if (isLate) return;
    other = server.proc.predict({ input: new Float32Array(PLODDER.width) });
    // A step of this thread reaches the engine at the end of its turn.
    await turn();
    spinUntil(() => {
      const stats = server.stats();
      isLate = stats.timedOut > timedOut || (stats.waiting === 0 && stats.running === 0);
      return isLate || stats.running === 1;
    }, "the batch to run");
  });
  // Where its time was over before the batch was taken, that is not full.
  if (server.stats().waiting > 0) await server.proc.predict({ input: new Float32Array(PLODDER.width) });
  await other;
  if (isLate) throw new Missed("it was cancelled too early or too late");
  return said;
}

/** Its run has ended, and this thread, which cancels it, has not heard of that. */
async function afterRun(server, stream, way) {
  const { succeeded } = server.stats();
  return way(server, stream, async () => {
    const begin = performance.now();
    await turn();
    spinUntil(() => server.stats().succeeded + server.stats().timedOut > succeeded, "the run to end");
    mustBe(server.stats().succeeded > succeeded, "completing", server.stats());
    // For those that are cancelled by time.
    spinUntil(() => performance.now() > begin + server.timeoutMs, "the timeout to pass");
  });
}

/** Resolves when so many steps have come to the gate, all in all. */
async function atGate({ gate, proc }, arrivals) {
  const late = () => proc.requests().outcomes.DEADLINE_EXCEEDED ?? 0n;
  const before = late();
  await until(() => gate.arrivals === arrivals || late() > before, "the step to come to the gate");
  if (gate.arrivals !== arrivals) throw new Missed("its time was over on the way to the gate");
}

/** Behind a step of its stream that is held at the gate, and given up afterwards. */
async function queuedAtGate(server, stream, way) {
  const control = new AbortController();
  const first = stream.step({ signal: control.signal }).catch(({ code }) => code);
  await atGate(server, server.gate.arrivals + 1);
  const said = await way(server, stream, () => turn());
  control.abort();
  const code = await first;
  return code === "CANCELLED" ? said : `the step before ended with ${code}`;
}

const [abort, timeout] = Object.keys(WAYS);

/** @type {Case[]} */
export const CASES = [
  {
    stage: "batched",
    server: "waiting",
    ways: Object.keys(WAYS),
    run: (server, stream, way) => way(server, stream, () => inBatch(server, 0)),
  },
  {
    stage: "queued",
    server: "waiting",
    ways: Object.keys(WAYS),
    run: (server, stream, way) => behindAnother(stream, () => way(server, stream, () => inBatch(server, 1))),
  },
  { stage: "queued", server: "gated", ways: [abort, timeout], run: queuedAtGate },
  { stage: "running", server: "long", ways: Object.keys(WAYS), run: inRun },
  {
    stage: "running",
    server: "gated",
    ways: Object.keys(WAYS),
    run: (server, stream, way) => {
      const arrivals = server.gate.arrivals + 1;
      return way(server, stream, () => atGate(server, arrivals));
    },
  },
  { stage: "completing", server: "plain", ways: [abort, timeout], run: afterRun },
  {
    // The last cell has ended, and the pipeline, which is to commit, has not heard of that.
    stage: "completing",
    server: "gated",
    ways: [abort, ...LEAVING],
    run: (server, stream, way) => {
      const arrivals = server.gate.arrivals + 1;
      return way(server, stream, async () => {
        await atGate(server, arrivals);
        server.gate.release();
      });
    },
  },
  {
    stage: "writing",
    server: "gated",
    ways: LEAVING.filter((name) => !name.endsWith("JSON")), // so many numbers as text take seconds
    run: (server, stream, way) => {
      const arrivals = server.gate.arrivals + 1;
      return way(server, stream, async (firstBytes) => {
        await atGate(server, arrivals);
        server.gate.size = LONG_ANSWER;
        server.gate.release();
        await firstBytes;
        server.gate.size = 1;
      });
    },
  },
];
