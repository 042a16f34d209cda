/** Pipelines of function cells and models together: one state id, many cells, all of them stepped or none. */
import t, { type Test } from "tap";
import { defineCell, onnxCell, PipelineFactory } from "../../src/pipeline/index.js";
import { Inference, type InferenceProcess, type PredictOptions } from "../../src/runtime/index.js";
import { Boolean as Bool, Integer, Tensor } from "../../src/types/index.js";
import { deferred } from "../support/cells.js";
import { fixture } from "../support/paths.js";
import { start } from "../support/serve.js";

const Row = Tensor("FP32", [-1, 4]);

/** Fills a row with its number; counts. */
const Spread = defineCell({
  name: "Spread",
  inputs: { value: Integer() },
  outputs: { row: Row, counter: Integer() },
  state: { counter: Integer({ default: 0 }) },
  call({ inputs, state }) {
    state.counter += 1;
    return { row: new Float32Array(4).fill(inputs.value), counter: state.counter };
  },
});

/** y = state + x, and that is the next state. */
const Accumulator = onnxCell({
  name: "Accumulator",
  model: fixture("accumulator"),
  inputs: { x: { type: Row } },
  outputs: { y: { type: Row } },
});

/** The last cell does what its test says, by default it gives the first element. */
function judging(judge: (first: number, signal: AbortSignal) => number | Promise<number>) {
  return defineCell({
    name: "Judge",
    inputs: { row: Row, fail: Bool({ default: false }) },
    outputs: { verdict: Integer() },
    async call({ inputs, signal }) {
      if (inputs.fail) throw new Error("not today");
      return { verdict: await judge(inputs.row[0] ?? Number.NaN, signal) };
    },
  });
}

function pipelineOf(judge: (first: number, signal: AbortSignal) => number | Promise<number> = (first) => first) {
  const factory = new PipelineFactory({ name: "mixed" });
  const spread = factory.addCell("spread", Spread);
  const model = factory.addCell("sum", Accumulator);
  const last = factory.addCell("judge", judging(judge));
  return factory
    .connect(spread.outputs.row, model.inputs.x)
    .connect(model.outputs.y, last.inputs.row)
    .declareInput("value", spread.inputs.value)
    .declareInput("fail", last.inputs.fail)
    .declareOutput("verdict", last.outputs.verdict)
    .declareOutput("counter", spread.outputs.counter)
    .build();
}

type Mixed = InferenceProcess<ReturnType<typeof pipelineOf>>;

async function step(proc: Mixed, value: number, options: PredictOptions = { stateId: "s" }) {
  const { verdict, counter } = await proc.predict({ value }, options);
  return [verdict, counter];
}

for (const mode of ["debug", "local"] as const) {
  t.test(`one state id steps all cells, another none of them (${mode})`, async (t) => {
    const proc = await start(t, pipelineOf(), mode);
    t.same(await step(proc, 1), [1, 1]);
    t.same(await step(proc, 2), [3, 2]);
    t.same(await step(proc, 5, { stateId: "other" }), [5, 1]);
    t.same(await step(proc, 7, {}), [7, 1]);
    t.same(await step(proc, 3, { stateId: "s", end: true }), [6, 3]);
    t.same(await step(proc, 4), [4, 1]);
    t.same(await step(proc, 4, { stateId: "s", start: true }), [4, 1]);
    proc.dropState("s");
    t.same(await step(proc, 9), [9, 1]);
  });

  t.test(`when the last cell throws, the model's state is as it was before (${mode})`, async (t) => {
    const proc = await start(t, pipelineOf(), mode);
    const failing = (options: PredictOptions) => proc.predict({ value: 100, fail: true }, options);
    const failed = { code: "CELL_FAILED", message: "cell 'judge' failed: not today" };
    await t.rejects(failing({ stateId: "s" }), failed);
    t.equal(proc.stats().sum?.liveStates, 0, "a first step that failed has made no state");
    t.same(await step(proc, 1), [1, 1]);
    await t.rejects(failing({ stateId: "s" }), failed);
    await t.rejects(failing({ stateId: "s", start: true }), failed);
    await t.rejects(failing({ stateId: "s", end: true }), failed);
    await t.rejects(failing({}), failed);
    t.same(await step(proc, 2), [3, 2]);
  });
}

