/** Following state ids over WebSocket: whoever makes their steps, in order, each once; and watchers that do not keep up. */
import t, { type Test } from "tap";
import { bytesOf } from "../../../src/datatype.js";
import { HttpDriver, type HttpParameters } from "../../../src/drivers/http/index.js";
import { SourceSinkDriver } from "../../../src/drivers/source-sink/index.js";
import { defineCell, onnxCell, PipelineFactory } from "../../../src/pipeline/index.js";
import { type DriverProcess, Inference } from "../../../src/runtime/index.js";
import { DummySink } from "../../../src/sinks/dummy.js";
import { Source, type SourceItem } from "../../../src/sources/source.js";
import { Integer, Tensor } from "../../../src/types/index.js";
import { myPipeline } from "../../support/cells.js";
import { fixture } from "../../support/paths.js";
import { distance, GruReference, TOLERANCE } from "../../support/reference.js";
import { gruPipeline, modelPipeline, serve, start } from "../../support/serve.js";
import { Peer, postHead, RawConnection, refusedUpgrade } from "../../support/sockets.js";
import { binaryFrame, binaryRequest, floatsOf, gruInput, jsonRequest, readFrame } from "../../support/steps.js";

const reference = await GruReference.load();
const LENGTH = "Inference-Header-Content-Length";
const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

interface Result {
  readonly id?: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly floats: ArrayLike<number>;
}

function read(frame: Buffer | string): Result {
  if (typeof frame === "string") {
    const json = JSON.parse(frame) as Omit<Result, "floats"> & { outputs?: { data: number[] }[] };
    if (json.outputs === undefined) throw new Error(`no result: ${frame}`);
    return { ...json, floats: json.outputs[0]?.data ?? [] };
  }
  const { header, tensor } = readFrame(frame);
  return { ...(header as unknown as Result), floats: floatsOf(tensor) };
}

async function served(t: Test, ...options: Parameters<typeof gruPipeline>) {
  const served = await serve(t, await gruPipeline(...options));
  const watch = (query: string) => Peer.open(t, `${served.url}/v2/models/gru/subscribe?${query}`);
  return { ...served, watch, open: (query = "") => Peer.open(t, `${served.url}/v2/models/gru/stream${query}`) };
}

/** Gives rows one after the other, and ends. */
class Rows extends Source {
  constructor(private readonly seeds: readonly number[]) {
    super();
  }

  async *read(): AsyncGenerator<SourceItem> {
    for (const seed of this.seeds) yield { inputs: { input: gruInput(seed) } };
  }
}

