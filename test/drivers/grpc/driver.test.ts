/** The methods of V2 over gRPC, asked by an independent client. */

import { once } from "node:events";
import { status } from "@grpc/grpc-js";
import t from "tap";
import { DATATYPES, type FixedDatatype } from "../../../src/datatype.js";
import { GrpcDriver } from "../../../src/drivers/grpc/index.js";
import { defineCell, onnxCell, type Pipeline, PipelineFactory } from "../../../src/pipeline/index.js";
import { Inference, init } from "../../../src/runtime/index.js";
import { Integer } from "../../../src/types/index.js";
import { deferred } from "../../support/cells.js";
import { Gate } from "../../support/gate.js";
import { floats, GrpcTestClient, gruRequest, type Message, serveGrpc, V2 } from "../../support/grpc.js";
import { fixture } from "../../support/paths.js";
import { gruPipeline, modelPipeline, serve } from "../../support/serve.js";

const gate = (x: number, parameters: Message = {}, id = ""): Message => ({
  model_name: "gate",
  id,
  parameters,
  inputs: [{ name: "x", datatype: "INT64", shape: [1], contents: { int64_contents: [x] } }],
});
const int64s = (bytes: Buffer): number[] => [...new BigInt64Array(Uint8Array.from(bytes).buffer)].map(Number);

t.test("server and model say what they are", async (t) => {
  const { client } = await serveGrpc(t, await gruPipeline());
  t.same((await client.call("ServerLive")).answer, { live: true });
  t.same((await client.call("ServerReady")).answer, { ready: true });
  t.same((await client.call("ModelReady", { name: "gru" })).answer, { ready: true });
  t.same((await client.call("ModelReady", { name: "gru", version: "7" })).answer, { ready: false });
  t.same((await client.call("ModelReady", { name: "none" })).answer, { ready: false });
  const server = (await client.call("ServerMetadata")).answer;
  t.equal(server.name, "headrace");
  t.ok(server.extensions.includes("sequence"));
  t.same((await client.call("ModelMetadata", { name: "gru", version: "1" })).answer, {
    name: "gru",
    versions: ["1"],
    platform: "onnxruntime_onnx",
    inputs: [{ name: "input", datatype: "FP32", shape: ["-1", "512"] }],
    outputs: [{ name: "output", datatype: "FP32", shape: ["-1", "8"] }],
  });
  const { config } = (await client.call("ModelConfig", { name: "gru" })).answer;
  t.match(config, {
    name: "gru",
    backend: "onnxruntime",
    input: [{ name: "input", data_type: "TYPE_FP32", dims: ["512"] }],
  });
  t.equal(config.sequence_batching.state.length, 1);
  t.same((await client.call("RepositoryIndex")).answer.models, [
    { name: "gru", version: "1", state: "READY", reason: "" },
  ]);
});

