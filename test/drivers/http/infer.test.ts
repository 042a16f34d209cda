/** POST …/infer in all its forms: JSON, binary, raw; rows, sequences, requested outputs, ids. */
import t, { type Test } from "tap";
import { defineCell, type OnnxCell, onnxCell, type Pipeline, PipelineFactory } from "../../../src/pipeline/index.js";
import { Tensor } from "../../../src/types/index.js";
import { fixture } from "../../support/paths.js";
import { distance, GruReference, TOLERANCE } from "../../support/reference.js";
import { gruPipeline, modelPipeline, serve } from "../../support/serve.js";
import { binaryRequest, floatsOf, gruInput, jsonRequest, type RequestParts } from "../../support/steps.js";

const LENGTH = "Inference-Header-Content-Length";

interface Output {
  name: string;
  datatype: string;
  shape: number[];
  data?: number[];
  parameters?: { binary_data_size?: number };
}

interface Answer {
  readonly status: number;
  readonly json: { error?: string; id?: string; model_name?: string; model_version?: string; outputs: Output[] };
  /** The bytes after the JSON. */
  readonly binary: Uint8Array;
  readonly headerLength: string | null;
  readonly text: string;
}

async function post(url: string, body: BodyInit, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(url, { method: "POST", body, headers });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const headerLength = response.headers.get(LENGTH);
  const end = headerLength === null ? bytes.byteLength : Number(headerLength);
  const text = Buffer.from(bytes.subarray(0, end)).toString("utf8");
  return { status: response.status, json: JSON.parse(text), binary: bytes.subarray(end), headerLength, text };
}

function postBinary(url: string, rows: readonly Float32Array[], parts: RequestParts = {}): Promise<Answer> {
  const { header, tensor } = binaryRequest("input", rows, parts);
  const body = Buffer.concat([header, tensor]) as Buffer<ArrayBuffer>;
  return post(url, body, { [LENGTH]: String(header.byteLength) });
}

const reference = await GruReference.load();
const rows = [1, 2, 3].map(gruInput);
const fresh = await Promise.all(rows.map((row) => reference.stream().step(row)));

/** The model behind a function cell, so that it is not served the direct way. */
function withFunction(cell: OnnxCell): Pipeline {
  const factory = new PipelineFactory({ name: "mixed" });
  const Pass = defineCell({
    name: "Pass",
    inputs: { trips: Tensor("INT64", [1]) },
    outputs: { trips: Tensor("INT64", [1]) },
    call: ({ inputs }) => inputs,
  });
  const pass = factory.addCell("pass", Pass);
  const model = factory.addCell("model", cell);
  factory.connect(pass.outputs.trips, model.input("trips"));
  factory.declareInput("trips", pass.inputs.trips);
  return factory.declareOutput("y", model.output("y")).build() as unknown as Pipeline;
}

async function gru(t: Test) {
  const served = await serve(t, await gruPipeline());
  return { ...served, infer: `${served.url}/v2/models/gru/infer` };
}

t.test("rows without a sequence id are predictions of their own, in every form", async (t) => {
  const { infer, process } = await gru(t);
  const wanted = fresh.flatMap((row) => [...row]);
  const json = await post(infer, jsonRequest("input", rows));
  t.equal(json.status, 200);
  t.equal(json.headerLength, null, "no length header without a binary output");
  t.same(
    json.json.outputs.map(({ name, datatype, shape }) => [name, datatype, shape]),
    [["output", "FP32", [3, 8]]],
  );
  t.ok(distance(json.json.outputs[0]?.data ?? [], wanted) <= TOLERANCE);

  const binary = await postBinary(infer, rows, { parameters: { binary_data_output: true } });
  t.same(binary.json.outputs[0]?.parameters, { binary_data_size: 3 * 8 * 4 });
  t.ok(distance(floatsOf(binary.binary), wanted) <= TOLERANCE);

  const [first = new Float32Array(), firstWanted = new Float32Array()] = [rows[0], fresh[0]];
  const raw = await post(infer, first as Float32Array<ArrayBuffer>, { [LENGTH]: "0" });
  t.same(raw.json.outputs[0]?.shape, [1, 8]);
  t.ok(distance(floatsOf(raw.binary), firstWanted) <= TOLERANCE, "a raw body is one row, its outputs binary");
  t.equal(process.stats().model?.liveStates, 0);
});

