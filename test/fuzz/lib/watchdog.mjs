// A thread that sees when one input goes on for ever, which its own thread cannot: writes it down and ends the process.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isMainThread, Worker, workerData } from "node:worker_threads";

const POLL_MILLIS = 200;
const MAX_BYTES = 1 << 20;

/**
 * @param {{ hungMillis: number, found: string }} options found: the folder where the input goes
 * @returns {(bytes: Uint8Array) => void} to be called with each input before it is run
 */
export function watch(options) {
  const memory = new SharedArrayBuffer(8 + MAX_BYTES);
  const [numbers, shared] = [new Int32Array(memory, 0, 2), new Uint8Array(memory, 8)];
  new Worker(new URL(import.meta.url), { workerData: { memory, ...options } }).unref();
  return (bytes) => {
    numbers[1] = Math.min(bytes.length, MAX_BYTES);
    shared.set(bytes.subarray(0, MAX_BYTES));
    Atomics.add(numbers, 0, 1);
  };
}

function keepWatch({ memory, hungMillis, found }) {
  const numbers = new Int32Array(memory, 0, 2);
  let [last, since] = [0, performance.now()];
  setInterval(() => {
    const current = Atomics.load(numbers, 0);
    if (current !== last || current === 0) [last, since] = [current, performance.now()];
    if (performance.now() - since < hungMillis) return;
    mkdirSync(found, { recursive: true });
    writeFileSync(join(found, "hung"), new Uint8Array(memory, 8, numbers[1]).slice());
    process.kill(process.pid, "SIGKILL");
  }, POLL_MILLIS);
}

if (!isMainThread) keepWatch(workerData);