t.test("steps of one id run in the order submitted, whatever a cell takes; others pass them", async (t) => {
  const gate = deferred();
  let waiting = 0;
  const proc = await start(
    t,
    pipelineOf(async (first) => {
      waiting += 1;
      if (waiting === 1) await gate.promise;
      return first;
    }),
  );
  const done: string[] = [];
  const submit = async (name: string, value: number, options: PredictOptions) => {
    const outcome = await step(proc, value, options);
    done.push(name);
    return outcome;
  };
  const first = submit("first", 1, { stateId: "slow" });
  const others = [2, 3, 4].map((value) => submit(`then ${value}`, value, { stateId: "slow" }));
  t.same(await submit("passing", 10, { stateId: "quick" }), [10, 1]);
  t.same(done, ["passing"]);
  gate.resolve();
  t.same(await first, [1, 1]);
  t.same(await Promise.all(others), [
    [3, 2],
    [6, 3],
    [10, 4],
  ]);
  t.same(done, ["passing", "first", "then 2", "then 3", "then 4"]);
});

/** A step that has reached its last cell, which never answers by itself. */
async function stuck(t: Test, options: PredictOptions) {
  const reached = deferred();
  let isStuck = false;
  const proc = await start(
    t,
    pipelineOf((first) => {
      if (!isStuck) return first;
      reached.resolve();
      return new Promise(() => {});
    }),
  );
  t.same(await step(proc, 1), [1, 1]);
  isStuck = true;
  const outcome = step(proc, 100, options).then(
    () => "answered",
    (error: { code: string }) => error.code,
  );
  await reached.promise;
  isStuck = false;
  return { proc, outcome };
}

t.test("a timeout ends a step also where a cell does not heed it", async (t) => {
  const { proc, outcome } = await stuck(t, { stateId: "s", timeoutMs: 20 });
  t.equal(await outcome, "DEADLINE_EXCEEDED");
  t.same(await step(proc, 2), [3, 2], "the state is as it was");
});

t.test("so does a signal", async (t) => {
  const controller = new AbortController();
  const { proc, outcome } = await stuck(t, { stateId: "s", signal: controller.signal });
  const behind = step(proc, 2);
  controller.abort();
  t.equal(await outcome, "CANCELLED");
  t.same(await behind, [3, 2], "and whoever waited behind it goes on");
});

t.test("steps that give up while they wait for their turn", async (t) => {
  const controller = new AbortController();
  const { proc, outcome } = await stuck(t, { stateId: "s", signal: controller.signal });
  const impatient = step(proc, 50, { stateId: "s", timeoutMs: 5 });
  await t.rejects(impatient, { code: "DEADLINE_EXCEEDED" });
  const early = new AbortController();
  early.abort();
  await t.rejects(step(proc, 60, { stateId: "s", signal: early.signal }), { code: "CANCELLED" });
  const behind = step(proc, 2);
  controller.abort();
  t.equal(await outcome, "CANCELLED");
  t.same(await behind, [3, 2], "nothing of them is left");
});

t.test("a timeout inside the model is a timeout", async (t) => {
  const factory = new PipelineFactory({ name: "busy" });
  const Trips = defineCell({
    name: "Trips",
    inputs: { trips: Integer() },
    outputs: { trips: Tensor("INT64", [1]) },
    call: ({ inputs }) => ({ trips: BigInt64Array.of(BigInt(inputs.trips)) }),
  });
  const trips = factory.addCell("trips", Trips);
  const busy = factory.addCell("busy", onnxCell({ name: "busy", model: fixture("busy"), execution: "lanes" }));
  factory.connect(trips.outputs.trips, busy.input("trips"));
  const pipeline = factory.declareInput("trips", trips.inputs.trips).declareOutput("y", busy.output("y")).build();
  const proc = await start(t, pipeline);
  await t.rejects(proc.predict({ trips: 300_000 }, { timeoutMs: 10 }), { code: "DEADLINE_EXCEEDED" });
  const controller = new AbortController();
  const outcome = proc.predict({ trips: 300_000 }, { signal: controller.signal });
  setImmediate(() => controller.abort());
  await t.rejects(outcome, { code: "CANCELLED" });
  await proc.predict({ trips: 1 });
});

