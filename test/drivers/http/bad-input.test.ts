/** Requests that are wrong in every way there is: each is told what is wrong and where, and a neighbour notices nothing. */
import t, { type Test } from "tap";
import { bytesOf } from "../../../src/datatype.js";
import { onnxCell } from "../../../src/pipeline/index.js";
import { fixture } from "../../support/paths.js";
import { gruPipeline, modelPipeline, serve } from "../../support/serve.js";
import { Peer } from "../../support/sockets.js";
import { binaryRequest, gruInput, jsonRequest } from "../../support/steps.js";

const good = gruInput(1);

interface Tensor {
  [field: string]: unknown;
}

/** A JSON request whose one tensor differs from a good one in these fields. */
function withTensor(change: Tensor): string {
  const tensor: Tensor = { name: "input", datatype: "FP32", shape: [1, 512], data: [...good], ...change };
  return JSON.stringify({ inputs: [tensor] });
}

const values = (change: (list: unknown[]) => void): unknown[] => {
  const list: unknown[] = [...good];
  change(list);
  return list;
};

const JSON_MISTAKES: [string, RegExp][] = [
  ["", /^body: not JSON/],
  ["{", /^body: not JSON/],
  ["null", /^body: expected an object, got null/],
  ["{}", /^inputs: expected an array, got nothing/],
  ['{"inputs": {}}', /^inputs: expected an array, got an object/],
  ['{"inputs": []}', /^inputs: input 'input' is missing/],
  ['{"inputs": [7]}', /^inputs\[0\]: expected an object, got 7/],
  [withTensor({ name: "audio" }), /^inputs\[0\]\.name: there is no input 'audio'; there are input/],
  [withTensor({ name: undefined }), /^inputs\[0\]\.name: expected a name/],
  [withTensor({ datatype: "FP64" }), /^inputs\[0\]\.datatype: is FP64, the model takes FP32/],
  [withTensor({ datatype: "float" }), /^inputs\[0\]\.datatype: expected one of BOOL, .*got "float"/],
  [withTensor({ shape: [512] }), /^inputs\[0\]\.shape: is \[512\], the model takes \[-1,512\]/],
  [withTensor({ shape: [1, 511], data: [...good.subarray(1)] }), /^inputs\[0\]\.shape: is \[1,511\]/],
  [withTensor({ shape: [0, 512], data: [] }), /^inputs\[0\]\.shape: has no rows/],
  [withTensor({ shape: [1, -512] }), /^inputs\[0\]\.shape\[1\]: expected an integer/],
  [withTensor({ shape: [2, 512] }), /^inputs\[0\]\.data: expected 1024 values for shape \[2, 512\], got 512/],
  [
    withTensor({ shape: [1e9, 512] }),
    /^inputs\[0\]\.data: expected 512000000000 values for shape \[1000000000, 512\], got 512/,
  ],
  [withTensor({ data: undefined }), /^inputs\[0\]: has neither data nor/],
  [withTensor({ data: values((list) => list.splice(7, 1, "seven")) }), /^inputs\[0\]\.data\[7\]: /],
  [withTensor({ data: values((list) => list.splice(9, 1, null)) }), /^inputs\[0\]\.data\[9\]: /],
  [withTensor({ data: values((list) => list.splice(9, 1, [1])) }), /^inputs\[0\]\.data/],
  [withTensor({ data: values((list) => list.splice(3, 1, 1e39)) }), /^inputs\[0\]\.data\[3\]: /],
  [
    withTensor({}).replace(/\[1,512\],"data":\[[^,]*/, '[1,512],"data":[nan'),
    /^body: not JSON: expected a value at byte \d+, found 'n'/,
  ],
  [jsonRequest("input", [good, good], { parameters: { sequence_id: 1 } }), /2 rows; a step of a sequence is one row/],
  [
    jsonRequest("input", [good], { parameters: { sequence_start: true } }),
    /sequence_start and sequence_end need a sequence_id/,
  ],
  [
    jsonRequest("input", [good], { parameters: { sequence_id: 1, sequence_start: 1 } }),
    /^parameters\.sequence_start: expected true or false/,
  ],
  [jsonRequest("input", [good], { parameters: { timeout: -1 } }), /^parameters\.timeout: expected an integer/],
  [jsonRequest("input", [good], { outputs: [{ name: "speech" }] }), /^outputs\[0\]\.name: there is no output 'speech'/],
];

/** A stream that goes on beside all of it; its answers must be, bit by bit, those of a quiet run. */
async function neighbour(t: Test, url: string) {
  const peer = await Peer.open(t, `${url}/v2/models/gru/stream?raw=input`);
  const answers: string[] = [];
  return {
    step: async (seed: number) => {
      peer.send(bytesOf(gruInput(seed)));
      answers.push(Buffer.from(bytesOf(await peer.nextFloats())).toString("hex"));
    },
    answers,
  };
}

async function quiet(t: Test, steps: number): Promise<string[]> {
  const { url } = await serve(t, await gruPipeline());
  const alone = await neighbour(t, url);
  for (let i = 0; i < steps; ++i) await alone.step(i);
  return alone.answers;
}

t.test("wrong JSON is told what is wrong, and a neighbour goes on", async (t) => {
  const { url, process } = await serve(t, await gruPipeline());
  const beside = await neighbour(t, url);
  for (const [i, [body, message]] of JSON_MISTAKES.entries()) {
    const [response] = await Promise.all([
      fetch(`${url}/v2/models/gru/infer`, { method: "POST", body }),
      beside.step(i),
    ]);
    const json = (await response.json()) as { error: string };
    t.equal(response.status, 400, `${body.slice(0, 60)}: ${json.error}`);
    t.same(Object.keys(json), ["error"]);
    t.match(json.error, message);
  }
  t.same(beside.answers, await quiet(t, JSON_MISTAKES.length));
  t.match(process.stats().model, { failed: 0n, succeeded: BigInt(JSON_MISTAKES.length), liveStates: 1 });
});

t.test("so are wrong binary bodies", async (t) => {
  const { url, process } = await serve(t, await gruPipeline());
  const { header, tensor } = binaryRequest("input", [good]);
  const whole = Buffer.concat([header, tensor]);
  const wrong: [Buffer, number | string, RegExp][] = [
    [whole, header.length - 1, /^body: /],
    [whole, header.length + 1, /^body: /],
    [whole, whole.length + 1, /^body: a JSON header of \d+ bytes does not fit/],
    [whole, "many", /^Inference-Header-Content-Length: not a length/],
    [whole, -1, /^Inference-Header-Content-Length: not a length/],
    [whole.subarray(0, whole.length - 1), header.length, /^body: is truncated/],
    [Buffer.concat([whole, Buffer.of(0)]), header.length, /^body: has left-over bytes/],
    [whole, 0, /^body: \d+ raw bytes are not one row of input "input", FP32 \[-1, 512\]/],
    [tensor.subarray(1), 0, /^body: 2047 raw bytes/],
    [Buffer.concat([tensor, tensor]), 0, /^body: 4096 raw bytes/],
    [Buffer.of(), 0, /^body: 0 raw bytes/],
    [Buffer.of(0xff, 0xfe), 2, /^body: not UTF-8/],
  ];
  for (const [body, length, message] of wrong) {
    const headers = { "Inference-Header-Content-Length": String(length) };
    const init = { method: "POST", body: body as Buffer<ArrayBuffer>, headers };
    const response = await fetch(`${url}/v2/models/gru/infer`, init);
    t.equal(response.status, 400, String(message));
    t.match(((await response.json()) as { error: string }).error, message);
  }
  const compressed = { method: "POST", body: "{}", headers: { "Content-Encoding": "br" } };
  t.equal((await fetch(`${url}/v2/models/gru/infer`, compressed)).status, 501);
  t.match(process.stats().model, { succeeded: 0n, waiting: 0 });
});

t.test("and wrong plain requests, with code and path", async (t) => {
  const { url } = await serve(t, await gruPipeline());
  const inputs = { input: [...good] };
  const wrong: [unknown, string, RegExp][] = [
    [[], "body", /expected an object/],
    [{}, "inputs", /expected an object of named values/],
    [{ inputs: [] }, "inputs", /expected an object of named values/],
    [{ inputs: {} }, "inputs.input", /is missing/],
    [{ inputs: { input: [1, 2] } }, "inputs.input", /./],
    [{ inputs: { ...inputs, other: 1 } }, "inputs.other", /is not a known name; known: input/],
    [{ inputs, stateid: "s" }, "stateid", /is not a known field/],
    [{ inputs, stateId: {} }, "stateId", /./],
    [{ inputs, stateId: "s", start: "yes" }, "start", /expected true or false/],
    [{ inputs, start: true }, "start", /need a stateId/],
    [{ inputs, timeoutMs: "1" }, "timeoutMs", /expected a number/],
    [{ inputs, timeoutMs: 0 }, "timeoutMs", /above 0/],
    [{ inputs, priority: 1000 }, "priority", /0 to 255/],
  ];
  for (const [body, path, message] of wrong) {
    const response = await fetch(`${url}/predict`, { method: "POST", body: JSON.stringify(body) });
    t.equal(response.status, 400, path);
    const { error } = (await response.json()) as { error: { code: string; message: string; path: string } };
    t.match(error, { code: "INVALID_ARGUMENT", path: new RegExp(`^${path.replace(".", "\\.")}`), message });
  }
});

t.test("NaN in one row touches no other", async (t) => {
  const batching = { maxSize: 2, maxDelayMicros: 600_000_000 };
  const pair = async (second: Float32Array) => {
    const { process } = await serve(t, await gruPipeline({ execution: "lanes", lanes: 1, batching }));
    const answers: string[] = [];
    for (let i = 0; i < 4; ++i) {
      // Two steps make a batch, so these two share each of theirs.
      const [output] = await Promise.all([
        process.predict({ input: gruInput(i) }, { stateId: "healthy" }),
        process.predict({ input: second }, { stateId: "other" }),
      ]);
      answers.push(Buffer.from(bytesOf(output.output as Float32Array)).toString("hex"));
    }
    const { batches, succeeded } = process.stats().model ?? {};
    t.match({ batches, succeeded }, { batches: 4n, succeeded: 8n });
    return answers;
  };
  const quiet = await pair(gruInput(9));
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 3e38]) {
    t.same(await pair(new Float32Array(512).fill(value)), quiet, String(value));
  }
});