t.test("what is binary in the answer is asked for, by request or output", async (t) => {
  const { infer } = await gru(t);
  const isBinary = async (parts: RequestParts) => {
    const { json, headerLength } = await postBinary(infer, rows.slice(0, 1), parts);
    const { data, parameters } = json.outputs[0] ?? {};
    t.equal(data === undefined, headerLength !== null);
    t.equal(parameters !== undefined, headerLength !== null);
    return headerLength !== null;
  };
  const output = (binary_data?: boolean) => [
    { name: "output", ...(binary_data === undefined ? {} : { parameters: { binary_data } }) },
  ];
  t.equal(await isBinary({}), false);
  t.equal(await isBinary({ parameters: { binary_data_output: true } }), true);
  t.equal(await isBinary({ outputs: output() }), false);
  t.equal(await isBinary({ outputs: output(true) }), true);
  t.equal(await isBinary({ outputs: output(false), parameters: { binary_data_output: true } }), false);
  t.equal(await isBinary({ outputs: output(), parameters: { binary_data_output: true } }), true);
});

t.test("of several outputs those that were asked for are given", async (t) => {
  const { url } = await serve(t, await modelPipeline(onnxCell({ name: "two", model: fixture("two_states") })));
  const ask = async (outputs?: string[]) => {
    const parts = outputs === undefined ? {} : { outputs: outputs.map((name) => ({ name })) };
    const { status, json } = await post(
      `${url}/v2/models/two/infer`,
      jsonRequest("x", [Float32Array.of(1, 2, 3)], parts),
    );
    return status === 200 ? json.outputs.map(({ name, data }) => [name, data]) : json;
  };
  const [sum, steps] = [
    ["sum", [1, 2, 3]],
    ["steps", [1]],
  ];
  t.same(await ask(), [sum, steps]);
  t.same(await ask(["steps"]), [steps]);
  t.same(await ask(["steps", "sum"]), [sum, steps]);
  t.same(await ask([]), []);
  t.same(await ask(["total"]), { error: "outputs[0].name: there is no output 'total'; there are sum, steps" });
});

t.test("sequences: one state per id, started and ended on request", async (t) => {
  const { infer, process } = await gru(t);
  const step = async (seed: number, parameters: Record<string, unknown>): Promise<number[]> => {
    const { status, json } = await post(infer, jsonRequest("input", [gruInput(seed)], { parameters }));
    if (status !== 200) throw new Error(json.error);
    return json.outputs[0]?.data ?? [];
  };
  const alone = reference.stream();
  const same = async (found: Promise<number[]>, seed: number, what: string) =>
    t.ok(distance(await found, await alone.step(gruInput(seed))) <= TOLERANCE, what);
  await same(step(1, { sequence_id: 42, sequence_start: true }), 1, "start");
  await same(step(2, { sequence_id: 42 }), 2, "step");
  await same(step(3, { sequence_id: "42" }), 3, "42 and its text are one");
  alone.reset();
  await same(step(4, { sequence_id: 42, sequence_start: true }), 4, "started again");
  await same(step(5, { sequence_id: 42, sequence_end: true }), 5, "the last one");
  t.equal(process.stats().model?.liveStates, 0, "ended");
  alone.reset();
  await same(step(6, { sequence_id: 42 }), 6, "and begun anew");
  alone.reset();
  await same(step(1, { sequence_id: 0 }), 1, "0 is none");
  alone.reset();
  await same(step(1, { sequence_id: "" }), 1, "nor is the empty text");
  t.equal(process.stats().model?.liveStates, 1);
});

t.test("the same header again and again is the same request each time", async (t) => {
  const { infer, process } = await gru(t);
  const binary = { binary_data_output: true };
  const kinds: [RequestParts, "goes on" | "is fresh"][] = [
    [{ parameters: { ...binary, sequence_id: "a" } }, "goes on"],
    [{ parameters: { ...binary, sequence_id: "b", priority: 1 }, id: "seven" }, "goes on"],
    [{ parameters: { ...binary, sequence_id: "c", timeout: 60_000_000 } }, "goes on"],
    [{ parameters: { sequence_id: "d" }, outputs: [{ name: "output", parameters: { binary_data: true } }] }, "goes on"],
    [{ parameters: { sequence_id: "e" } }, "goes on"],
    [{ parameters: { ...binary, sequence_id: "f", sequence_start: true } }, "is fresh"],
    [{ parameters: { ...binary, sequence_id: "g", sequence_end: true } }, "is fresh"],
    [{ parameters: binary }, "is fresh"],
  ];
  for (const [parts, kind] of kinds) {
    const alone = reference.stream();
    for (const seed of [1, 2, 3, 4]) {
      if (kind === "is fresh") alone.reset();
      const { json, binary, status, headerLength } = await postBinary(infer, [gruInput(seed)], parts);
      t.equal(status, 200);
      t.equal(headerLength === null, parts.parameters?.sequence_id === "e", "JSON where nothing else was asked for");
      t.equal(json.id, parts.id);
      t.match(json, { model_name: "gru", model_version: "1", outputs: [{ datatype: "FP32", shape: [1, 8] }] });
      const found = json.outputs[0]?.data ?? floatsOf(binary);
      t.ok(distance(found, await alone.step(gruInput(seed))) <= TOLERANCE, JSON.stringify(parts));
    }
    const { header, tensor } = binaryRequest("input", [gruInput(1)], parts);
    for (const wrong of [tensor.subarray(4), Buffer.concat([tensor, Buffer.alloc(4)])]) {
      const body = Buffer.concat([header, wrong]) as Buffer<ArrayBuffer>;
      const { status, json } = await post(infer, body, { [LENGTH]: String(header.byteLength) });
      t.equal(status, 400);
      t.match(json.error, /^body: (is truncated|has left-over bytes)/);
    }
  }
  t.equal(process.stats().model?.liveStates, 6, "g ended");
  for (let i = 0; i < 4; ++i) {
    const { status, json } = await postBinary(infer, [gruInput(1)], { parameters: { ...binary, timeout: 1 } });
    t.match({ status, json }, { status: 504, json: { error: /timeout/ } }, "a microsecond passes before any step");
  }
});

