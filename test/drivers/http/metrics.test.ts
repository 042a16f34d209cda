/** Every number of GET /metrics and of V2's statistics against what was sent. */
import t, { type Test } from "tap";
import { bytesOf } from "../../../src/datatype.js";
import { HttpDriver } from "../../../src/drivers/http/index.js";
import { onnxCell } from "../../../src/pipeline/index.js";
import { Inference, init } from "../../../src/runtime/index.js";
import { myPipeline } from "../../support/cells.js";
import { type MetricLine, scrape } from "../../support/metrics.js";
import { fixture } from "../../support/paths.js";
import { gruPipeline, modelPipeline, serve } from "../../support/serve.js";
import { Peer } from "../../support/sockets.js";
import { binaryRequest, gruInput, jsonRequest } from "../../support/steps.js";

const OPENMETRICS = "application/openmetrics-text";

interface Duration {
  readonly count: number;
  readonly ns: number;
}

type Durations = Readonly<Record<string, Duration>>;

interface ModelStats {
  readonly name: string;
  readonly version: string;
  readonly last_inference: number;
  readonly inference_count: number;
  readonly execution_count: number;
  readonly inference_stats: Durations;
  readonly batch_stats: readonly (Durations & { readonly batch_size: number })[];
}

async function statistics(url: string): Promise<ModelStats[]> {
  const response = await fetch(url);
  const { model_stats } = (await response.json()) as { model_stats: ModelStats[] };
  return model_stats;
}

