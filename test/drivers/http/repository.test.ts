/** V2's repository API over HTTP: the index, loading and unloading, and clients that notice nothing of it. */
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { HeadraceClient } from "../../../src/client/index.js";
import { modelDirectory, putModel, serveDirectory, touch } from "../../support/models.js";
import { fixture, GRU } from "../../support/paths.js";
import { gruPipeline, serve } from "../../support/serve.js";

const ACCUMULATOR = fixture("accumulator");

async function ask(url: string, method = "GET", body?: string): Promise<{ status: number; json: unknown }> {
  const response = await fetch(url, { method, ...(body === undefined ? {} : { body }) });
  return { status: response.status, json: await response.json() };
}

const post = (url: string, body?: unknown) =>
  ask(url, "POST", typeof body === "object" ? JSON.stringify(body) : (body as string));

const infer = (url: string, model: string, sequence?: string) =>
  post(`${url}/v2/models/${model}/infer`, {
    ...(sequence === undefined ? {} : { parameters: { sequence_id: sequence } }),
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 4], data: [1, 1, 1, 1] }],
  });

t.test("index, load and unload", async (t) => {
  const directory = await modelDirectory(t, {
    acc: { config: "version_policy { all { } }", versions: { 1: ACCUMULATOR, 2: ACCUMULATOR } },
    gru: { versions: { 7: GRU } },
    "a b": { versions: { 1: ACCUMULATOR } },
  });
  const { url } = await serveDirectory(t, directory, { load: ["acc"] });
  const index = `${url}/v2/repository/index`;
  const ready = [
    { name: "acc", version: "1", state: "READY", reason: "" },
    { name: "acc", version: "2", state: "READY", reason: "" },
  ];
  const rest = ["a b", "gru"].map((name) => ({ name, version: "", state: "UNAVAILABLE", reason: "not loaded" }));
  t.same((await post(index)).json, [rest[0], ...ready, rest[1]], "the body may be empty");
  t.same((await post(index, {})).json, [rest[0], ...ready, rest[1]]);
  t.same((await post(index, { ready: true })).json, ready);
  t.same((await post(index, { ready: 1 })).json, { error: "ready: expected true or false, got 1" });
  t.same((await ask(`${url}/v2/models/acc`)).json, {
    name: "acc",
    versions: ["1", "2"],
    platform: "onnxruntime_onnx",
    inputs: [{ name: "x", datatype: "FP32", shape: [-1, 4] }],
    outputs: [{ name: "y", datatype: "FP32", shape: [-1, 4] }],
  });
  t.match((await infer(url, "acc")).json, { model_version: "2" }, "the highest version answers");
  t.match((await infer(url, "acc/versions/1")).json, { model_version: "1" });

  const control = `${url}/v2/repository/models`;
  t.equal((await infer(url, "gru")).status, 404);
  t.same(await post(`${control}/gru/load`), { status: 200, json: {} });
  t.equal((await ask(`${url}/v2/models/gru/versions/7/ready`)).status, 200);
  t.same(await post(`${control}/a%20b/load`, {}), { status: 200, json: {} });
  t.equal((await infer(url, "a%20b")).status, 200);
  t.same(await post(`${control}/acc/unload`, { parameters: { unload_dependents: true } }), { status: 200, json: {} });
  t.same((await infer(url, "acc")).status, 404);
  t.same((await infer(url, "acc")).json, { error: "there is no model 'acc'; served: gru, a b" });
  t.equal((await ask(`${url}/v2/models/acc/config`)).status, 404);
  t.equal((await ask(`${url}/v2/models/acc/ready`)).status, 404);
  t.same(await post(`${control}/acc/unload`), { status: 200, json: {} }, "again");

  const wrong: [string, unknown, number, RegExp][] = [
    ["nope/load", undefined, 404, /failed to load 'nope'/],
    ["nope/unload", undefined, 404, /failed to unload 'nope'/],
    ["..%2f..%2fetc/load", undefined, 400, /is no name of a model/],
    ["gru/load", "[]", 400, /body: expected an object/],
    ["gru/load", "{", 400, /body: not JSON/],
    ["gru/load", { parameters: 7 }, 400, /parameters: expected an object, got 7/],
    ["gru/load", { parameters: { config: '{"backend": "python"}' } }, 400, /config\.backend: backend 'python'/],
    ["gru/load", { parameters: { "file:1/model.onnx": "AAAA" } }, 501, /read from the model directory only/],
    ["gru/unload", { parameters: { now: true } }, 400, /parameters\.now/],
  ];
  for (const [path, body, status, message] of wrong) {
    const answer = await post(`${control}/${path}`, body);
    t.equal(answer.status, status, path);
    t.match((answer.json as { error: string }).error, message);
    t.same(Object.keys(answer.json as object), ["error"]);
  }
  t.equal((await ask(index)).status, 405);
  t.equal((await ask(`${control}/gru/load`)).status, 405);
  t.equal((await post(`${control}/gru/restart`)).status, 404);
});

t.test("a model that is loaded with a configuration of its own", async (t) => {
  const { url } = await serveDirectory(t, await modelDirectory(t, { m: { versions: { 1: ACCUMULATOR } } }));
  const config = { max_batch_size: 3, instance_group: [{ count: 1, kind: "KIND_CPU" }] };
  t.equal(
    (await post(`${url}/v2/repository/models/m/load`, { parameters: { config: JSON.stringify(config) } })).status,
    200,
  );
  t.match((await ask(`${url}/v2/models/m/config`)).json, config);
  await post(`${url}/v2/repository/models/m/load`);
  t.match((await ask(`${url}/v2/models/m/config`)).json, { instance_group: [{ name: "m_0" }] });
});

