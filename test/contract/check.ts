/** What both contract suites need. They use node:assert alone, so that any test runner can run them. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { HeadraceError } from "../../src/errors.js";

/** One rule of a contract; `run` rejects where it is broken. */
export interface Rule {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** Far beyond what anything here takes: a limit for what hangs. */
const HANGS_MILLIS = 20_000;

export async function settles<T>(what: string, promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  let timer: NodeJS.Timeout | undefined;
  const hangs = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: `${what} hangs` })), HANGS_MILLIS);
  });
  try {
    const settled = Promise.allSettled([promise]);
    const [outcome] = await Promise.race([settled, hangs]);
    return outcome;
  } finally {
    clearTimeout(timer);
  }
}

export async function fulfils<T>(what: string, promise: Promise<T>): Promise<T> {
  const outcome = await settles(what, promise);
  if (outcome.status === "fulfilled") return outcome.value;
  throw new assert.AssertionError({ message: `${what} rejected: ${String(outcome.reason)}` });
}

export async function rejectsWithCode(what: string, promise: Promise<unknown>): Promise<void> {
  const outcome = await settles(what, promise);
  assert.equal(outcome.status, "rejected", `${what} rejects`);
  if (outcome.status === "rejected") {
    assert.ok(outcome.reason instanceof HeadraceError, `${what} rejects with a HeadraceError, not ${outcome.reason}`);
  }
}

const DESCRIPTORS = "/proc/self/fd";

/** What the process holds open, by kind. */
function held(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  // Turns of the event loop are on their way all the time.
  counts.delete("Immediate");
  // Open files are no resource of the event loop; Linux knows them.
  if (existsSync(DESCRIPTORS)) counts.set("file descriptor", readdirSync(DESCRIPTORS).length);
  return counts;
}

/** Runs `act`, after which the process holds open no more than before. Handles may take some turns to go. */
export async function leavesNothing(act: () => Promise<void>): Promise<void> {
  const before = held();
  await act();
  let more: string[] = [];
  for (let turns = 0; turns < 1000; turns++) {
    more = [...held()].filter(([kind, count]) => count > (before.get(kind) ?? 0)).map(([kind]) => kind);
    if (more.length === 0) return;
    await turn();
  }
  assert.deepEqual(more, [], "handles are left");
}
