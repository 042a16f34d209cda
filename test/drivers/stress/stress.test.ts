/** The StressDriver: as many predictions as asked for, counted right, served while it runs, stopped under load. */

import { once } from "node:events";
import { createServer } from "node:http";
import fc from "fast-check";
import t from "tap";
import { LatencyHistogram } from "../../../src/drivers/stress/histogram.js";
import { StressDriver, type StressParameters, type StressStatistics } from "../../../src/drivers/stress/index.js";
import { defineCell, PipelineFactory } from "../../../src/pipeline/index.js";
import { type DriverProcess, Inference, PipelineDriver } from "../../../src/runtime/index.js";
import { Integer } from "../../../src/types/index.js";
import { leavesNothing } from "../../contract/check.js";
import { type Deferred, deferred, myPipeline } from "../../support/cells.js";
import { start } from "../../support/serve.js";

type Stress = DriverProcess<StressParameters>;

const statisticsOf = (driver: Stress): StressStatistics => driver.statistics() as StressStatistics;

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

/** A pipeline that notes its inputs and the counter of each stream, and waits while there is a gate. */
function notingPipeline() {
  const notes = { inputs: [] as number[], counters: [] as number[], gate: undefined as Deferred<void> | undefined };
  const Noting = defineCell({
    name: "Noting",
    inputs: { input: Integer() },
    outputs: { counter: Integer() },
    state: { counter: Integer({ default: 0 }) },
    async call({ inputs, state }) {
      notes.inputs.push(inputs.input);
      await notes.gate?.promise;
      state.counter += 1;
      notes.counters.push(state.counter);
      return { counter: state.counter };
    },
  });
  const factory = new PipelineFactory({ name: "noting" });
  const cell = factory.addCell("noting", Noting);
  const pipeline = factory
    .declareInput("input", cell.inputs.input)
    .declareOutput("counter", cell.outputs.counter)
    .build();
  return { pipeline, notes };
}

async function serviceOf(driver: Stress): Promise<StressStatistics> {
  const { address, port } = driver.getService("statistics").taggedAddresses.lan;
  const response = await fetch(`http://${address}:${port}/`);
  t.equal(response.headers.get("content-type"), "application/json");
  return (await response.json()) as StressStatistics;
}

t.test("so many predictions, over so many streams, with the inputs of the seed", async (t) => {
  const { pipeline, notes } = notingPipeline();
  const proc = await start(t, pipeline);
  const run = async (parameters: Partial<StressParameters>): Promise<[number[], number[]]> => {
    notes.inputs = [];
    notes.counters = [];
    const stress = await proc.addDriver("stress", StressDriver, parameters);
    await until(() => stress.status === "stopped");
    t.match(statisticsOf(stress), { predictions: parameters.count, failed: 0, inFlight: 0, errors: {} });
    return [notes.inputs, notes.counters];
  };
  const [inputs, counters] = await run({ count: 30, stateIds: 3, seed: 5, concurrency: 4 });
  t.same(
    counters.sort((a, b) => a - b),
    Array.from({ length: 30 }, (_, i) => Math.floor(i / 3) + 1),
    "ten steps of each of three streams",
  );
  const [again, fresh] = await run({ count: 30, seed: 5, concurrency: 1 });
  t.same([...again].sort(), [...inputs].sort());
  t.ok(
    fresh.every((counter) => counter === 1),
    "no stateIds: no streams",
  );
  const [other] = await run({ count: 30, seed: 6 });
  t.notSame([...other].sort(), [...inputs].sort());
  await run({ count: 0 });
});

t.test("its streams are over when it is", async (t) => {
  const proc = await start(t, new Inference({ pipeline: notingPipeline().pipeline, maxStates: 3 }));
  for (let round = 0; round < 3; round++) {
    const stress = await proc.addDriver("stress", StressDriver, { count: 9, stateIds: 3 });
    await until(() => stress.status === "stopped");
    t.match(statisticsOf(stress), { predictions: 9, errors: {} });
  }
});

t.test("its port serves its statistics while it runs, and is free afterwards", async (t) => {
  const { pipeline, notes } = notingPipeline();
  notes.gate = deferred();
  const proc = await start(t, pipeline);
  const stress = await proc.addDriver("stress", StressDriver, { concurrency: 3, count: 10 });
  t.match(stress.listServices(), [{ name: "statistics", pid: stress.pid }]);
  await until(() => notes.inputs.length === 3);
  t.match(await serviceOf(stress), { predictions: 0, failed: 0, inFlight: 3 });
  const { port } = stress.getService("statistics").taggedAddresses.lan;
  notes.gate.resolve();
  await until(() => stress.status === "stopped");
  const { predictions, latencyMillis } = statisticsOf(stress);
  t.equal(predictions, 10);
  t.ok(latencyMillis.p50 <= latencyMillis.p90 && latencyMillis.p90 <= latencyMillis.p99);
  t.ok(latencyMillis.p99 <= latencyMillis.max && latencyMillis.p50 > 0);
  const next = createServer().listen(port, "127.0.0.1");
  await once(next, "listening");
  next.close();
});