async function post(
  url: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<number> {
  const response = await fetch(url, { method: "POST", body, headers });
  await response.arrayBuffer();
  return response.status;
}

/** Binary, of one row. */
function postBinary(url: string, seed: number): Promise<number> {
  const { header, tensor } = binaryRequest("input", [gruInput(seed)]);
  return post(url, new Uint8Array(Buffer.concat([header, tensor])), {
    "Inference-Header-Content-Length": String(header.byteLength),
  });
}

t.test("each request is counted once, by its code, whatever the way it came", async (t) => {
  const { url, client, process } = await serve(t, await gruPipeline());
  const infer = `${url}/v2/models/gru/infer`;
  const before = Date.now();
  for (let i = 0; i < 3; i += 1) t.equal(await post(infer, jsonRequest("input", [gruInput(i)])), 200);
  // From the second on the header is known, and the request takes the short way.
  for (let i = 0; i < 4; i += 1) t.equal(await postBinary(infer, i), 200);
  const rest = JSON.stringify({ inputs: { input: [...gruInput(1)] } });
  for (let i = 0; i < 2; i += 1) t.equal(await post(`${url}/predict`, rest), 200);
  await process.predict({ input: gruInput(1) } as never);
  const peer = await Peer.open(t, `${url}/v2/models/gru/stream?raw=input`);
  for (let i = 0; i < 5; i += 1) {
    peer.send(bytesOf(gruInput(i)));
    await peer.nextFloats();
  }
  t.equal(await post(infer, jsonRequest("input", [gruInput(1), gruInput(2), gruInput(3)])), 200, "three rows");
  const task = await client.predictTask({ input: [...gruInput(1)] });
  await client.taskResult(task);
  const ok = 3 + 4 + 2 + 1 + 5 + 1 + 1;
  const rows = ok + 2;

  t.equal(await post(infer, "no JSON"), 400);
  t.equal(await post(infer, jsonRequest("wrong", [gruInput(1)])), 400);
  t.equal(await post(infer, jsonRequest("input", [gruInput(1).subarray(1)])), 400);
  t.equal(await post(`${url}/predict`, "{}"), 400);
  t.equal(await post(`${url}/predict`, JSON.stringify({ inputs: { input: [1] } })), 400);
  t.equal(await post(`${url}/tasks`, JSON.stringify({ inputs: { input: [1] } })), 400);
  peer.send("no JSON");
  t.match(await peer.nextJson(), { error: String });
  t.equal(await post(infer, "{}", { "Content-Encoding": "br" }), 501);
  t.equal(await post(`${url}/v2/models/other/infer`, "{}"), 404, "no model's request");

  const { value, lines } = await scrape(url);
  const of = (name: string, labels = {}): number =>
    value(`headrace_${name}`, { model: "gru", version: "1", ...labels });
  t.equal(of("requests_total", { code: "OK" }), ok);
  t.equal(of("requests_total", { code: "INVALID_ARGUMENT" }), 7);
  t.equal(of("requests_total", { code: "UNIMPLEMENTED" }), 1);
  t.equal(of("requests_total"), ok + 8, "and nothing else");
  t.equal(of("inferences_total"), rows);
  t.equal(of("request_duration_microseconds_count"), ok);
  t.equal(of("steps_total", { cell: "model", outcome: "succeeded" }), rows);
  t.equal(of("steps_total"), rows);
  t.equal(of("queue_duration_microseconds_count"), rows);
  const batches = of("batches_total");
  t.equal(of("batch_rows_sum"), rows);
  t.equal(of("batch_rows_count"), batches);
  for (const phase of ["input", "infer", "output"]) {
    t.equal(of("compute_duration_microseconds_count", { phase }), batches, phase);
  }
  t.equal(of("states", { cell: "model" }), 1, "the stream's");
  t.equal(of("states_evicted_total"), 0);
  t.equal(of("ready"), 1);
  t.match([of("steps_waiting"), of("batches_running"), of("stalled_seconds")], [0, 0, 0]);

  const driver = (name: string, labels = {}): number => value(`headrace_driver_${name}`, { driver: "web", ...labels });
  t.equal(driver("running"), 1);
  t.equal(driver("http_responses_total", { status: "400" }), 6);
  t.equal(driver("http_responses_total", { status: "501" }), 1);
  t.equal(driver("http_responses_total", { status: "202" }), 1);
  t.equal(driver("http_responses_total", { status: "200" }), 3 + 4 + 2 + 1 + 1, "with the task's result");
  t.equal(driver("http_requests_total"), driver("http_responses_total"));
  t.match([driver("streams"), driver("streams_opened_total"), driver("streams_refused_total")], [1, 1, 0]);
  t.match([driver("tasks_kept"), driver("tasks_total", { event: "done" })], [1, 1]);
  checkHistograms(t, lines);

  const [stats, ...others] = await statistics(`${url}/v2/models/gru/stats`);
  t.same(others, []);
  if (stats === undefined) throw new Error("no statistics");
  t.match(stats, { name: "gru", version: "1", inference_count: rows, execution_count: batches });
  t.ok(stats.last_inference >= before && stats.last_inference <= Date.now(), "milliseconds since 1970");
  const { success, fail, ...phases } = stats.inference_stats;
  t.equal(success?.count, ok);
  t.equal(fail?.count, 8);
  t.same(Object.keys(phases), ["queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss"]);
  for (const [phase, { count, ns }] of Object.entries(phases)) {
    t.equal(count, phase.startsWith("cache") ? 0 : ok, phase);
    t.ok(Number.isInteger(ns) && (phase.startsWith("cache") ? ns === 0 : ns > 0), phase);
  }
  const spent = ["queue", "compute_input", "compute_infer", "compute_output"].map((phase) => phases[phase]?.ns ?? 0);
  t.ok((success?.ns ?? 0) >= spent.reduce((sum, ns) => sum + ns, 0), "the phases are parts of the whole");
  t.same(
    stats.batch_stats.map(({ batch_size, compute_infer }) => [batch_size, compute_infer?.count]),
    [...sizes(lines)],
  );
});

/** The batch sizes 1 and 3 of the test above, and how often each ran. */
function* sizes(lines: readonly MetricLine[]): Generator<[number, number]> {
  const upTo = (le: string) =>
    lines.find(({ name, labels }) => name === "headrace_batch_rows_bucket" && labels.le === le)?.value ?? 0;
  if (upTo("1.0") > 0) yield [1, upTo("1.0")];
  if (upTo("2.0") > upTo("1.0")) yield [2, upTo("2.0") - upTo("1.0")];
  if (upTo("4.0") > upTo("2.0")) yield [3, upTo("4.0") - upTo("2.0")];
}

/** Buckets grow, the last one is the count, and no histogram of durations has a sum outside of what its buckets allow. */
function checkHistograms(t: Test, lines: readonly MetricLine[]): void {
  const key = ({ labels: { le, ...labels } }: MetricLine): string => JSON.stringify(labels);
  const counts = lines.filter(({ name }) => name.endsWith("_count"));
  t.ok(counts.length >= 6);
  for (const line of counts) {
    const name = line.name.slice(0, -"_count".length);
    const ours = lines.filter((other) => other.name.startsWith(`${name}_`) && key(other) === key(line));
    const buckets = ours.filter((other) => other.name === `${name}_bucket`);
    let least = 0;
    let most = 0;
    let below = 0;
    let bound = 0;
    for (const { labels, value } of buckets) {
      const next = Number(String(labels.le).replace("+Inf", "Infinity"));
      t.ok(value >= below, `${name} grows`);
      least += (value - below) * bound;
      most += value > below ? (value - below) * next : 0;
      [below, bound] = [value, next];
    }
    t.equal(below, line.value, `${name}: +Inf is the count`);
    const sum = ours.find((other) => other.name === `${name}_sum`)?.value ?? Number.NaN;
    t.ok(sum >= least && sum <= most, `${name}: ${least} <= ${sum} <= ${most}`);
  }
}

t.test("requests that the engine ends are counted by what ended them", async (t) => {
  const cell = onnxCell({ name: "picky", model: fixture("picky"), queueSize: 1, execution: "inline" });
  const { url } = await serve(t, await modelPipeline(cell));
  const infer = (data: number[], parameters = {}): Promise<number> =>
    post(
      `${url}/v2/models/picky/infer`,
      JSON.stringify({ inputs: [{ name: "index", datatype: "INT64", shape: [data.length, 1], data }], parameters }),
    );
  const inputs = (await (await fetch(`${url}/v2/models/picky`)).json()) as {
    inputs: { name: string; shape: number[] }[];
  };
  t.comment(JSON.stringify(inputs.inputs));
  t.equal(await infer([1]), 200);
  t.equal(await infer([7]), 400, "the model refuses it");
  t.equal(await infer([1, 2, 3]), 429, "the second row finds the queue full");
  const { value } = await scrape(url);
  const by = (code: string) => value("headrace_requests_total", { model: "picky", code });
  t.match([by("OK"), by("INVALID_ARGUMENT"), by("RESOURCE_EXHAUSTED"), by("CANCELLED")], [1, 1, 1, 0]);
  t.equal(value("headrace_requests_total"), 3);
  const [stats] = await statistics(`${url}/v2/models/picky/versions/1/stats`);
  t.match(stats?.inference_stats, { success: { count: 1 }, fail: { count: 2 }, compute_infer: { count: 1 } });
  t.match(stats, { inference_count: 1, execution_count: 1, batch_stats: [{ batch_size: 1 }] });
});

t.test("a pipeline of function cells", async (t) => {
  const { url, client, process } = await serve(t, myPipeline());
  for (let i = 0; i < 3; i += 1) await client.predict({ input: i }, { stateId: "s" });
  await process.predict({ input: 1 });
  await t.rejects(process.predict({ input: 1.5 }), { code: "INVALID_ARGUMENT" });
  await t.rejects(process.predict({ input: 1 }, { signal: AbortSignal.abort() }), { code: "CANCELLED" });
  const { value, lines } = await scrape(url);
  const by = (code: string) => value("headrace_requests_total", { model: "MyPipeline", code });
  t.match([by("OK"), by("INVALID_ARGUMENT"), by("CANCELLED")], [4, 1, 1]);
  t.equal(value("headrace_request_duration_microseconds_count"), 4);
  t.equal(value("headrace_states", { cell: "" }), 1);
  t.equal(value("headrace_steps_total"), 0);
  checkHistogramOf(t, lines);
  const [stats] = await statistics(`${url}/v2/models/stats`);
  t.match(stats, { name: "MyPipeline", inference_count: 4, execution_count: 4, batch_stats: [{ batch_size: 1 }] });
  t.match(stats?.inference_stats, {
    success: { count: 4 },
    fail: { count: 2 },
    queue: { count: 4, ns: 0 },
    compute_infer: { count: 4, ns: stats?.inference_stats.success?.ns },
  });
  t.match(process.requests(), { outcomes: { OK: 4n, INVALID_ARGUMENT: 1n, CANCELLED: 1n }, inferences: 4n });
});

function checkHistogramOf(t: Test, lines: readonly MetricLine[]): void {
  const last = lines.filter(({ name }) => name === "headrace_request_duration_microseconds_bucket").at(-1);
  t.match(last, { labels: { le: "+Inf" }, value: 4 });
}

t.test("statistics of several models and versions behind one port", async (t) => {
  const runtime = await init("local");
  t.teardown(() => runtime.stop({ timeoutMs: 1 }));
  let port = 0;
  for (const version of ["1", "2"]) {
    const process = await runtime.startInference(new Inference({ pipeline: myPipeline(), version }));
    const driver = await process.addDriver("web", HttpDriver, { port });
    ({ port } = driver.getService("http").taggedAddresses.lan);
    if (version === "2") await process.predict({ input: 1 });
  }
  const gru = await runtime.startInference(new Inference({ pipeline: await gruPipeline() }));
  await gru.addDriver("web", HttpDriver, { port });
  const models = `http://127.0.0.1:${port}/v2/models`;
  const told = (stats: readonly ModelStats[]) =>
    stats.map(({ name, version, inference_count }) => `${name} ${version}: ${inference_count}`);
  t.same(told(await statistics(`${models}/stats`)), ["MyPipeline 2: 1", "MyPipeline 1: 0", "gru 1: 0"]);
  t.same(told(await statistics(`${models}/MyPipeline/stats`)), ["MyPipeline 2: 1", "MyPipeline 1: 0"]);
  t.same(told(await statistics(`${models}/MyPipeline/versions/1/stats`)), ["MyPipeline 1: 0"]);
  t.same((await statistics(`${models}/gru/stats`))[0]?.last_inference, 0, "never");
  const { value } = await scrape(`http://127.0.0.1:${port}`);
  t.equal(value("headrace_requests_total", { model: "MyPipeline", version: "2", driver: "" }), 0);
  t.equal(value("headrace_requests_total", { model: "MyPipeline", version: "2" }), 1);
  t.equal(value("headrace_driver_running", { driver: "web" }), 3);
  for (const path of ["other/stats", "MyPipeline/versions/3/stats"]) {
    const response = await fetch(`${models}/${path}`);
    t.equal(response.status, 404, path);
    t.match(await response.json(), { error: String });
  }
});

t.test("the format is the one asked for", async (t) => {
  const { url } = await serve(t, myPipeline());
  const plain = await fetch(`${url}/metrics`, { headers: { "Accept-Encoding": "identity" } });
  t.equal(plain.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  t.equal(plain.headers.get("vary"), "Accept");
  t.notMatch(await plain.text(), /# EOF/);
  const open = await fetch(`${url}/metrics`, {
    headers: { Accept: `${OPENMETRICS}; version=1.0.0, text/plain;q=0.5` },
  });
  t.equal(open.headers.get("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
  t.match(await open.text(), /\n# EOF\n$/);
  t.equal((await fetch(`${url}/metrics`, { method: "POST" })).status, 405);
});
