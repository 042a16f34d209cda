/** States as bytes: what is taken out goes on bit by bit where it is put in, and nothing else goes in. */
import { inspect } from "node:util";
import { deserialize, serialize } from "node:v8";
import fc from "fast-check";
import t from "tap";
import { bytesOf } from "../../src/datatype.js";
import { HeadraceError } from "../../src/errors.js";
import { defineCell, onnxCell, PipelineFactory } from "../../src/pipeline/index.js";
import { Inference } from "../../src/runtime/index.js";
import { Integer, Tensor } from "../../src/types/index.js";
import { deferred, myPipeline } from "../support/cells.js";
import { fixture } from "../support/paths.js";
import { gruPipeline, modelPipeline, start } from "../support/serve.js";
import { gruInput } from "../support/steps.js";

const bits = (outputs: Readonly<Record<string, unknown>>): string =>
  Buffer.from(bytesOf(outputs.output as Float32Array)).toString("hex");

t.test("a stream of a model goes on elsewhere, bit by bit", async (t) => {
  const pipeline = await gruPipeline();
  const here = await start(t, pipeline);
  const there = await start(t, pipeline);
  for (let i = 0; i < 5; ++i) await here.predict({ input: gruInput(i) }, { stateId: "s" });
  const state = here.exportState("s");
  there.importState("moved", state);
  here.importState("copy", state);
  for (let i = 5; i < 10; ++i) {
    const input = gruInput(i);
    const wanted = bits(await here.predict({ input }, { stateId: "s" }));
    t.equal(bits(await there.predict({ input }, { stateId: "moved" })), wanted);
    t.equal(bits(await here.predict({ input }, { stateId: "copy" })), wanted);
  }
  t.same(here.exportState("s"), here.exportState("copy"));
  here.importState("s", state);
  t.same(here.exportState("s"), state, "in place of what it had");
  t.throws(() => here.exportState("nobody"), { code: "NOT_FOUND", message: /'nobody'/ });
});

/** A counter, a tensor and a model, each with a state. */
function sums() {
  const Counter = defineCell({
    name: "Counter",
    inputs: { value: Integer() },
    outputs: { row: Tensor("FP32", [-1, 4]), counter: Integer() },
    state: { counter: Integer({ default: 0 }), seen: Tensor("INT64", [2], { default: [0n, 0n] }) },
    call({ inputs, state }) {
      state.counter += 1;
      state.seen[0] = BigInt(inputs.value);
      return { row: new Float32Array(4).fill(inputs.value), counter: state.counter };
    },
  });
  const factory = new PipelineFactory({ name: "sums" });
  const counter = factory.addCell("counter", Counter);
  const sum = factory.addCell("sum", onnxCell({ name: "sum", model: fixture("accumulator") }));
  return factory
    .connect(counter.outputs.row, sum.input("x"))
    .declareInput("value", counter.inputs.value)
    .declareOutput("counter", counter.outputs.counter)
    .declareOutput("sum", sum.output("y"))
    .build();
}

type Sums = ReturnType<typeof sums>;

async function add(proc: Awaited<ReturnType<typeof start<Sums>>>, value: number, stateId = "s") {
  const { counter, sum } = await proc.predict({ value }, { stateId });
  return [counter, (sum as unknown as Float32Array)[0]];
}

t.test("all cells of a pipeline move together", async (t) => {
  const here = await start(t, sums());
  const there = await start(t, sums(), "debug");
  await add(here, 1);
  await add(here, 2);
  const state = here.exportState("s");
  t.same(await add(here, 3), [3, 6]);
  there.importState("t", state);
  t.same(await add(there, 3, "t"), [3, 6]);
  t.same(await add(here, 4), [4, 10], "the export has changed nothing");
});

t.test("bytes of another kind are refused, and change nothing", async (t) => {
  const proc = await start(t, sums());
  await add(proc, 1);
  const state = proc.exportState("s");
  const refused = (bytes: Uint8Array, message: RegExp) => {
    t.throws(() => proc.importState("s", bytes), { code: "INVALID_ARGUMENT", path: "state", message });
    t.throws(() => proc.importState("fresh", bytes), { code: "INVALID_ARGUMENT", path: "state" });
  };
  refused(new Uint8Array(), /not an exported state/);
  refused(Buffer.from("GIF89a, to be sure"), /not an exported state/);
  refused(state.subarray(0, 8), /damaged/);
  refused(state.subarray(0, state.length - 1), /damaged|not a state of this model/);
  const next = state.slice();
  next[4] = 2;
  refused(next, /version 2, this release reads 1/);

  const gru = await start(t, await gruPipeline());
  await gru.predict({ input: gruInput(1) }, { stateId: "s" });
  refused(gru.exportState("s"), /of pipeline 'gru', not of 'sums'/);
  const counters = await start(t, myPipeline());
  await counters.predict({ input: 1 }, { stateId: "s" });
  refused(counters.exportState("s"), /of pipeline 'MyPipeline'/);
  t.same(await add(proc, 2), [2, 3]);
  t.throws(() => proc.exportState("fresh"), { code: "NOT_FOUND" });
});