/** Every way to make a step of the state id "s" with a row; resolves when it has been answered. */
async function waysToStep(t: Test, { url, port, process, client, open }: Awaited<ReturnType<typeof served>>) {
  const raw = await open("?raw=input&sequence_id=s");
  const numbered = await open("?raw=input&streams=2");
  numbered.send(JSON.stringify({ open: 1, sequence_id: "s", traceparent: TRACE }));
  await numbered.nextJson();
  const messages = await open();
  const headers = { "content-type": "application/json" };
  const post = async (path: string, body: string) => {
    const response = await fetch(url + path, { method: "POST", body, headers });
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  };
  const parts = (id: string) => ({ id, parameters: { sequence_id: "s", traceparent: TRACE } });
  /** A body that arrives in two pieces goes into the engine as it comes. */
  const inPieces = async (row: Float32Array) => {
    const { header, tensor } = binaryRequest("input", [row], { id: "pieces", parameters: { sequence_id: "s" } });
    const connection = await RawConnection.open(t, port);
    const length = header.length + tensor.length;
    await connection.write(postHead("/v2/models/gru/infer", { [LENGTH]: header.length, "Content-Length": length }));
    await connection.write(Buffer.concat([header, tensor.subarray(0, 100)]));
    await (await fetch(`${url}/v2/health/live`)).arrayBuffer();
    await connection.write(tensor.subarray(100));
    if ((await connection.answer()).status !== 200) throw new Error("refused");
  };
  const infer = (row: Float32Array) =>
    client.infer({ input: { datatype: "FP32", shape: [1, 512], data: row } }, { stateId: "s", id: "same" });
  return {
    raw: async (row: Float32Array) => {
      raw.send(bytesOf(row));
      await raw.next();
    },
    numbered: async (row: Float32Array) => {
      numbered.send(Buffer.concat([Buffer.of(1, 0, 0, 0), bytesOf(row)]));
      await numbered.next();
    },
    text: async (row: Float32Array) => {
      messages.send(jsonRequest("input", [row], parts("text")));
      await messages.next();
    },
    binary: async (row: Float32Array) => {
      messages.send(binaryFrame(binaryRequest("input", [row], parts("binary"))));
      await messages.next();
    },
    "HTTP JSON": (row: Float32Array) => post("/v2/models/gru/infer", jsonRequest("input", [row], parts("json"))),
    "HTTP binary": infer,
    "HTTP binary, its header again": infer,
    "HTTP binary, its header known": infer,
    "HTTP in pieces": inPieces,
    REST: (row: Float32Array) => post("/predict", JSON.stringify({ inputs: { input: [...row] }, stateId: "s" })),
    task: async (row: Float32Array) => client.taskResult(await client.predictTask({ input: row }, { stateId: "s" })),
    predict: (row: Float32Array) => process.predict({ input: row }, { stateId: "s" }),
    "another driver of HTTP": async (row: Float32Array) => {
      const other = await process.addDriver("other", HttpDriver, { port: 0 });
      const { address, port } = other.getService("http").taggedAddresses.lan;
      await fetch(`http://${address}:${port}/v2/models/gru/infer`, {
        method: "POST",
        body: jsonRequest("input", [row], parts("other")),
      });
      await other.stop();
    },
  } satisfies Record<string, (row: Float32Array) => Promise<unknown>>;
}

for (const mode of [{ execution: "inline" }, { execution: "lanes", lanes: 2 }] as const) {
  t.test(`steps of a direct model, whichever way they are made (${mode.execution})`, async (t) => {
    const serving = await served(t, mode);
    const { process, watch, client } = serving;
    const ways = await waysToStep(t, serving);
    const watchers = [
      await watch("stateId=s"),
      await watch("stateId=s&format=json"),
      await watch("stateId=s&format=binary"),
    ];
    const alone = reference.stream();
    const names = Object.keys(ways) as (keyof typeof ways)[];
    const ids: Record<string, string> = {
      text: "text",
      binary: "binary",
      "HTTP JSON": "json",
      "HTTP binary": "same",
      "HTTP binary, its header again": "same",
      "HTTP binary, its header known": "same",
      "HTTP in pieces": "pieces",
      "another driver of HTTP": "other",
    };
    const traced = ["numbered", "text", "binary", "HTTP JSON", "another driver of HTTP"];
    for (const [i, name] of names.entries()) {
      await ways[name](gruInput(i));
      // Another stream's steps are none of theirs.
      await process.predict({ input: gruInput(i) }, { stateId: "other" });
      const wanted = await alone.step(gruInput(i));
      for (const [w, watcher] of watchers.entries()) {
        const frame = await watcher.next();
        t.equal(typeof frame, w === 2 ? "object" : "string");
        const { id, parameters, floats } = read(frame);
        t.equal(id, ids[name], `${name}: its id`);
        const trace = traced.includes(name) ? { traceparent: TRACE } : {};
        t.same(parameters, { sequence_id: "s", step: i + 1, ...trace }, name);
        t.ok(distance(floats, wanted) <= TOLERANCE, name);
      }
    }
    const seeds = [50, 51, 52];
    const sink = new DummySink();
    await process.addDriver("rows", SourceSinkDriver, {
      sources: { rows: { source: new Rows(seeds), stateId: "s" } },
      sinks: { sink: { sink } },
    });
    for (const seed of seeds) {
      const wanted = await alone.step(gruInput(seed));
      for (const watcher of watchers)
        t.ok(distance(read(await watcher.next()).floats, wanted) <= TOLERANCE, "a source");
    }
    const error = client.infer(
      { input: { datatype: "FP32", shape: [1, 4], data: new Float32Array(4) } },
      { stateId: "s" },
    );
    await t.rejects(error, { code: "INVALID_ARGUMENT" });
    for (const watcher of watchers)
      t.same(await watcher.nextJson(), { sequence_id: "s", end: "end" }, "the source's end");
    await process.predict({ input: gruInput(9) }, { stateId: "s" });
    const last = read((await watchers[0]?.next()) ?? "");
    t.equal(last.parameters.step, names.length + seeds.length + 1, "a step that failed has no result");
  });
}

