/** What can go wrong when an inference starts, and what must not when it stops. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { defineCell, onnxCell, PipelineFactory } from "../../src/pipeline/index.js";
import { Inference, type InferenceProcess, init } from "../../src/runtime/index.js";
import { Integer, Tensor } from "../../src/types/index.js";
import { deferred, myPipeline } from "../support/cells.js";
import { fixture, GRU } from "../support/paths.js";
import { gruPipeline, modelPipeline, start } from "../support/serve.js";
import { gruInput } from "../support/steps.js";

type CellOptions = Partial<Parameters<typeof onnxCell>[0]>;

/** A pipeline of one model with its ports named, so that nothing is read before it starts. */
function unread(options: CellOptions, ports = { input: "input", output: "output" }) {
  const factory = new PipelineFactory({ name: "unread" });
  const handle = factory.addCell("model", onnxCell({ name: "model", model: GRU, ...options }));
  return factory
    .declareInput("input", handle.input(ports.input))
    .declareOutput("output", handle.output(ports.output))
    .build();
}

t.test("a model that is not there, or is none", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "headrace-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const corrupt = join(folder, "corrupt.onnx");
  await writeFile(corrupt, "this is not a model");
  const missing = join(folder, "missing.onnx");
  await t.rejects(start(t, unread({ model: missing })), { code: "MODEL_NOT_FOUND", message: /missing\.onnx/ });
  await t.rejects(start(t, unread({ model: folder })), { code: /^MODEL_/ });
  await t.rejects(start(t, unread({ model: corrupt })), { code: "MODEL_INVALID", message: /corrupt\.onnx/ });
});

t.test("a description that does not fit its model", async (t) => {
  const wrong: [CellOptions, RegExp][] = [
    [{ inputs: { input: { tensor: "audio" } } }, /no such tensor 'audio'; its inputs are input/],
    [{ outputs: { speech: "speech" } }, /no such tensor 'speech'; its outputs are output/],
    [{ inputs: { input: { type: Tensor("FP64", [-1, 512]) } } }, /is declared Tensor FP64.*FP32/],
    [{ inputs: { input: { type: Tensor("FP32", [-1, 511]) } } }, /511/],
    [{ state: [{ input: "nothing", output: "stateN" }] }, /nothing/],
    [{ constants: { nothing: 1 } }, /nothing/],
  ];
  for (const [options, message] of wrong) {
    await t.rejects(start(t, unread(options)), { code: "MODEL_INVALID", message });
  }
});

t.test("a port that the model does not have, a type that does not fit", async (t) => {
  await t.rejects(start(t, unread({}, { input: "audio", output: "output" })), {
    code: "PIPELINE_INVALID",
    message: /no model\.audio: the model's inputs are: input/,
  });
  await t.rejects(start(t, unread({}, { input: "input", output: "stateN" })), { code: "PIPELINE_INVALID" });
  const Doubles = defineCell({
    name: "Doubles",
    inputs: { row: Tensor("FP64", [-1, 8]) },
    outputs: { row: Tensor("FP64", [-1, 8]) },
    call: ({ inputs }) => ({ row: inputs.row }),
  });
  const factory = new PipelineFactory({ name: "mismatch" });
  const model = factory.addCell("model", onnxCell({ name: "model", model: GRU }));
  const doubles = factory.addCell("doubles", Doubles);
  factory.connect(model.output("output"), doubles.inputs.row);
  const pipeline = factory.declareInput("i", model.input("input")).declareOutput("o", doubles.outputs.row).build();
  await t.rejects(start(t, pipeline), {
    code: "PIPELINE_INVALID",
    message: /model\.output.*FP32.*doubles\.row.*FP64/s,
  });
});

t.test("accelerators that this build does not have", async (t) => {
  for (const accelerator of ["cuda", "tensorrt"] as const) {
    await t.rejects(start(t, unread({ accelerator })), { code: "UNIMPLEMENTED", message: new RegExp(accelerator) });
  }
  for (const accelerator of ["auto", "cpu"] as const) {
    const proc = await start(t, unread({ accelerator }));
    await proc.predict({ input: gruInput(1) });
  }
  t.throws(() => onnxCell({ name: "m", model: GRU, accelerator: "tpu" as "cpu" }), {
    code: "INVALID_ARGUMENT",
    path: "m.accelerator",
  });
});

/** Predictions that go on until they are refused; gives how many succeeded, and every error. */
async function load(proc: InferenceProcess, stateId: string, running: () => void) {
  const errors: { code?: string }[] = [];
  let succeeded = 0;
  for (let i = 0; errors.length === 0; ++i) {
    await proc.predict({ input: gruInput(i % 10) }, { stateId }).then(
      () => {
        succeeded += 1;
        if (succeeded === 3) running();
      },
      (error: { code?: string }) => errors.push(error),
    );
  }
  return { succeeded, errors };
}

