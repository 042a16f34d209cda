/** The state of function cells: fresh, kept, reset, freed, evicted, and never touched by a step that fails. */
import { once } from "node:events";
import t from "tap";
import { defineCell, PipelineFactory } from "../../src/pipeline/index.js";
import { Inference, type InferenceOptions, type InferenceProcess } from "../../src/runtime/index.js";
import { Boolean as Bool, Integer, Tensor, type TensorValue } from "../../src/types/index.js";
import { myPipeline } from "../support/cells.js";
import { start } from "../support/serve.js";

type Mine = ReturnType<typeof myPipeline>;
type Options = Omit<InferenceOptions<Mine>, "pipeline">;

/** The counter cell, and what its steps count. */
async function counting(t: Parameters<typeof start>[0], options: Options = {}) {
  const proc = await start(t, new Inference({ pipeline: myPipeline(), ...options }));
  const count = async (stateId?: string, how: { start?: boolean; end?: boolean } = {}): Promise<number> =>
    (await proc.predict({ input: 1 }, stateId === undefined ? {} : { stateId, ...how })).counter;
  return { proc, count };
}

/** The next state that is evicted. */
function eviction(proc: InferenceProcess<Mine>): Promise<[string, string]> {
  // The sweep does not keep the event loop alive.
  const alive = setInterval(() => {}, 1000);
  return new Promise((resolve) => {
    const stop = proc.onEvict((stateId, reason) => {
      stop();
      clearInterval(alive);
      resolve([stateId, reason]);
    });
  });
}

t.test("start resets before the step, end frees after it", async (t) => {
  const { proc, count } = await counting(t);
  t.equal(await count("s"), 1);
  t.equal(await count("s"), 2);
  t.equal(await count("s", { start: true }), 1);
  t.equal(await count("s"), 2);
  t.equal(await count("s", { end: true }), 3, "the last step still has the state");
  t.throws(() => proc.exportState("s"), { code: "NOT_FOUND" }, "which is gone then");
  t.equal(await count("s"), 1);
  t.equal(await count("s", { start: true, end: true }), 1);
  t.equal(await count("s"), 1);
  proc.dropState("s");
  t.equal(await count("s"), 1);
});

t.test("all are told of an eviction, also where one of them throws", async (t) => {
  const { proc, count } = await counting(t, { maxStates: 1, evict: "lru" });
  const uncaught = once(process, "uncaughtException");
  proc.onEvict((stateId) => {
    throw new Error(`not ${stateId}`);
  });
  const told = eviction(proc);
  await count("a");
  await count("b");
  t.same(await told, ["a", "lru"]);
  t.match(await uncaught, [{ message: "not a" }], "which is seen all the same");
});

t.test("a cell is told that the stream ends with this step", async (t) => {
  const Last = defineCell({
    name: "Last",
    inputs: {},
    outputs: { last: Bool() },
    call: ({ end }) => ({ last: end }),
  });
  const factory = new PipelineFactory({ name: "last" });
  const pipeline = factory.declareOutput("last", factory.addCell("last", Last).outputs.last).build();
  const proc = await start(t, pipeline);
  const last = async (options = {}) => (await proc.predict({}, options)).last;
  t.same([await last(), await last({ stateId: "s" }), await last({ stateId: "s", end: true })], [false, false, true]);
});

t.test("an unused state is evicted after its time", async (t) => {
  const { proc, count } = await counting(t, { stateTtlSeconds: 0.001 });
  const evicted = eviction(proc);
  t.equal(await count("idle"), 1);
  t.same(await evicted, ["idle", "ttl"]);
  t.equal(await count("idle"), 1, "and begins anew");
});

t.test("a table of states that is full refuses new ids, and only those", async (t) => {
  const { count } = await counting(t, { maxStates: 2 });
  await count("a");
  await count("b");
  await t.rejects(count("c"), { code: "RESOURCE_EXHAUSTED", message: /2 states are in use/ });
  t.equal(await count(), 1, "a prediction without an id needs no room");
  t.equal(await count("a"), 2);
  t.equal(await count("b", { end: true }), 2);
  t.equal(await count("c"), 1, "an ended state makes room");
  await t.rejects(count("b"), { code: "RESOURCE_EXHAUSTED" });
});

t.test('evict: "lru" drops the idle state that was stepped longest ago, and says so', async (t) => {
  const { proc, count } = await counting(t, { maxStates: 2, evict: "lru" });
  await count("a");
  await count("b");
  await count("a");
  const evicted = eviction(proc);
  t.equal(await count("c"), 1);
  t.same(await evicted, ["b", "lru"]);
  t.equal(await count("a"), 3, "the others are as they were");
  t.equal(await count("c"), 2);
});

const Faulty = defineCell({
  name: "Faulty",
  inputs: { fail: Bool({ default: false }) },
  outputs: { counter: Integer(), sum: Tensor("FP32", [2]) },
  state: { counter: Integer({ default: 0 }), sum: Tensor("FP32", [2], { default: [0, 0] }) },
  call({ inputs, state }) {
    state.counter += 1;
    state.sum[0] = (state.sum[0] ?? 0) + 1;
    if (state.sum.shape.join() !== "2") throw new Error("the state has lost its shape");
    if (inputs.fail) throw new Error("out of paper");
    return { counter: state.counter, sum: state.sum };
  },
});

