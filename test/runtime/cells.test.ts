/** Function cells in a process: what they load and close, parameters that change, many steps at once. */
import t from "tap";
import { InvalidArgumentError } from "../../src/errors.js";
import { type CellContext, defineCell, type FunctionCell, PipelineFactory } from "../../src/pipeline/index.js";
import { Inference } from "../../src/runtime/index.js";
import { Integer, String as Text, type Types } from "../../src/types/index.js";
import { deferred } from "../support/cells.js";
import { start } from "../support/serve.js";

function alone<I extends Types, O extends Types>(cell: FunctionCell<I, O>) {
  const pf = new PipelineFactory({ name: "alone" });
  const handle = pf.addCell("cell", cell as FunctionCell);
  for (const [name, port] of Object.entries(handle.inputs)) pf.declareInput(name, port);
  for (const [name, port] of Object.entries(handle.outputs)) pf.declareOutput(name, port);
  return pf.build();
}

t.test("load runs before the first step, close after the last, with what load gave", async (t) => {
  const events: string[] = [];
  const cell = defineCell({
    name: "Loaded",
    inputs: {},
    outputs: { where: Text() },
    parameters: { greeting: Text({ default: "hello" }) },
    async load({ ref, parameters, device, modelPath, log }) {
      log.debug("loading");
      events.push("load");
      return { text: `${parameters.greeting} ${ref} on ${device} at ${modelPath}` };
    },
    call: ({ resources }) => ({ where: resources.text }),
    async close(resources) {
      events.push(`close ${resources.text}`);
    },
  });
  const inference = new Inference({
    pipeline: alone(cell),
    parameters: { cell: { greeting: "good day" } },
    modelPath: "/models",
  });
  const process = await start(t, inference);
  t.same(events, ["load"]);
  const text = "good day cell on cpu at /models";
  t.same(await process.predict({}), { where: text });
  await Promise.all([process.stop(), process.stop()]);
  t.same(events, ["load", `close ${text}`]);
});

t.test("a cell that cannot be loaded ends the start, and those before it are closed", async (t) => {
  const events: string[] = [];
  const make = (name: string, load: () => unknown) =>
    defineCell({
      name,
      inputs: {},
      outputs: { n: Integer() },
      load,
      call: () => ({ n: 1 }),
      close: () => {
        events.push(`close ${name}`);
      },
    });
  const pf = new PipelineFactory({ name: "p" });
  const good = pf.addCell(
    "good",
    make("good", () => events.push("load good")),
  );
  const bad = pf.addCell(
    "bad",
    make("bad", () => {
      throw new Error("no such file");
    }),
  );
  const pipeline = pf.declareOutput("a", good.outputs.n).declareOutput("b", bad.outputs.n).build();
  await t.rejects(start(t, pipeline), { code: "CELL_FAILED", message: "cell 'bad' failed to load: no such file" });
  t.same(events, ["load good", "close good"]);
});

t.test("what close throws is told, after everything else was closed", async (t) => {
  const cell = defineCell({
    name: "Stuck",
    inputs: {},
    outputs: { n: Integer() },
    call: () => ({ n: 1 }),
    close: () => {
      throw new Error("stuck");
    },
  });
  const process = await start(t, alone(cell));
  await t.rejects(process.stop(), { code: "CELL_FAILED", message: "cell 'cell' failed to close: stuck" });
});

t.test("parameters change between two steps, all or none, and states stay", async (t) => {
  const gates = [deferred<void>(), deferred<void>()];
  let step = 0;
  const cell = defineCell({
    name: "Adder",
    inputs: { n: Integer() },
    outputs: { sum: Integer(), count: Integer() },
    parameters: { adder: Integer({ default: 1 }), factor: Integer({ default: 1 }) },
    state: { count: Integer({ default: 0 }) },
    async call({ inputs, parameters, state }) {
      const before = parameters.adder * parameters.factor;
      await gates[step++]?.promise;
      state.count += 1;
      return { sum: inputs.n + (before === parameters.adder * parameters.factor ? before : -1000), count: state.count };
    },
  });
  const process = await start(t, alone(cell));
  t.same(process.getParameters("cell"), { adder: 1, factor: 1 });
  const first = process.predict({ n: 1 }, { stateId: "s" });
  const second = process.predict({ n: 1 }, { stateId: "s" });
  await new Promise(setImmediate);
  process.setParameters("cell", { adder: 10, factor: 3 });
  t.same(process.getParameters("cell"), { adder: 10, factor: 3 });
  gates[0]?.resolve();
  t.same(await first, { sum: 2, count: 1 }, "a step that had begun goes on with what it had");
  gates[1]?.resolve();
  t.same(await second, { sum: 31, count: 2 }, "one that waited for its turn sees the new ones");
  process.setParameters("cell", { factor: 1 });
  t.same(await process.predict({ n: 1 }, { stateId: "s" }), { sum: 11, count: 3 }, "the others stay");
  const wrong = { code: "INVALID_ARGUMENT" };
  t.throws(() => process.setParameters("cell", { adder: 5, factor: "x" }), {
    ...wrong,
    path: "parameters.cell.factor",
  });
  t.throws(() => process.setParameters("cell", { other: 1 }), wrong);
  t.throws(() => process.setParameters("none", {}), { ...wrong, path: "parameters.none" });
  t.same(process.getParameters("cell"), { adder: 10, factor: 1 }, "a change that does not fit changes nothing");
});

