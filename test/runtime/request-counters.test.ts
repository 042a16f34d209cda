/** What JavaScript counts by itself: exact at any size, in the engine's buckets. */
import fc from "fast-check";
import t from "tap";
import { DURATION_BOUNDS_MICROS } from "../../src/engine/surface.js";
import { RequestCounters } from "../../src/runtime/request-counters.js";
import { myPipeline } from "../support/cells.js";
import { Gate } from "../support/gate.js";
import { gruPipeline, start } from "../support/serve.js";
import { gruInput } from "../support/steps.js";

t.test("every duration is in the first bucket whose bound it does not pass, and in the sum", async () => {
  const micros = fc.oneof(
    fc.double({ min: 0, max: 1e9, noNaN: true }),
    fc.constantFrom(...DURATION_BOUNDS_MICROS.flatMap((bound) => [bound, bound * 1.001, bound * 0.999])),
  );
  fc.assert(
    fc.property(fc.array(micros), (durations) => {
      const counters = new RequestCounters();
      const expected = Array.from({ length: DURATION_BOUNDS_MICROS.length + 1 }, () => 0n);
      let nanos = 0n;
      for (const duration of durations) {
        counters.succeeded(duration / 1000, 0);
        const bucket = DURATION_BOUNDS_MICROS.findIndex((bound) => (duration / 1000) * 1000 <= bound);
        const index = bucket < 0 ? DURATION_BOUNDS_MICROS.length : bucket;
        expected[index] = (expected[index] ?? 0n) + 1n;
        nanos += BigInt(Math.round((duration / 1000) * 1e6));
      }
      const { durations: told, outcomes, inferences } = counters.read(undefined);
      const isExact = told.nanos === nanos && told.counts.every((count, index) => count === expected[index]);
      return isExact && outcomes.OK === BigInt(durations.length) && inferences === outcomes.OK;
    }),
  );
});

t.test("sums beyond 2^53 nanoseconds are exact", async (t) => {
  const counters = new RequestCounters();
  // A prediction of 30 days and a nanosecond, and so four times.
  const millis = 30 * 24 * 3600 * 1000;
  for (let i = 0; i < 4; i += 1) counters.succeeded(millis, millis / 2);
  counters.succeeded(0.000001, 0);
  counters.failed("CELL_FAILED", millis);
  const { durations, phases, failedNanos } = counters.read(undefined);
  const month = BigInt(millis) * 1_000_000n;
  t.equal(durations.nanos, 4n * month + 1n);
  t.match(phases, { count: 5n, queueNanos: 2n * month, inferNanos: 2n * month + 1n });
  t.equal(failedNanos, month);
});

t.test("waiting for an earlier step of the state id is the queue's time", async (t) => {
  const gate = new Gate();
  const process = await start(t, gate.pipeline());
  const first = process.predict({ x: 1 } as never, { stateId: "s" });
  await gate.arrived(1);
  const second = process.predict({ x: 2 } as never, { stateId: "s" });
  const since = performance.now();
  while (performance.now() - since < 5) await new Promise((resolve) => setImmediate(resolve));
  gate.release();
  await gate.arrived(2);
  gate.release();
  await Promise.all([first, second]);
  const { phases, durations, runs } = process.requests();
  t.ok(phases.queueNanos >= 5_000_000n, `${phases.queueNanos} ns`);
  t.equal(phases.queueNanos + phases.inferNanos, durations.nanos);
  t.match(runs, [{ rows: 1, runs: 2n, inferNanos: phases.inferNanos }]);
});

t.test("in debug mode a model's predictions are counted once, too", async (t) => {
  for (const pipeline of [await gruPipeline(), myPipeline()]) {
    const process = await start(t, pipeline as never, "debug");
    const inputs = pipeline.name === "gru" ? { input: gruInput(1) } : { input: 1 };
    for (let i = 0; i < 3; i += 1) await process.predict(inputs as never, { stateId: "s" });
    t.match(process.requests(), { outcomes: { OK: 3n }, inferences: 3n, phases: { count: 3n } }, pipeline.name);
  }
});