t.test("values that the model refuses fail their own step and nobody else's in the batch", async (t) => {
  // A batch waits until it is full, so these eight are one.
  const batching = { maxSize: 8, maxDelayMicros: 60_000_000 };
  const cell = onnxCell({ name: "picky", model: fixture("picky"), batching, execution: "lanes" });
  const { url, process } = await serve(t, await modelPipeline(cell));
  const infer = async (index: number, stream: number) => {
    const inputs = [{ name: "index", datatype: "INT64", shape: [1, 1], data: [index] }];
    const body = JSON.stringify({ inputs, parameters: { sequence_id: `s${stream}` } });
    const response = await fetch(`${url}/v2/models/picky/infer`, { method: "POST", body });
    const json = (await response.json()) as { error?: string; outputs?: { data: number[] }[] };
    return json.error === undefined ? json.outputs?.[0]?.data[0] : response.status;
  };
  const round = (indices: readonly number[]) => Promise.all(indices.map(infer));
  t.same(await round([0, 1, 2, 3, 0, 1, 2, 3]), [1, 10, 100, 1000, 1, 10, 100, 1000]);
  t.same(await round([0, 1, 2, 99, 0, 1, -99, 3]), [2, 20, 200, 400, 2, 20, 400, 2000]);
  t.same(await round([0, 1, 2, 3, 0, 1, 2, 3]), [3, 30, 300, 2000, 3, 30, 200, 3000]);
  t.match(process.stats().model, { batches: 3n, failed: 2n, succeeded: 22n });
  const metrics = await (await fetch(`${url}/metrics`)).text();
  t.match(metrics, /^headrace_batch_splits_total\{[^}]*cell="model"\} [345]$/m);
});

t.test("a model that refuses a step says so, and its stream goes on as it was", async (t) => {
  const { url } = await serve(t, await modelPipeline(onnxCell({ name: "picky", model: fixture("picky") })));
  const infer = async (index: number) => {
    const inputs = [{ name: "index", datatype: "INT64", shape: [1, 1], data: [index] }];
    const body = JSON.stringify({ inputs, parameters: { sequence_id: "s" } });
    const response = await fetch(`${url}/v2/models/picky/infer`, { method: "POST", body });
    const json = (await response.json()) as { error?: string; outputs?: { data: number[] }[] };
    return [response.status, json.error ?? json.outputs?.[0]?.data[0]];
  };
  t.same(await infer(1), [200, 10]);
  const [status, error] = await infer(99);
  t.equal(status, 400);
  t.match(error, /^the model refused the inputs: .*Gather/s);
  t.same(await infer(2), [200, 110]);
});