t.test("ids above 2^53 are told apart", async (t) => {
  const { infer, process } = await gru(t);
  const step = async (id: string) => {
    const request = jsonRequest("input", [gruInput(1)], { parameters: { sequence_id: "@" } }).replace('"@"', id);
    return (await post(infer, request)).status;
  };
  const ids = ["9007199254740992", "9007199254740993", "18446744073709551614", "18446744073709551615"];
  for (const id of ids) t.equal(await step(id), 200, id);
  t.equal(process.stats().model?.liveStates, ids.length);
  t.equal(await step('"9007199254740993"'), 200);
  t.equal(process.stats().model?.liveStates, ids.length);
  for (const id of ["18446744073709551616", "-1", "1.5", "true", "[]"]) t.equal(await step(id), 400, id);
});

t.test("an id comes back as it was, and only if it was there", async (t) => {
  const { infer } = await gru(t);
  const id = 'a "quoted" \u00e9\u4e2d\ud83d\ude00 id';
  const [row = new Float32Array()] = rows;
  const answer = await post(infer, jsonRequest("input", [row], { id }));
  t.match(answer.json, { id, model_name: "gru", model_version: "1" });
  t.notOk("id" in (await post(infer, jsonRequest("input", [row]))).json);
  t.equal((await postBinary(infer, [row], { id, parameters: { binary_data_output: true } })).json.id, id);
});

t.test("the state ids that connections give themselves are nobody else's to name", async (t) => {
  const { infer } = await gru(t);
  for (const sequence_id of ["\u0000stream-1", "\u0000", "half \ud800"]) {
    const { status, json } = await post(infer, jsonRequest("input", [gruInput(1)], { parameters: { sequence_id } }));
    t.equal(status, 400, JSON.stringify(sequence_id));
    t.match(json.error, /^parameters\.sequence_id: /);
  }
});

t.test("a timeout of any size that V2 can say is one", async (t) => {
  const busy = onnxCell({ name: "busy", model: fixture("busy"), execution: "lanes", lanes: 1 });
  for (const pipeline of [await modelPipeline(busy), withFunction(busy)]) {
    const { url } = await serve(t, pipeline);
    const run = async (trips: number, timeout: number) => {
      const inputs = [{ name: "trips", datatype: "INT64", shape: [1], data: [trips] }];
      return (
        await post(`${url}/v2/models/${pipeline.name}/infer`, JSON.stringify({ inputs, parameters: { timeout } }))
      ).status;
    };
    // More work than a millisecond holds: a timer that went off at once would be seen.
    for (const timeout of [0, 60_000_000, 2 ** 31 * 1000, 2 ** 52])
      t.equal(await run(20_000, timeout), 200, `${timeout}`);
    t.equal(await run(400_000, 5000), 504);
  }
});

t.test("text and columns: batch axes that are not the first, BYTES both ways", async (t) => {
  const strings = await serve(t, await modelPipeline(onnxCell({ name: "s", model: fixture("strings_axis1") })));
  const input = { name: "text", datatype: "BYTES", shape: [2, 3], data: ["a", "b", "c", "d", "e", "\u00e9"] };
  const { json } = await post(`${strings.url}/v2/models/s/infer`, JSON.stringify({ inputs: [input] }));
  t.same(json.outputs, [{ name: "echo", datatype: "BYTES", shape: [2, 3], data: input.data }]);
  const columns = await serve(t, await modelPipeline(onnxCell({ name: "c", model: fixture("time_major_fixed") })));
  const data = Array.from({ length: 5 * 3 * 2 }, (_, i) => i);
  const x = { name: "x", datatype: "FP32", shape: [5, 3, 2], data };
  const answer = await post(`${columns.url}/v2/models/c/infer`, JSON.stringify({ inputs: [x] }));
  t.same(answer.json.outputs, [{ name: "y", datatype: "FP32", shape: [5, 3, 2], data }]);
});