t.test("many streams with failures among them equal the arithmetic", async (t) => {
  const proc = await start(t, new Inference({ pipeline: pipelineOf() }));
  const sums = new Map<string, number>();
  const runs: Promise<void>[] = [];
  for (let i = 0; i < 300; ++i) {
    const stateId = `s${i % 7}`;
    const fail = i % 5 === 3;
    const sum = (sums.get(stateId) ?? 0) + (fail ? 0 : i);
    sums.set(stateId, sum);
    runs.push(
      proc.predict({ value: i, fail }, { stateId }).then(
        ({ verdict }) => {
          if (fail || verdict !== sum) throw new Error(`step ${i}: ${verdict} is not ${sum}`);
        },
        (error: { code: string }) => {
          if (!fail || error.code !== "CELL_FAILED") throw error;
        },
      ),
    );
  }
  await Promise.all(runs);
  t.pass();
});

t.test("an output that does not fit its declared type fails its own prediction and nothing else", async (t) => {
  const indices = onnxCell({
    name: "Indices",
    model: fixture("nonzero"),
    outputs: { indices: { type: Tensor("INT64", [2, 3]) } },
  });
  const pf = new PipelineFactory({ name: "indices" });
  const cell = pf.addCell("model", indices);
  const pipeline = pf.declareInput("x", cell.input("x")).declareOutput("indices", cell.outputs.indices).build();
  const process = await start(t, pipeline);
  const misfit = { code: "INVALID_ARGUMENT", path: "outputs.indices" };
  await t.rejects(process.predict({ x: new Float32Array([1, 1, 1, 1]) }), misfit);
  await t.rejects(process.predict({ x: new Float32Array([1, 1, 1, 1]) }), misfit);
  const { indices: found } = await process.predict({ x: new Float32Array([1, 0, 2, 3]) });
  t.same([...found], [0n, 0n, 0n, 0n, 2n, 3n]);
});

t.test("a state that is dropped during a step goes from all cells at once, after it", async (t) => {
  const gate = deferred();
  const arrived = deferred();
  const Slow = defineCell({
    name: "Slow",
    inputs: { value: Integer() },
    outputs: { row: Row, counter: Integer() },
    state: { counter: Integer({ default: 0 }) },
    async call({ inputs, state }) {
      state.counter += 1;
      if (inputs.value === 100) {
        arrived.resolve();
        await gate.promise;
      }
      return { row: new Float32Array(4).fill(inputs.value), counter: state.counter };
    },
  });
  const factory = new PipelineFactory({ name: "slow" });
  const slow = factory.addCell("slow", Slow);
  const sum = factory.addCell("sum", Accumulator);
  const pipeline = factory
    .connect(slow.outputs.row, sum.inputs.x)
    .declareInput("value", slow.inputs.value)
    .declareOutput("counter", slow.outputs.counter)
    .declareOutput("sum", sum.outputs.y)
    .build();
  const proc = await start(t, pipeline);
  const stepped = async (value: number) => {
    const outputs = await proc.predict({ value }, { stateId: "s" });
    return [outputs.counter, outputs.sum[0]];
  };
  t.same(await stepped(1), [1, 1]);
  const during = stepped(100);
  const before = stepped(10);
  await arrived.promise;
  proc.dropState("s");
  const after = stepped(3);
  gate.resolve();
  t.same(await during, [2, 101]);
  t.same(await before, [3, 111], "it was asked for before");
  t.same(await after, [1, 3], "and this one afterwards");
});