for (const options of [{ execution: "inline" }, { execution: "lanes", lanes: 2 }] as const) {
  t.test(`stop under load answers what was accepted and refuses the rest: ${options.execution}`, async (t) => {
    const runtime = await init("local");
    const proc = await runtime.startInference(new Inference({ pipeline: await gruPipeline(options) }));
    let running = 0;
    let allRunning = (): void => {};
    const warm = new Promise<void>((resolve) => {
      allRunning = resolve;
    });
    const streams = Array.from({ length: 20 }, (_, i) => load(proc, `s${i}`, () => ++running === 20 && allRunning()));
    await warm;
    const accepted = Array.from({ length: 50 }, (_, i) =>
      proc.predict({ input: gruInput(i) }, { stateId: `t${i % 3}` }),
    );
    const stopped = runtime.stop();
    await t.rejects(proc.predict({ input: gruInput(0) }), { code: "UNAVAILABLE" });
    const outcomes = await Promise.allSettled(accepted);
    t.same(
      outcomes.filter(({ status }) => status === "rejected"),
      [],
    );
    await stopped;
    for (const { errors } of await Promise.all(streams))
      t.same(
        errors.map(({ code }) => code),
        ["UNAVAILABLE"],
      );
    t.match(proc.stats().model, { waiting: 0, running: 0, cancelled: 0n, failed: 0n });
    await runtime.stop();
    for (const late of [() => proc.exportState("s0"), () => proc.importState("s0", new Uint8Array())]) {
      t.throws(late, { name: "HeadraceError", code: "UNAVAILABLE" });
    }
    proc.dropState("s0");
  });
}

t.test("stop waits for a cell that does not end no longer than it was told to", async (t) => {
  const reached = deferred();
  const Stuck = defineCell({
    name: "Stuck",
    inputs: { value: Integer() },
    outputs: { value: Integer() },
    call() {
      reached.resolve();
      return new Promise<{ value: number }>(() => {});
    },
  });
  const factory = new PipelineFactory({ name: "stuck" });
  const { inputs, outputs } = factory.addCell("stuck", Stuck);
  const pipeline = factory.declareInput("value", inputs.value).declareOutput("value", outputs.value).build();
  const proc = await start(t, pipeline);
  const outcome = t.rejects(proc.predict({ value: 1 }, { stateId: "s" }), { code: "CANCELLED" });
  await reached.promise;
  await proc.stop({ timeoutMs: 20 });
  await outcome;
});

t.test("a runtime that is stopped while an inference starts leaves none running", async (t) => {
  const runtime = await init("local");
  const starting = runtime.startInference(new Inference({ pipeline: await gruPipeline() }));
  await runtime.stop();
  await t.rejects(starting, { code: "UNAVAILABLE" });
  t.same(runtime.listProcesses(), []);
});

t.test("rows without a state id are predictions of their own; a step is one row", async (t) => {
  const proc = await start(t, await gruPipeline());
  const rows = [1, 2, 3].map(gruInput);
  const single = await Promise.all(rows.map((input) => proc.predict({ input })));
  const batch = await proc.predict({ input: rows.map((row) => [...row]) });
  const apart = single.map(({ output }, i) =>
    Math.max(
      ...(output as Float32Array).map((value, j) =>
        Math.abs(value - ((batch.output as Float32Array)[i * 8 + j] ?? NaN)),
      ),
    ),
  );
  t.ok(Math.max(...apart) <= 1e-5);
  const wrong = proc.predict({ input: rows.map((row) => [...row]) }, { stateId: "s" });
  await t.rejects(wrong, {
    code: "INVALID_ARGUMENT",
    path: "inputs.input",
    message: /3 rows; a step of a state id is one row/,
  });
  await t.rejects(proc.predict({ input: new Float32Array(0) }), { code: "INVALID_ARGUMENT", path: "inputs.input" });
});

t.test("a model without state keeps none, whatever state ids it is given", async (t) => {
  const proc = await start(
    t,
    await modelPipeline(onnxCell({ name: "echo", model: fixture("identity_float"), maxStates: 2 })),
  );
  t.equal(proc.stateful, false);
  for (let i = 0; i < 10; ++i) await proc.predict({ x: Float32Array.of(i, 0, 0) }, { stateId: `s${i}` });
  t.equal(proc.stats().model?.liveStates, 0);
});

t.test("an aborted prediction leaves nothing behind that keeps the process alive", async (t) => {
  const proc = await start(t, await gruPipeline());
  const before = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const signal = AbortSignal.abort();
  await t.rejects(proc.predict({ input: gruInput(1) }, { signal, timeoutMs: 1_000_000 }), { code: "CANCELLED" });
  await proc.predict({ input: gruInput(1) }, { timeoutMs: 1_000_000 });
  const counter = await start(t, myPipeline());
  await counter.predict({ input: 1 }, { timeoutMs: 1_000_000 });
  t.equal(process.getActiveResourcesInfo().filter((name) => name === "Timeout").length, before);
});