async function faulty(t: Parameters<typeof start>[0]) {
  const factory = new PipelineFactory({ name: "faulty" });
  const { inputs, outputs } = factory.addCell("printer", Faulty);
  const pipeline = factory
    .declareInput("fail", inputs.fail)
    .declareOutput("counter", outputs.counter)
    .declareOutput("sum", outputs.sum)
    .build();
  return start(t, pipeline);
}

t.test("a cell that fails is named, and leaves its state as it was", async (t) => {
  const proc = await faulty(t);
  const failed = {
    code: "CELL_FAILED",
    message: "cell 'printer' failed: out of paper",
    cause: new Error("out of paper"),
  };
  await t.rejects(proc.predict({ fail: true }, { stateId: "s" }), failed);
  t.throws(() => proc.exportState("s"), { code: "NOT_FOUND" }, "a first step that failed has made none");
  t.same((await proc.predict({}, { stateId: "s" })).counter, 1);
  await t.rejects(proc.predict({ fail: true }, { stateId: "s" }), failed);
  await t.rejects(proc.predict({ fail: true }, { stateId: "s", start: true }), failed, "nor does a reset count");
  const { counter, sum } = await proc.predict({}, { stateId: "s" });
  t.equal(counter, 2);
  t.same([...sum], [2, 0]);
});

t.test("a tensor in the state keeps its shape, and nobody outside holds it", async (t) => {
  const proc = await faulty(t);
  let last: TensorValue<"FP32"> | undefined;
  for (let step = 1; step <= 3; ++step) {
    const { sum } = await proc.predict({}, { stateId: "s" });
    t.same(sum.shape, [2], `step ${step}`);
    t.same([...sum], [step, 0]);
    sum.fill(99);
    last?.fill(-1);
    last = sum;
  }
});

t.test("a state that is none of its type fails its step, not the stream", async (t) => {
  const Odd = defineCell({
    name: "Odd",
    inputs: { value: Integer() },
    outputs: { value: Integer() },
    state: { last: Integer({ default: 7 }) },
    call({ inputs, state }) {
      const before = state.last;
      // What only JavaScript can do: a function cannot even be copied.
      state.last = inputs.value === 0 ? ((() => 0) as unknown as number) : inputs.value;
      return { value: before };
    },
  });
  const factory = new PipelineFactory({ name: "odd" });
  const { inputs, outputs } = factory.addCell("odd", Odd);
  const proc = await start(
    t,
    factory.declareInput("value", inputs.value).declareOutput("value", outputs.value).build(),
  );
  await proc.predict({ value: 1 }, { stateId: "s" });
  await t.rejects(proc.predict({ value: 0 }, { stateId: "s" }), {
    code: "CELL_FAILED",
    message: /^cell 'odd' failed: odd\.state\.last: expected an integer/,
  });
  t.same(await proc.predict({ value: 2 }, { stateId: "s" }), { value: 1 });
});

t.test("parameters are validated with their path", async (t) => {
  const started = (parameters: Options["parameters"]) =>
    start(t, new Inference({ pipeline: myPipeline(), ...(parameters === undefined ? {} : { parameters }) }));
  await t.rejects(started({ "my-cell": { adder: 1.5 } }), {
    code: "INVALID_ARGUMENT",
    path: "parameters.my-cell.adder",
  });
  await t.rejects(started({ "my-cell": { adder: "1" } }), {
    code: "INVALID_ARGUMENT",
    path: "parameters.my-cell.adder",
  });
  await t.rejects(started({ "my-cell": { colour: 1 } }), {
    code: "INVALID_ARGUMENT",
    path: "parameters.my-cell.colour",
    message: /known: adder/,
  });
  t.throws(() => new Inference({ pipeline: myPipeline(), parameters: { other: {} } }), {
    code: "INVALID_ARGUMENT",
    path: "parameters.other",
    message: /my-cell/,
  });
  const wrong = { stateTtlSeconds: [0, Number.NaN], maxStates: [0, 1.5], evict: ["sometimes"] };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const options = { pipeline: myPipeline(), [name]: value };
      t.throws(() => new Inference(options), { code: "INVALID_ARGUMENT", path: name }, `${name}: ${value}`);
    }
  }
});

t.test("options and inputs of predict are validated with their path", async (t) => {
  const { proc, count } = await counting(t);
  const wrong = [
    [{ timeoutMs: 0 }, "timeoutMs"],
    [{ timeoutMs: 2 ** 31 }, "timeoutMs"],
    [{ priority: 256 }, "priority"],
    [{ priority: 0.5 }, "priority"],
    [{ stateId: "" }, "stateId"],
    [{ stateId: 7 as unknown as string }, "stateId"],
    [{ stateId: "half of a \ud800 pair" }, "stateId"],
    [{ start: true }, "start"],
    [{ end: true }, "end"],
    [{ stateID: "x" } as object, "stateID"],
  ] as const;
  for (const [options, path] of wrong) {
    await t.rejects(proc.predict({ input: 1 }, options), { code: "INVALID_ARGUMENT", path }, JSON.stringify(options));
  }
  const input = (value: unknown) => proc.predict(value as { input: number });
  await t.rejects(input({}), { code: "INVALID_ARGUMENT", path: "inputs.input", message: /is missing/ });
  await t.rejects(input({ input: "1" }), { code: "INVALID_ARGUMENT", path: "inputs.input" });
  await t.rejects(input({ input: 1, other: 2 }), { code: "INVALID_ARGUMENT", path: "inputs.other" });
  await t.rejects(input(undefined), { code: "INVALID_ARGUMENT", path: "inputs" });
  t.equal(await count(), 1);
});