t.test("a pipeline of cells, and one whose every step is logged", async (t) => {
  for (const mode of ["local", "debug"] as const) {
    const { url, process, client } = await serve(t, myPipeline(), {}, mode);
    const watcher = await Peer.open(t, `${url}/v2/models/MyPipeline/subscribe?stateId=s`);
    await process.predict({ input: 1 }, { stateId: "s" });
    await client.predict({ input: 2 }, { stateId: "s", end: true });
    const inputs = { input: { datatype: "INT64", shape: [1], data: BigInt64Array.of(3n) } } as const;
    await client.infer(inputs, { stateId: "s", id: "three", start: true });
    const results = [await watcher.nextJson(), await watcher.nextJson(), await watcher.nextJson()];
    const output = (value: number, counter: number) => [{ data: [value] }, { name: "counter", data: [counter] }];
    t.match(results[0], { model_name: "MyPipeline", model_version: "1", outputs: output(2, 1) });
    t.same(results[0]?.parameters, { sequence_id: "s", step: 1 });
    t.match(results[1], { outputs: output(3, 2) });
    t.same(results[1]?.parameters, { sequence_id: "s", step: 2, sequence_end: true });
    t.match(results[2], { id: "three", outputs: output(4, 1) });
    t.same(results[2]?.parameters, { sequence_id: "s", step: 3, sequence_start: true });
  }
});

t.test("several outputs, and a model that is stepped in JavaScript", async (t) => {
  const { url, process } = await serve(t, await modelPipeline(onnxCell({ name: "m", model: fixture("two_states") })));
  const text = await Peer.open(t, `${url}/v2/models/m/versions/1/subscribe?stateId=42`);
  const binary = await Peer.open(t, `${url}/v2/models/m/subscribe?stateId=42&format=binary`);
  for (const step of [1, 2]) {
    await process.predict({ x: Float32Array.of(1, 2, 3) }, { stateId: "42" });
    t.match(await text.nextJson(), {
      parameters: { sequence_id: "42", step },
      outputs: [
        { name: "sum", shape: [1, 3], data: [step, 2 * step, 3 * step] },
        { name: "steps", datatype: "INT64", data: [step] },
      ],
    });
    const { header, tensor } = readFrame((await binary.next()) as Buffer);
    t.match(header, { outputs: [{ name: "sum" }, { name: "steps" }] });
    t.equal(tensor.readBigInt64LE(12), BigInt(step));
  }
});

t.test("several state ids, each with its own count, from their first step on", async (t) => {
  const { process, watch } = await served(t);
  const watcher = await watch(`stateId=a&stateId=${encodeURIComponent("b +&/%é")}&stateId=a`);
  const late = async (stateId: string) => process.predict({ input: gruInput(1) }, { stateId });
  for (const stateId of ["a", "b +&/%é", "c", "a"]) await late(stateId);
  const told = [await watcher.nextJson(), await watcher.nextJson(), await watcher.nextJson()];
  t.same(
    told.map(({ parameters }) => parameters),
    [
      { sequence_id: "a", step: 1 },
      { sequence_id: "b +&/%é", step: 1 },
      { sequence_id: "a", step: 2 },
    ],
  );
  const second = await watch("stateId=a");
  await late("a");
  t.match(await second.nextJson(), { parameters: { step: 3 } }, "who comes later sees the same count");
  t.match(await watcher.nextJson(), { parameters: { step: 3 } });
  await second.close();
  await watcher.close();
  await late("a");
  const third = await watch("stateId=a");
  await late("a");
  t.match(await third.nextJson(), { parameters: { step: 1 } }, "nothing is counted while nobody watches");
});