t.test("what there is not ends in the status that says so", async (t) => {
  const { client } = await serveGrpc(t, await gruPipeline());
  const cases: [string, Message, number, RegExp][] = [
    ["ModelMetadata", { name: "none" }, status.NOT_FOUND, /there is no model 'none'; served: gru/],
    ["ModelMetadata", { name: "gru", version: "7" }, status.NOT_FOUND, /no version '7'/],
    ["ModelInfer", { model_name: "none" }, status.NOT_FOUND, /no model 'none'/],
    ["RepositoryModelLoad", { model_name: "gru" }, status.UNAVAILABLE, /no model directory/],
    ["TraceSetting", {}, status.UNIMPLEMENTED, /no Triton's trace settings/],
    ["LogSettings", {}, status.UNIMPLEMENTED, /log/],
    ["SystemSharedMemoryRegister", { name: "x" }, status.UNIMPLEMENTED, /shared memory/],
  ];
  for (const [method, request, code, message] of cases) {
    const { error } = await client.call(method, request);
    t.equal(error?.code, code, method);
    t.match(error?.details, message);
  }
  t.same((await client.call("SystemSharedMemoryStatus")).answer, { regions: {} }, "load generators ask first");
  t.same((await client.call("CudaSharedMemoryStatus")).answer, { regions: {} });
});

t.test("the same outputs and states as over HTTP, by both kinds of id", async (t) => {
  const { process, client } = await serveGrpc(t, await gruPipeline());
  const expected: number[][] = [];
  for (let step = 0; step < 4; step++) {
    const { output } = await process.predict({ input: new Float32Array(512).fill(step / 8) }, { stateId: "reference" });
    expected.push([...(output as Float32Array)]);
  }
  for (const [index, id] of [
    { int64_param: 7 },
    { string_param: "seven" },
    { uint64_param: "18446744073709551615" },
  ].entries()) {
    for (let step = 0; step < 4; step++) {
      const request = gruRequest(
        step / 8,
        { sequence_id: id, sequence_start: { bool_param: step === 0 } },
        { id: `r${step}` },
      );
      const { answer, error } = await client.call("ModelInfer", request);
      t.equal(error, undefined);
      t.same(floats(answer), expected[step], `id ${index}, step ${step}`);
      t.match(answer, {
        model_name: "gru",
        model_version: "1",
        id: `r${step}`,
        outputs: [{ name: "output", datatype: "FP32", shape: ["1", "8"] }],
      });
    }
  }
  const fresh = await client.call("ModelInfer", gruRequest(0.25));
  t.not(floats(fresh.answer).join(), expected[2]?.join(), "without an id there is no state");
  const end = gruRequest(0, { sequence_id: { int64_param: 7 }, sequence_end: { bool_param: true } });
  await client.call("ModelInfer", end);
  const again = await client.call("ModelInfer", gruRequest(0, { sequence_id: { int64_param: 7 } }));
  t.same(floats(again.answer), expected[0], "after its end a sequence begins anew");
});

/** Values of each datatype that survive unchanged, and the field of contents that has them. */
const VALUES: Record<Exclude<FixedDatatype, "FP16" | "BF16">, [string, readonly unknown[]]> = {
  BOOL: ["bool_contents", [true, false, true]],
  INT8: ["int_contents", [-128, 0, 127]],
  INT16: ["int_contents", [-32768, 5, 32767]],
  INT32: ["int_contents", [-(2 ** 31), 1, 2 ** 31 - 1]],
  INT64: ["int64_contents", ["-9223372036854775808", "3", "9223372036854775807"]],
  UINT8: ["uint_contents", [0, 200, 255]],
  UINT16: ["uint_contents", [0, 300, 65535]],
  UINT32: ["uint_contents", [0, 7, 2 ** 32 - 1]],
  UINT64: ["uint64_contents", ["0", "9", "18446744073709551615"]],
  FP32: ["fp32_contents", [1.5, -0.25, 3]],
  FP64: ["fp64_contents", [0.1, -2, 1e300]],
};
const FIXTURES: Record<FixedDatatype, string> = {
  BOOL: "bool",
  INT8: "int8",
  INT16: "int16",
  INT32: "int32",
  INT64: "int64",
  UINT8: "uint8",
  UINT16: "uint16",
  UINT32: "uint32",
  UINT64: "uint64",
  FP16: "float16",
  FP32: "float",
  FP64: "double",
  BF16: "bfloat16",
};

function arrayOf(datatype: FixedDatatype, values: readonly unknown[]): Buffer {
  const { array } = DATATYPES[datatype];
  const isBig = datatype === "INT64" || datatype === "UINT64";
  const numbers = values.map((value) => (isBig ? BigInt(value as string) : Number(value)));
  return Buffer.from(new (array as unknown as new (values: unknown[]) => { buffer: ArrayBuffer })(numbers).buffer);
}

t.test("every datatype comes back as it went, raw and as contents", async (t) => {
  for (const datatype of Object.keys(FIXTURES) as FixedDatatype[]) {
    const model = fixture(`identity_${FIXTURES[datatype]}`);
    const { process, client } = await serveGrpc(t, await modelPipeline(onnxCell({ name: "identity", model })));
    const [[name, { shape }] = ["", { shape: [] }]] = Object.entries(process.inputs);
    const count = shape.at(-1) === -1 ? 3 : (shape.at(-1) ?? 1);
    const isHalf = datatype === "FP16" || datatype === "BF16";
    const [field, known] = isHalf ? ["", [1, 2, 3]] : VALUES[datatype];
    const values = Array.from({ length: count }, (_, index) => known[index % known.length]);
    const full = shape.map((size, axis) => (axis === shape.length - 1 ? count : size === -1 ? 1 : size));
    const bytes = arrayOf(datatype, values);
    const input = { name, datatype, shape: full };
    const raw = await client.call("ModelInfer", {
      model_name: "identity",
      inputs: [input],
      raw_input_contents: [bytes],
    });
    t.equal(raw.error?.details, undefined, datatype);
    t.same(raw.answer.raw_output_contents[0], bytes, `${datatype} raw`);
    t.same(raw.answer.outputs[0].shape.map(Number), full);
    const typed = { model_name: "identity", inputs: [{ ...input, contents: { [field || "fp32_contents"]: values } }] };
    const answer = await client.call("ModelInfer", typed);
    if (isHalf) {
      t.match(answer.error?.details, /send it in raw_input_contents/);
      continue;
    }
    t.same(answer.answer?.raw_output_contents[0], bytes, `${datatype} as contents`);
  }
});

t.test("strings, raw and as contents", async (t) => {
  const { client, process } = await serveGrpc(
    t,
    await modelPipeline(onnxCell({ name: "strings", model: fixture("strings") })),
  );
  const [[name, { shape }] = ["", { shape: [] }]] = Object.entries(process.inputs);
  const full = shape.map((size) => (size === -1 ? 1 : size));
  const count = full.reduce((product, size) => product * size, 1);
  const texts = Array.from({ length: count }, (_, index) =>
    Buffer.from(["", "grüße", "x".repeat(300)][index % 3] ?? ""),
  );
  const packed = Buffer.concat(
    texts.map((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(text.length);
      return Buffer.concat([length, text]);
    }),
  );
  const input = { name, datatype: "BYTES", shape: full };
  const raw = await client.call("ModelInfer", { model_name: "strings", inputs: [input], raw_input_contents: [packed] });
  const typed = await client.call("ModelInfer", {
    model_name: "strings",
    inputs: [{ ...input, contents: { bytes_contents: texts } }],
  });
  t.equal(raw.error?.details, undefined);
  t.ok(raw.answer.raw_output_contents[0].length > 0);
  t.same(typed.answer.raw_output_contents, raw.answer.raw_output_contents);
});

t.test("requested outputs, rows without a sequence, values through function cells", async (t) => {
  const { client } = await serveGrpc(t, await gruPipeline());
  const rows = {
    ...gruRequest(0),
    inputs: [{ name: "input", datatype: "FP32", shape: [3, 512] }],
    raw_input_contents: [Buffer.alloc(3 * 2048)],
  };
  t.same((await client.call("ModelInfer", rows)).answer.outputs[0].shape, ["3", "8"]);
  const none = await client.call("ModelInfer", { ...gruRequest(0), outputs: [{ name: "nothing" }] });
  t.match(none.error?.details, /outputs\[0\].name: there is no output 'nothing'/);
  const held = new Gate();
  const functions = await serveGrpc(t, held.pipeline() as never);
  const answer = functions.client.call("ModelInfer", { ...gate(21), outputs: [{ name: "y" }] });
  await held.arrived(1);
  held.release();
  t.same(int64s((await answer).answer.raw_output_contents[0]), [42]);
  t.same(
    (await answer).answer.outputs.map(({ name }: Message) => name),
    ["y"],
  );
});

t.test("requests that are wrong say where", async (t) => {
  const { client } = await serveGrpc(t, await gruPipeline());
  const input = { name: "input", datatype: "FP32", shape: [1, 512] };
  const raw = [Buffer.alloc(2048)];
  const wrong: [Message, RegExp][] = [
    [
      { inputs: [{ ...input, datatype: "FLOAT" }], raw_input_contents: raw },
      /inputs\[0\].datatype: expected one of BOOL/,
    ],
    [{ inputs: [{ ...input, shape: [1, -1] }], raw_input_contents: raw }, /inputs\[0\].shape\[1\]/],
    [{ inputs: [{ ...input, shape: [2 ** 31, 2 ** 31, 4] }], raw_input_contents: raw }, /more than 2\^53/],
    [{ inputs: [input], raw_input_contents: [Buffer.alloc(2044)] }, /is 2048 bytes, not 2044/],
    [{ inputs: [input, input], raw_input_contents: raw }, /"input" is there twice/],
    [{ inputs: [input] }, /neither contents nor raw_input_contents/],
    [{ inputs: [{ ...input, contents: { fp32_contents: [1] } }] }, /has 1 elements, the shape says 512/],
    [{ inputs: [{ ...input, contents: { int_contents: [1] } }] }, /fp32_contents, not in int_contents/],
    [
      { inputs: [{ ...input, contents: { fp32_contents: [1] } }], raw_input_contents: raw },
      /has contents, and raw_input_contents too/,
    ],
    [{ inputs: [], raw_input_contents: raw }, /has 1 tensors for 0 inputs/],
    [
      { inputs: [input], raw_input_contents: raw, parameters: { sequence_start: { int64_param: 1 } } },
      /expected a bool_param/,
    ],
    [
      { inputs: [input], raw_input_contents: raw, parameters: { sequence_start: { bool_param: true } } },
      /need a sequence_id/,
    ],
    [
      { inputs: [input], raw_input_contents: raw, parameters: { priority: { int64_param: -1 } } },
      /parameters.priority/,
    ],
    [
      { inputs: [{ ...input, parameters: { shared_memory_region: { string_param: "a" } } }] },
      /shared_memory_region: not supported/,
    ],
  ];
  for (const [request, message] of wrong) {
    const { error } = await client.call("ModelInfer", { model_name: "gru", ...request });
    t.match(error?.details, message);
    t.ok(error?.code === status.INVALID_ARGUMENT || error?.code === status.UNIMPLEMENTED, String(message));
  }
});

t.test("a message that is too large, and compression both ways", async (t) => {
  const { client, port } = await serveGrpc(t, await gruPipeline(), { maxMessageBytes: 4096 });
  const large = await client.call("ModelInfer", gruRequest(0, {}, { id: "x".repeat(5000) }));
  t.equal(large.error?.code, status.RESOURCE_EXHAUSTED);
  t.match(large.error?.details, /at most 4096 are allowed \(maxMessageBytes\)/);
  for (const algorithm of [1, 2]) {
    const packing = new GrpcTestClient(t, port, V2, { "grpc.default_compression_algorithm": algorithm });
    const { answer, error } = await packing.call("ModelInfer", gruRequest(0.5));
    t.equal(error?.details, undefined);
    t.same(floats(answer), floats((await client.call("ModelInfer", gruRequest(0.5))).answer));
    const bomb = await packing.call("ModelInfer", gruRequest(0, {}, { id: "x".repeat(100_000) }));
    t.equal(bomb.error?.code, status.RESOURCE_EXHAUSTED, "the limit is of what comes out");
  }
});

/** Counts its steps; a step with `wait` lasts until it is given up. */
function patient(): { pipeline: Pipeline; begun: () => Promise<void>; givenUp: () => Promise<void> } {
  const marks = { begun: deferred(), givenUp: deferred() };
  const cell = defineCell({
    name: "Patient",
    inputs: { wait: Integer() },
    outputs: { steps: Integer() },
    state: { steps: Integer({ default: 0 }) },
    async call({ inputs, state, signal }) {
      state.steps += 1;
      if (inputs.wait === 0) return { steps: state.steps };
      const over = once(signal, "abort");
      marks.begun.resolve();
      await over;
      marks.givenUp.resolve();
      return { steps: state.steps };
    },
  });
  const factory = new PipelineFactory({ name: "patient" });
  const handle = factory.addCell("patient", cell);
  const pipeline = factory
    .declareInput("wait", handle.inputs.wait)
    .declareOutput("steps", handle.outputs.steps)
    .build();
  const next = (name: "begun" | "givenUp"): Promise<void> => {
    const { promise } = marks[name];
    return promise.then(() => {
      marks[name] = deferred();
    });
  };
  return { pipeline: pipeline as never, begun: () => next("begun"), givenUp: () => next("givenUp") };
}

t.test("a deadline and a cancellation leave the state as it was", async (t) => {
  const { pipeline, begun, givenUp } = patient();
  const { client } = await serveGrpc(t, pipeline);
  const request = (wait: number): Message => ({
    model_name: "patient",
    parameters: { sequence_id: { string_param: "s" } },
    inputs: [{ name: "wait", datatype: "INT64", shape: [1], contents: { int64_contents: [wait] } }],
  });
  const steps = async (): Promise<number[]> =>
    int64s((await client.call("ModelInfer", request(0))).answer.raw_output_contents[0]);
  t.same(await steps(), [1]);
  const late = client.call("ModelInfer", request(1), { deadline: Date.now() + 200 });
  await givenUp();
  t.equal((await late).error?.code, status.DEADLINE_EXCEEDED);
  t.same(await steps(), [2], "the step that was too late is none");
  await begun();
  const { outcome, cancel } = client.begin("ModelInfer", request(1));
  await begun();
  cancel();
  await givenUp();
  t.equal((await outcome).error?.code, status.CANCELLED);
  t.same(await steps(), [3], "nor is the one that was given up");
});

t.test("a timeout parameter of the request", async (t) => {
  const held = new Gate();
  const { client } = await serveGrpc(t, held.pipeline() as never);
  const { error } = await client.call("ModelInfer", gate(1, { timeout: { int64_param: 50_000 } }));
  t.equal(error?.code, status.DEADLINE_EXCEEDED);
});

t.test("drivers of one runtime share a port, each with its model", async (t) => {
  const runtime = await init();
  t.teardown(() => runtime.stop({ timeoutMs: 1 }));
  const a = await runtime.startInference(new Inference({ pipeline: await gruPipeline() }));
  const b = await runtime.startInference(new Inference({ pipeline: await gruPipeline(), version: "2" }));
  const first = await a.addDriver("grpc", GrpcDriver, { port: 0 });
  const { port } = first.getService("grpc").taggedAddresses.lan;
  const client = new GrpcTestClient(t, port, V2);
  // From the third on the request is known.
  for (let i = 0; i < 3; i++) {
    t.equal((await client.call("ModelInfer", gruRequest(0))).answer.model_version, "1");
  }
  await b.addDriver("grpc", GrpcDriver, { port });
  t.equal(
    (await client.call("ModelInfer", gruRequest(0))).answer.model_version,
    "2",
    "the highest, where none is named",
  );
  t.equal((await client.call("ModelInfer", gruRequest(0, {}, { model_version: "1" }))).answer.model_version, "1");
  t.same((await client.call("ModelMetadata", { name: "gru" })).answer.versions, ["1", "2"]);
  await a.removeDriver("grpc");
  t.match(
    (await client.call("ModelInfer", gruRequest(0, {}, { model_version: "1" }))).error?.details,
    /no version '1'/,
  );
  t.equal((await client.call("ModelInfer", gruRequest(0))).answer.model_version, "2");
  await t.rejects(b.addDriver("other", GrpcDriver, { port, maxMessageBytes: 1 }), {
    code: "INVALID_ARGUMENT",
    path: "maxMessageBytes",
  });
});

t.test("beside HTTP, and parameters that do not fit", async (t) => {
  const { process, port } = await serve(t, await gruPipeline());
  await t.rejects(process.addDriver("grpc", GrpcDriver, { port }), { code: "PORT_IN_USE" });
  await t.rejects(process.addDriver("grpc", GrpcDriver, { maxMessageBytes: 0 }), {
    code: "INVALID_ARGUMENT",
    path: "maxMessageBytes",
  });
  await t.rejects(process.addDriver("grpc", GrpcDriver, { colour: "red" } as never), {
    code: "INVALID_ARGUMENT",
    path: "colour",
  });
  await t.rejects(process.addDriver("grpc", GrpcDriver, { replace: 1 } as never), {
    code: "INVALID_ARGUMENT",
    path: "replace",
  });
  const driver = await process.addDriver("grpc", GrpcDriver, { port: 0 });
  t.equal(driver.getParameters().maxMessageBytes, 64 << 20);
  await t.rejects(driver.setParameters({ ...driver.getParameters(), maxMessageBytes: 5 }), {
    code: "INVALID_ARGUMENT",
    path: "maxMessageBytes",
  });
  await driver.setParameters(driver.getParameters());
  t.match(driver.statistics(), { requests: 0, failed: 0, listener: { connections: 0, refused: { rate_limited: 0 } } });
});