t.test("it ends after its seconds", async (t) => {
  const proc = await start(t, myPipeline());
  const stress = await proc.addDriver("stress", StressDriver, { seconds: 0.02 });
  await until(() => stress.status === "stopped");
  t.ok(statisticsOf(stress).predictions > 0);
});

t.test("failed predictions are counted by code", async (t) => {
  const Odd = defineCell({
    name: "Odd",
    inputs: { input: Integer() },
    outputs: { output: Integer() },
    call({ inputs }) {
      if (inputs.input % 2 !== 0) throw new Error("odd");
      return { output: inputs.input };
    },
  });
  const factory = new PipelineFactory({ name: "odd" });
  const cell = factory.addCell("odd", Odd);
  const pipeline = factory
    .declareInput("input", cell.inputs.input)
    .declareOutput("output", cell.outputs.output)
    .build();
  const proc = await start(t, pipeline);
  const stress = await proc.addDriver("stress", StressDriver, { count: 200, concurrency: 32 });
  await until(() => stress.status === "stopped");
  const { predictions, failed, errors } = statisticsOf(stress);
  t.equal(predictions + failed, 200);
  t.ok(failed > 0 && predictions > 0);
  t.same(errors, { CELL_FAILED: failed });
});

t.test("stop under load: what is under way is awaited, or cancelled and counted; nothing is left", async (t) => {
  const { pipeline, notes } = notingPipeline();
  const proc = await start(t, pipeline);
  const round = async (): Promise<void> => {
    const stress = await proc.addDriver("stress", StressDriver, { stateIds: 4 });
    await until(() => statisticsOf(stress).predictions > 100);
    await Promise.all([stress.stop(), stress.stop()]);
    t.match(statisticsOf(stress), { failed: 0, inFlight: 0 });
    t.equal(stress.status, "stopped");
  };
  await round();
  await leavesNothing(async () => {
    await round();
    await round();
  });

  notes.gate = deferred();
  notes.inputs = [];
  const stuck = await proc.addDriver("stress", StressDriver, { concurrency: 16 });
  await until(() => notes.inputs.length === 16);
  await stuck.stop({ timeoutMs: 1 });
  t.match(statisticsOf(stuck), { predictions: 0, failed: 16, inFlight: 0, errors: { CANCELLED: 16 } });
  notes.gate.resolve();
});

t.test("a driver that counts nothing has no statistics", async (t) => {
  class Silent extends PipelineDriver {
    override async run(): Promise<void> {}
    override async stop(): Promise<void> {}
  }
  const proc = await start(t, myPipeline());
  const silent = await proc.addDriver("silent", Silent);
  t.same(silent.statistics(), {});
});

t.test("parameters: defaults, and what does not fit", async (t) => {
  t.same(new StressDriver().getParameters(), {
    concurrency: 8,
    count: Number.POSITIVE_INFINITY,
    seconds: Number.POSITIVE_INFINITY,
    seed: 0,
    stateIds: 0,
  });
  const wrong = [{ concurrency: 0 }, { count: -1 }, { seconds: 0 }, { seed: 0.5 }, { stateIds: -1 }, { colour: "red" }];
  for (const parameters of wrong) {
    t.throws(() => new StressDriver(parameters as Partial<StressParameters>), {
      code: "INVALID_ARGUMENT",
      path: Object.keys(parameters)[0],
    });
  }
  t.same(new StressDriver({}).statistics().latencyMillis, { p50: 0, p90: 0, p99: 0, max: 0 });
});

t.test("percentiles are never low, and at most 9.1 % high", async (t) => {
  const micros = fc.double({ min: 1, max: 1e9, noNaN: true });
  fc.assert(
    fc.property(
      fc.array(micros, { minLength: 1, maxLength: 200 }),
      fc.constantFrom(0.5, 0.9, 0.99, 1),
      (all, fraction) => {
        const histogram = new LatencyHistogram();
        for (const latency of all) histogram.record(latency);
        const sorted = [...all].sort((a, b) => a - b);
        const exact = sorted[Math.ceil(fraction * all.length) - 1] ?? Number.NaN;
        const found = histogram.percentile(fraction);
        // A logarithm may be off by a rounding at a bucket's bound.
        t.ok(found >= exact * (1 - 1e-12), `${found} is not below ${exact}`);
        t.ok(found <= exact * 1.091, `${found} is close to ${exact}`);
        t.equal(histogram.max, sorted.at(-1));
      },
    ),
  );
  const beyond = new LatencyHistogram();
  beyond.record(2 ** 40);
  t.equal(beyond.percentile(0.5), 2 ** 40);
});