t.test("64 clients while the model is loaded 20 times", async (t) => {
  const directory = await modelDirectory(t, {
    acc: { config: "max_batch_size: 16 instance_group { count: 1 kind: KIND_CPU }", versions: { 1: ACCUMULATOR } },
    other: { versions: { 1: ACCUMULATOR } },
  });
  const { url, runtime } = await serveDirectory(t, directory);
  const other = [];
  for (let step = 1; step <= 3; step++)
    other.push(((await infer(url, "other", "o")).json as Outputs).outputs[0]?.data[0]);
  const over = new AbortController();
  const answers = new Map<number, number>();
  let wrong = 0;
  const clients = Array.from({ length: 64 }, async (_, id) => {
    while (!over.signal.aborted) {
      const { status, json } = await infer(url, "acc", `s${id}`);
      answers.set(status, (answers.get(status) ?? 0) + 1);
      // Each step adds 1 to the state, which begins with 0 anew in each process: so it is never 0.
      if (!((json as Outputs).outputs?.[0]?.data[0] ?? 0 >= 1)) wrong += 1;
    }
  });
  const processes = new Set<number>();
  for (let load = 0; load < 20; load++) {
    await touch(join(directory, "acc", "1", "model.onnx"));
    t.equal((await post(`${url}/v2/repository/models/acc/load`)).status, 200);
    for (const process of runtime.listProcesses()) if (process.name === "acc") processes.add(process.pid);
  }
  over.abort();
  await Promise.all(clients);
  t.same([...answers.keys()], [200], `no request failed, of ${answers.get(200)}`);
  t.ok((answers.get(200) ?? 0) > 64, "there were requests all the time");
  t.equal(wrong, 0);
  t.equal(processes.size, 20, "each load made a process of its own");
  t.equal(runtime.listProcesses().length, 2, "and those before it are gone");
  t.same(
    [...other, ((await infer(url, "other", "o")).json as Outputs).outputs[0]?.data[0]],
    [1, 2, 3, 4],
    "the others keep their states",
  );
});

interface Outputs {
  readonly outputs: readonly { readonly data: readonly number[] }[];
}

t.test("sequences: a changed model begins them anew, an unchanged one does not", async (t) => {
  const directory = await modelDirectory(t, { acc: { config: "max_batch_size: 8\n", versions: { 1: ACCUMULATOR } } });
  const { url } = await serveDirectory(t, directory);
  const step = async () => ((await infer(url, "acc", "anna")).json as Outputs).outputs[0]?.data[0];
  const load = () => post(`${url}/v2/repository/models/acc/load`);
  t.same([await step(), await step()], [1, 2]);
  await load();
  t.equal(await step(), 3, "loaded again, nothing has changed");
  await appendFile(join(directory, "acc", "config.pbtxt"), "# for the record\n");
  await load();
  t.equal(await step(), 1, "its configuration has");
});

t.test("a connection over WebSocket is told that its model goes", async (t) => {
  const directory = await modelDirectory(t, { gru: { versions: { 1: GRU } } });
  const { url } = await serveDirectory(t, directory);
  const stream = new HeadraceClient({ url, model: "gru" }).stream("s", { raw: "input" });
  await stream.send(new Float32Array(512));
  const answers = stream[Symbol.asyncIterator]();
  t.equal((await answers.next()).value?.byteLength, 32);
  await touch(join(directory, "gru", "1", "model.onnx"));
  const loading = post(`${url}/v2/repository/models/gru/load`);
  await t.rejects(answers.next(), { code: "UNAVAILABLE" });
  t.equal((await loading).status, 200);
  await stream.close().catch(() => {});
});

t.test("an empty directory serves health and the repository", async (t) => {
  const directory = await modelDirectory(t, {});
  const { url } = await serveDirectory(t, directory);
  t.equal((await ask(`${url}/v2/health/live`)).status, 200);
  t.same((await ask(`${url}/v2/health/ready`)).json, { ready: true });
  t.same((await post(`${url}/v2/repository/index`)).json, []);
  t.equal((await ask(`${url}/v2/models/acc`)).status, 404);
  await putModel(directory, "acc", { versions: { 1: ACCUMULATOR } });
  t.equal((await post(`${url}/v2/repository/models/acc/load`)).status, 200, "one that came later");
  t.equal((await infer(url, "acc")).status, 200);
});

t.test("without a directory the index has what is served, and there is nothing to load", async (t) => {
  const { url } = await serve(t, await gruPipeline());
  t.same((await post(`${url}/v2/repository/index`)).json, [{ name: "gru", version: "1", state: "READY", reason: "" }]);
  const { status, json } = await post(`${url}/v2/repository/models/gru/load`);
  t.equal(status, 503);
  t.match((json as { error: string }).error, /explicit model load \/ unload is not allowed/);
});

t.test("readiness waits for the models", async (t) => {
  const directory = await modelDirectory(t, { acc: { versions: { 1: ACCUMULATOR } }, bad: { versions: {} } });
  const seen: number[] = [];
  const { url } = await serveDirectory(t, directory, { strictReadiness: true });
  seen.push((await ask(`${url}/v2/health/ready`)).status);
  await putModel(directory, "bad", { versions: { 1: ACCUMULATOR } });
  await post(`${url}/v2/repository/models/bad/load`);
  seen.push((await ask(`${url}/v2/health/ready`)).status);
  t.same(seen, [503, 200]);
});
