import { pathToFileURL } from "node:url";
import t from "tap";
import { type OnnxCellOptions, type OnnxPortOptions, onnxCell } from "../../src/pipeline/index.js";
import { Integer, MODEL_TENSOR, Tensor } from "../../src/types/index.js";

t.test("the description has every default filled in", async (t) => {
  const cell = onnxCell({ name: "vad", model: "/models/vad.onnx" });
  t.same(cell, {
    kind: "onnx",
    name: "vad",
    description: undefined,
    model: "/models/vad.onnx",
    inputs: undefined,
    outputs: undefined,
    constants: {},
    state: undefined,
    context: {},
    batching: { maxSize: undefined, maxDelayMicros: 0 },
    accelerator: "auto",
    execution: "auto",
    lanes: undefined,
    intraOpThreads: 1,
    queueSize: 4096,
    queueBytes: 1 << 30,
    stateTtlSeconds: 60,
    maxStates: 10_000,
    evict: "refuse",
  });
  t.ok(Object.isFrozen(cell));
});

t.test("short forms become long ones", async (t) => {
  const type = Tensor("FP32", [-1, 512]);
  const cell = onnxCell({
    name: "vad",
    model: "vad.onnx",
    inputs: { audio: { tensor: "input", type }, mask: "mask_in", bias: {} },
    outputs: { speech: "output" },
    constants: { sr: 16000n, table: new Float32Array(2) },
    state: [{ input: "state", output: "stateN" }],
    context: { audio: 64, mask: { size: 2, axis: 1 } },
  });
  t.same(cell.inputs?.mask, { tensor: "mask_in", type: MODEL_TENSOR });
  t.same(cell.inputs?.bias, { tensor: "bias", type: MODEL_TENSOR });
  t.equal(cell.inputs?.audio?.type, type);
  t.same(cell.state, [{ input: "state", output: "stateN", batchAxis: undefined, initial: "zeros" }]);
  t.same(cell.context, { audio: { size: 64, axis: undefined }, mask: { size: 2, axis: 1 } });
  t.equal(cell.constants.sr, 16000n);
  t.same(onnxCell({ name: "none", model: "m.onnx", state: [] }).state, []);
});

t.test("where the model is", async (t) => {
  const path = (model: string | URL, baseUrl?: string | URL) =>
    onnxCell({ name: "m", model, ...(baseUrl === undefined ? {} : { baseUrl }) }).model;
  t.equal(path("m.onnx"), `${process.cwd()}/m.onnx`);
  t.equal(path("/a/m.onnx", "file:///b/c.js"), "/a/m.onnx");
  t.equal(path("m #1%.onnx", "file:///b/c.js"), "/b/m #1%.onnx");
  t.equal(path("../m.onnx", new URL("file:///b/d/")), "/b/m.onnx");
  t.equal(path(pathToFileURL("/a b/m.onnx")), "/a b/m.onnx");
  t.equal(path("file:///a%20b/m.onnx"), "/a b/m.onnx");
  t.throws(() => path(""), { code: "INVALID_ARGUMENT", path: "m.model" });
  t.throws(() => path(new URL("http://x/m.onnx")), { code: "INVALID_ARGUMENT", path: "m.model" });
  t.throws(() => path("m.onnx", "http://x/"), { code: "INVALID_ARGUMENT", path: "m.baseUrl" });
});

t.test("an option out of range is refused by name", async (t) => {
  const refused = (options: object, path: string) =>
    t.throws(
      () => onnxCell({ name: "m", model: "m.onnx", ...options } as OnnxCellOptions<OnnxPortOptions, OnnxPortOptions>),
      { code: "INVALID_ARGUMENT", path },
      path,
    );
  refused({ name: "" }, "onnxCell.name");
  refused({ batching: { maxSize: 0 } }, "m.batching.maxSize");
  refused({ batching: { maxDelayMicros: -1 } }, "m.batching.maxDelayMicros");
  refused({ accelerator: "gpu" }, "m.accelerator");
  refused({ execution: "fast" }, "m.execution");
  refused({ lanes: 0 }, "m.lanes");
  refused({ intraOpThreads: 0 }, "m.intraOpThreads");
  refused({ intraOpThreads: 257 }, "m.intraOpThreads");
  refused({ queueSize: 1.5 }, "m.queueSize");
  refused({ queueBytes: 0 }, "m.queueBytes");
  refused({ stateTtlSeconds: 0 }, "m.stateTtlSeconds");
  refused({ maxStates: 0 }, "m.maxStates");
  refused({ evict: "fifo" }, "m.evict");
  refused({ context: { audio: 0 } }, "m.context.audio");
  refused({ context: { audio: { size: 1, axis: -1 } } }, "m.context.audio.axis");
  refused({ constants: { sr: null } }, "m.constants.sr");
  refused({ state: [{ input: "s", output: "" }] }, "m.state[0].output");
  refused({ state: [{ input: "s", output: "t", batchAxis: -1 }] }, "m.state[0].batchAxis");
  refused({ state: [{ input: "s", output: "t", initial: "ones" }] }, "m.state[0].initial");
  refused({ inputs: { audio: "" } }, "m.inputs.audio");
  refused({ inputs: { audio: { type: Integer() } } }, "m.inputs.audio.type");
});

t.test("a tensor has one use", async (t) => {
  const refused = (options: object, path: string, message: RegExp) =>
    t.throws(() => onnxCell({ name: "m", model: "m.onnx", ...options }), { path, message });
  const state = [{ input: "s", output: "t" }];
  refused({ inputs: { a: "x", b: "x" } }, "m.inputs.b", /tensor "x" is port "a" already/);
  refused({ state: [...state, { input: "u", output: "t" }] }, "m.state[1].output", /"t" is in a pair already/);
  refused({ state, inputs: { a: "s" } }, "m.inputs.a", /tensor "s" is a state already/);
  refused({ state, outputs: { a: "t" } }, "m.outputs.a", /tensor "t" is a state already/);
  refused({ state, constants: { s: 1 } }, "m.constants.s", /tensor "s" is a state already/);
  refused({ constants: { x: 1 }, inputs: { a: "x" } }, "m.inputs.a", /tensor "x" is a constant already/);
  refused({ constants: { x: 1 }, context: { x: 1 } }, "m.context.x", /tensor "x" is a constant already/);
  t.ok(onnxCell({ name: "m", model: "m", state: [{ input: "s", output: "s" }] }), "input and output may share a name");
});