/** Adds what it is given to the state; its batches are let through one by one. */
function batched(maxBatch?: number) {
  const sizes: number[] = [];
  const ids: (string | undefined)[][] = [];
  const gate = { open: deferred<void>() };
  const cell = defineCell({
    name: "Batched",
    inputs: { n: Integer() },
    outputs: { total: Integer() },
    state: { total: Integer({ default: 0 }) },
    ...(maxBatch === undefined ? {} : { maxBatch }),
    async batch(steps) {
      sizes.push(steps.length);
      ids.push(steps.map(({ stateId }) => stateId));
      await gate.open.promise;
      return steps.map(({ inputs, state }) => {
        if (inputs.n < 0) return new Error(`${inputs.n} is below 0`);
        state.total += inputs.n;
        return { total: state.total };
      });
    },
  });
  return { cell, sizes, ids, gate };
}

t.test("a batch cell is given the steps of a turn, then those that came while it was busy", async (t) => {
  const { cell, sizes, ids, gate } = batched(4);
  const process = await start(t, alone(cell));
  const step = (id: string, n: number) => process.predict({ n }, { stateId: id });
  const turn = ["a", "b", "c"].map((id) => step(id, 1));
  while (sizes.length === 0) await new Promise(setImmediate);
  const later = ["a", "d", "e", "f", "g", "h"].map((id) => step(id, 2));
  const cancelled = new AbortController();
  const given = process.predict({ n: 5 }, { stateId: "x", signal: cancelled.signal });
  await new Promise(setImmediate);
  cancelled.abort();
  await t.rejects(given, { code: "CANCELLED" });
  gate.open.resolve();
  t.same(await Promise.all(turn), [{ total: 1 }, { total: 1 }, { total: 1 }]);
  const totals = await Promise.all(later);
  t.same(totals, [{ total: 3 }, ...Array.from({ length: 5 }, () => ({ total: 2 }))]);
  t.equal(sizes[0], 3);
  t.ok(
    sizes.every((size) => size <= 4),
    "never more than maxBatch",
  );
  for (const batch of ids) t.equal(new Set(batch).size, batch.length, "no two steps of a state id in one batch");
  t.notOk(ids.flat().includes("x"), "what was given up before its batch never runs");
});

t.test("an Error in a batch fails its own prediction; one that is thrown, all of them", async (t) => {
  const { cell, gate } = batched();
  gate.open.resolve();
  const process = await start(t, alone(cell));
  const outcomes = await Promise.allSettled([1, -1, 2].map((n) => process.predict({ n }, { stateId: `id ${n}` })));
  t.match(outcomes, [
    { value: { total: 1 } },
    { reason: { code: "CELL_FAILED", message: "cell 'cell' failed: -1 is below 0" } },
    { value: { total: 2 } },
  ]);
  t.same(await process.predict({ n: 4 }, { stateId: "id -1" }), { total: 4 }, "its state is as it was");

  for (const [batch, message] of [
    [
      () => {
        throw new Error("all of it");
      },
      "cell 'cell' failed: all of it",
    ],
    [() => [], /its batch gave 0 results for 2 steps/],
    [() => undefined as never, /its batch gave no results for 2 steps/],
    [(steps: readonly unknown[]) => steps.map(() => ({ n: "x" as never })), /cell\.outputs\.n: /],
  ] as const) {
    const bad = defineCell({ name: "Bad", inputs: {}, outputs: { n: Integer() }, batch });
    const failing = await start(t, alone(bad));
    const both = await Promise.allSettled([failing.predict({}), failing.predict({})]);
    t.match(both, [{ reason: { code: "CELL_FAILED", message } }, { reason: { code: "CELL_FAILED", message } }]);
  }
});

t.test("one by one, steps of different state ids do not wait for each other", async (t) => {
  const gates = new Map<string | undefined, ReturnType<typeof deferred<void>>>();
  const cell = defineCell({
    name: "Slow",
    inputs: {},
    outputs: { id: Text() },
    async call({ stateId }: CellContext<Types, Types, Types, undefined>) {
      await gates.get(stateId)?.promise;
      return { id: stateId ?? "" };
    },
  });
  const process = await start(t, alone(cell));
  gates.set("slow", deferred());
  const slow = process.predict({}, { stateId: "slow" });
  t.same(await process.predict({}, { stateId: "fast" }), { id: "fast" });
  gates.get("slow")?.resolve();
  t.same(await slow, { id: "slow" });
});

t.test("a promise of any make is waited for", async (t) => {
  const cell = defineCell({
    name: "Thenable",
    inputs: {},
    outputs: { n: Integer() },
    // biome-ignore lint/suspicious/noThenProperty: what some libraries give
    call: () => ({ then: (done: (value: { n: number }) => void) => setImmediate(done, { n: 7 }) }) as never,
  });
  const process = await start(t, alone(cell));
  t.same(await process.predict({}), { n: 7 });
});

t.test("a cell that refuses its input says so: the caller's fault, with the cell's name", async (t) => {
  const state = { count: Integer({ default: 0 }) };
  const refuse = (n: number, isAsync: boolean): { n: number } | Promise<{ n: number }> => {
    const error = new InvalidArgumentError("is below 0", { path: "n" });
    if (n >= 0) return { n };
    if (isAsync) return Promise.reject(error);
    throw error;
  };
  for (const isAsync of [false, true]) {
    const cell = defineCell({
      name: "Picky",
      inputs: { n: Integer() },
      outputs: { n: Integer() },
      state,
      call: ({ inputs, state }) => {
        state.count += 1;
        return refuse(inputs.n, isAsync);
      },
    });
    const process = await start(t, alone(cell));
    await t.rejects(process.predict({ n: -1 }, { stateId: "s" }), {
      code: "INVALID_ARGUMENT",
      message: "cell 'cell' refused its input: n: is below 0",
    });
    t.same(await process.predict({ n: 1 }, { stateId: "s" }), { n: 1 });
  }
});