t.test("the end of a stream is told after its last result, once", async (t) => {
  const { process, open, watch } = await served(t);
  const watcher = await watch("stateId=cam/0&format=binary");
  const peer = await open("?raw=input&streams=1&sequence_id=cam");
  const step = Buffer.concat([Buffer.alloc(4), bytesOf(gruInput(1))]);
  for (const frame of [step, step, Buffer.alloc(4), Buffer.alloc(4), step]) peer.send(frame);
  for (let i = 0; i < 2; ++i) t.match(read(await watcher.next()).parameters, { step: i + 1 });
  t.same(await watcher.nextJson(), { sequence_id: "cam/0", end: "end" });
  t.match(read(await watcher.next()).parameters, { step: 3 }, "and it may go on");
  process.dropState("cam/0");
  t.same(await watcher.nextJson(), { sequence_id: "cam/0", end: "end" });
});

t.test("an eviction is told with its reason", async (t) => {
  for (const pipeline of [await gruPipeline({ stateTtlSeconds: 0.05 }), myPipeline()]) {
    const inference = new Inference({ pipeline, stateTtlSeconds: 0.05 });
    const { url, process } = await serve(t, inference);
    const watcher = await Peer.open(t, `${url}/v2/models/${process.name}/subscribe?stateId=s`);
    const input = process.name === "gru" ? gruInput(1) : 1;
    await process.predict({ input } as never, { stateId: "s" });
    t.match(await watcher.nextJson(), { parameters: { step: 1 } });
    t.same(await watcher.nextJson(), { sequence_id: "s", end: "ttl" });
  }
});

/** Results of a quarter of a mebibyte. */
function largeResults() {
  const cell = defineCell({
    name: "Large",
    inputs: { x: Integer() },
    outputs: { y: Tensor("FP32", [65_536]) },
    state: { steps: Integer({ default: 0 }) },
    call({ state }) {
      state.steps += 1;
      return { y: new Float32Array(65_536).fill(state.steps) };
    },
  });
  const factory = new PipelineFactory({ name: "large" });
  const handle = factory.addCell("large", cell);
  return factory.declareInput("x", handle.inputs.x).declareOutput("y", handle.outputs.y).build();
}

t.test("a watcher that does not read is left out with bounded memory, and told how many it missed", async (t) => {
  const { url, process, driver } = await serve(t, largeResults(), { maxBackpressureBytes: 1 << 16 });
  const open = () => Peer.open(t, `${url}/v2/models/large/subscribe?stateId=s&stateId=r&format=binary`);
  const [deaf, other] = [await open(), await open()];
  const step = async (stateId: string) => {
    await process.predict({ x: 1 }, { stateId });
    t.match(read(await other.next()).parameters, { sequence_id: stateId }, "the other gets all");
  };
  deaf.socket.pause();
  let steps = 0;
  const before = memoryTaken();
  for (; steps < 300; ++steps) await step(steps % 3 === 0 ? "r" : "s");
  t.ok(memoryTaken() - before < 64 << 20, "75 MiB of results were not kept");
  const resultsDropped = droppedBy(driver);
  t.ok(resultsDropped > 100, `${resultsDropped} were dropped`);

  deaf.socket.resume();
  const counts: Record<string, number> = { s: 0, r: 0 };
  const missed: Record<string, number> = { s: 0, r: 0 };
  for (let told = 0; told < 2; ) {
    const frame = await deaf.next();
    if (typeof frame === "string") {
      const notice = JSON.parse(frame) as { sequence_id: string; dropped: number };
      missed[notice.sequence_id] = notice.dropped;
      told += 1;
      continue;
    }
    const { sequence_id, step } = read(frame).parameters as { sequence_id: string; step: number };
    counts[sequence_id] = (counts[sequence_id] ?? 0) + 1;
    t.equal(step, counts[sequence_id], "without a gap before the notice");
  }
  t.equal((missed.s ?? 0) + (missed.r ?? 0), resultsDropped);
  for (const stateId of ["s", "r"]) {
    await step(stateId);
    const { parameters, floats } = read(await deaf.next());
    const next = (counts[stateId] ?? 0) + (missed[stateId] ?? 0) + 1;
    t.same(parameters, { sequence_id: stateId, step: next }, "and goes on where the count says");
    t.equal(floats[0], next);
  }
});