t.test("a record that is whole, but not of these cells, is refused as a whole", async (t) => {
  const proc = await start(t, sums());
  await add(proc, 1);
  const state = Buffer.from(proc.exportState("s"));
  const record = deserialize(state.subarray(8)) as { models: Map<string, unknown>; functions: Map<string, object> };
  const model = record.models.get("sum");
  const crafted = (change: object) => Buffer.concat([state.subarray(0, 8), serialize({ ...record, ...change })]);
  const counter = (fields: object) => new Map([["counter", { ...record.functions.get("counter"), ...fields }]]);
  await add(proc, 2);
  const wrong = [
    { models: new Map([["sum", 7]]) },
    { models: new Map([["sum", new Uint8Array(3)]]) },
    { models: new Map([["other", model]]) },
    { models: [] },
    { functions: undefined },
    { functions: new Map() },
    { functions: { counter: {} } },
    { functions: new Map([["counter", 7]]) },
    { functions: counter({ counter: "many" }) },
    { functions: counter({ seen: new Float32Array(2) }) },
    { functions: counter({ other: 1 }) },
  ];
  for (const change of wrong) {
    t.throws(
      () => proc.importState("s", crafted(change)),
      { code: "INVALID_ARGUMENT", path: /^state/ },
      inspect(change),
    );
    t.throws(() => proc.exportState("fresh"), { code: "NOT_FOUND" });
  }
  t.same(await add(proc, 3), [3, 6], "nothing of it was taken");
  proc.importState("s", crafted({}));
  t.same(await add(proc, 5), [2, 6]);
});

t.test("where a part of it finds no room, the other parts are put back", async (t) => {
  const room = () => new Inference({ pipeline: sums(), maxStates: 1 });
  const proc = await start(t, room());
  await add(proc, 1, "a");
  const state = proc.exportState("a");
  t.throws(() => proc.importState("b", state), { code: "RESOURCE_EXHAUSTED" });
  t.equal(proc.stats().sum?.liveStates, 1, "the model has not kept its part");
  t.same(await add(proc, 2, "a"), [2, 3]);
});

t.test("a state of a model of the same name but another shape is refused", async (t) => {
  const model = (name: string) => modelPipeline(onnxCell({ name: "m", model: fixture(name) }));
  const four = await start(t, await model("accumulator"));
  const two = await start(t, await model("ledger"));
  await four.predict({ x: new Float32Array(4) }, { stateId: "s" });
  t.throws(() => two.importState("s", four.exportState("s")), {
    code: "INVALID_ARGUMENT",
    message: /not a state of this model/,
  });
});

t.test("bytes that were damaged anywhere never do harm", async (t) => {
  const proc = await start(t, sums());
  await add(proc, 1);
  const state = proc.exportState("s");
  const damage = fc.tuple(fc.nat(state.length - 1), fc.integer({ min: 1, max: 255 }));
  await fc.assert(
    fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (places) => {
      const damaged = state.slice();
      for (const [at, change] of places) damaged[at] = (damaged[at] ?? 0) ^ change;
      try {
        proc.importState("damaged", damaged);
      } catch (error) {
        if (!(error instanceof HeadraceError) || error.code !== "INVALID_ARGUMENT") throw error;
      }
      // A change of the values themselves cannot be told; then the stream must still be one.
      await add(proc, 1, "damaged");
      proc.dropState("damaged");
    }),
    { numRuns: 400, seed: 7 },
  );
  t.same(await add(proc, 2), [2, 3]);
});

t.test("only between steps", async (t) => {
  const gate = deferred();
  const reached = deferred();
  const Slow = defineCell({
    name: "Slow",
    inputs: { value: Integer() },
    outputs: { counter: Integer() },
    state: { counter: Integer({ default: 0 }) },
    async call({ inputs, state }) {
      state.counter += 1;
      if (inputs.value === 1) {
        reached.resolve();
        await gate.promise;
      }
      return { counter: state.counter };
    },
  });
  const factory = new PipelineFactory({ name: "slow" });
  const { inputs, outputs } = factory.addCell("slow", Slow);
  const pipeline = factory.declareInput("value", inputs.value).declareOutput("counter", outputs.counter).build();
  const proc = await start(t, pipeline);
  await proc.predict({ value: 0 }, { stateId: "s" });
  const state = proc.exportState("s");
  const running = proc.predict({ value: 1 }, { stateId: "s" });
  await reached.promise;
  t.throws(() => proc.exportState("s"), { code: "UNAVAILABLE", message: /'s' has a step under way/ });
  t.throws(() => proc.importState("s", state), { code: "UNAVAILABLE" });
  proc.importState("other", state);
  gate.resolve();
  t.same(await running, { counter: 2 });
  t.same(await proc.predict({ value: 0 }, { stateId: "s", end: true }), { counter: 3 });
  t.throws(() => proc.exportState("s"), { code: "NOT_FOUND" });
  t.same(await proc.predict({ value: 0 }, { stateId: "other" }), { counter: 2 });
});
