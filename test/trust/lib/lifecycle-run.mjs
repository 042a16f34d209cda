// The lifecycle torture in a process of its own, as it may end in any way: prints what it found as JSON on its last line.
// `argv[2]` is { seed, operations, threads, actors, doomed, warmUp }; it wants --expose-gc. The same program is each of its
// threads.

import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { residentMib } from "../../../bench/lib/headrace.mjs";
import { median } from "../../../bench/lib/statistics.mjs";
import { handles, settledHandles } from "./handles.mjs";
import { World } from "./lifecycle-world.mjs";
import { randomOf } from "./random.mjs";
import { within } from "./server.mjs";

const SELF = fileURLToPath(import.meta.url);
const DOOMED = fileURLToPath(new URL("lifecycle-doomed.mjs", import.meta.url));
/** Generous: others may have the machine. */
const END_MILLIS = 120_000;
const COLLECT_EVERY = 20;
/** The status of a process that would not have ended by itself. */
const KEPT_ALIVE = 9;
/** Numbers of actors of different threads must not be the same. */
const ACTORS_APART = 1000;

/** Has actors do their operations in a world, at the same time. @returns what they did, and what was wrong */
async function torture(name, { seed, operations, actors }, after = () => {}) {
  const world = new World(name);
  await world.open();
  const act = async (actor) => {
    const random = randomOf(seed + actor);
    for (let i = 0; i < operations / actors; i++) {
      await world.act(random, `${i} of actor ${actor}`);
      // What nobody holds any more is not what is lost.
      if (i % COLLECT_EVERY === 0) globalThis.gc();
      after();
    }
  };
  await Promise.all(Array.from({ length: actors }, (_, actor) => act(actor))).catch(() => {});
  await within(END_MILLIS, world.close(), "the last stop hung").catch(({ message }) => world.problems.push(message));
  return { done: world.done, problems: world.problems };
}

/** A thread with a world of its own, until it has ended by itself. */
async function inThread(options) {
  const worker = new Worker(SELF, { workerData: options });
  const ended = once(worker, "exit");
  const [result] = await once(worker, "message");
  const [status] = await within(END_MILLIS, ended, "a thread hung at its end").catch(({ message }) => [message]);
  if (status !== 0) result.problems.push(`a thread ended with ${status}`);
  return result;
}

/** Threads that are terminated while their requests are under way. */
async function terminateThreads(count) {
  const problems = [];
  for (let i = 0; i < count; i++) {
    const worker = new Worker(DOOMED, { workerData: { execution: i % 2 === 0 ? "inline" : "lanes" } });
    worker.on("error", ({ message }) => problems.push(`a thread failed: ${message}`));
    try {
      await within(END_MILLIS, once(worker, "message"), `thread ${i} hung before it was busy`);
      await within(END_MILLIS, worker.terminate(), `thread ${i} hung when it was terminated`);
    } catch ({ message }) {
      problems.push(message);
      void worker.terminate();
    }
  }
  return problems;
}

/** Everything once, so that what is loaded once and for all is not counted as lost. */
async function warmUp(options) {
  await torture("warm-up", { ...options, operations: options.warmUp });
  await inThread({ ...options, operations: options.warmUp });
  await terminateThreads(2);
}

async function main(options) {
  const { seed, operations, threads, doomed } = options;
  await warmUp(options);
  const before = handles();
  const share = operations / (threads + 1);
  const memory = [];
  const all = [torture("main", { ...options, operations: share }, () => memory.push(residentMib(process.pid)))];
  for (let i = 1; i <= threads; i++) {
    all.push(inThread({ ...options, operations: share, seed: seed + i * ACTORS_APART, name: `thread ${i}` }));
  }
  all.push(terminateThreads(doomed).then((problems) => ({ done: { terminate: doomed }, problems })));
  const results = await Promise.all(all);
  const done = {};
  for (const result of results) {
    for (const [what, count] of Object.entries(result.done)) done[what] = (done[what] ?? 0) + count;
  }
  const part = (from, to) => median(memory.slice(memory.length * from, memory.length * to));
  return {
    done,
    problems: results.flatMap(({ problems }) => problems),
    before,
    after: await settledHandles(before),
    firstMib: part(0.2, 0.5),
    lastMib: part(0.7, 1),
  };
}

if (isMainThread) {
  process.stdout.write(`${JSON.stringify(await main(JSON.parse(process.argv[2])))}\n`);
  // Only where something keeps the process alive.
  setTimeout(() => process.exit(KEPT_ALIVE), END_MILLIS).unref();
} else {
  parentPort.postMessage(await torture(workerData.name, workerData));
}