/** What an HTTP driver says that it has dropped. */
function droppedBy(driver: DriverProcess<HttpParameters>): number {
  return Number(driver.metrics().find(({ name }) => name === "results_dropped")?.value);
}

function memoryTaken(): number {
  return process.memoryUsage().arrayBuffers;
}

t.test("of many small results, too, each is either there or counted", async (t) => {
  const { driver, watch, open } = await served(t, { execution: "inline" });
  const deaf = await watch("stateId=s");
  deaf.socket.pause();
  const peer = await open("?raw=input&sequence_id=s");
  const row = bytesOf(gruInput(1));
  let steps = 0;
  while (droppedBy(driver) < 1000) {
    for (let i = 0; i < 1000; ++i) peer.send(row);
    for (let i = 0; i < 1000; ++i) await peer.next();
    steps += 1000;
  }
  const wanted = droppedBy(driver);
  deaf.socket.resume();
  let received = 0;
  let frame = await deaf.nextJson();
  for (; frame.dropped === undefined; frame = await deaf.nextJson()) {
    received += 1;
    const { step } = frame.parameters as { step: number };
    if (step !== received) t.equal(step, received, "without a gap");
  }
  t.equal(frame.dropped, wanted);
  t.equal(received + wanted, steps);
});

t.test("what cannot be followed is refused, and a subscription takes no frames", async (t) => {
  const { url, watch, process, driver } = await served(t);
  const refused = [
    ["gru/subscribe", 400, "stateId: name at least one, as in ?stateId=a"],
    ["gru/subscribe?stateId=", 400, "stateId: name at least one, as in ?stateId=a"],
    ["gru/subscribe?stateId=*", 400, /^stateId: there is no subscription to all state ids/],
    ["gru/subscribe?stateId=%00stream-1", 400, /^stateId: /],
    ["gru/subscribe?stateId=a&format=xml", 400, "format: expected json or binary, got 'xml'"],
    ["other/subscribe?stateId=a", 404, "there is no model 'other'; served: gru"],
  ] as const;
  for (const [path, status, error] of refused) {
    const answer = await refusedUpgrade(`${url}/v2/models/${path}`);
    t.equal(answer.status, status, path);
    t.match(JSON.parse(answer.body), { error });
  }
  const watcher = await watch("stateId=a");
  watcher.send("hello");
  const reason = "UNIMPLEMENTED: a subscription takes no frames; open another one for other streams";
  t.same(await watcher.closed, { code: 1003, reason });
  const last = await watch("stateId=a");
  await process.predict({ input: gruInput(1) }, { stateId: "a" });
  await last.next();
  await driver.stop();
  t.same(await last.closed, { code: 1001, reason: "UNAVAILABLE: the server is stopping" });

  const stateless = await start(t, await modelPipeline(onnxCell({ name: "m", model: fixture("identity_float") })));
  const web = await stateless.addDriver("web", HttpDriver, { port: 0 });
  const { port } = web.getService("http").taggedAddresses.lan;
  const answer = await refusedUpgrade(`http://127.0.0.1:${port}/v2/models/m/subscribe?stateId=a`);
  t.match(JSON.parse(answer.body), { error: "stateId: the model keeps no state, so there are no streams to follow" });
});
