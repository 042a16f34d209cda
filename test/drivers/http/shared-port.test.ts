/** Several inference processes behind one port of one runtime. */
import { once } from "node:events";
import { request } from "node:https";
import { buffer } from "node:stream/consumers";
import t, { type Test } from "tap";
import { HeadraceClient } from "../../../src/client/index.js";
import { HttpDriver, openHttpPort } from "../../../src/drivers/http/index.js";
import { defineCell, type Pipeline, PipelineFactory } from "../../../src/pipeline/index.js";
import { Inference, init, type Runtime } from "../../../src/runtime/index.js";
import { Integer } from "../../../src/types/index.js";
import { Authority, noOpenssl } from "../../support/certificates.js";
import { Gate } from "../../support/gate.js";
import { gruPipeline } from "../../support/serve.js";
import { postHead, RawConnection } from "../../support/sockets.js";

/** Answers `input * factor`, and how many steps its stream has had. */
function times(name: string, factor: number): Pipeline {
  const Times = defineCell({
    name: "times",
    inputs: { input: Integer() },
    outputs: { output: Integer(), steps: Integer() },
    state: { steps: Integer({ default: 0 }) },
    call({ inputs, state }) {
      state.steps += 1;
      return { output: inputs.input * factor, steps: state.steps };
    },
  });
  const factory = new PipelineFactory({ name });
  const cell = factory.addCell("times", Times);
  return factory
    .declareInput("input", cell.inputs.input)
    .declareOutput("output", cell.outputs.output)
    .declareOutput("steps", cell.outputs.steps)
    .build() as unknown as Pipeline;
}

async function runtimeOf(t: Test): Promise<Runtime> {
  const runtime = await init();
  t.teardown(() => runtime.stop({ timeoutMs: 1 }));
  return runtime;
}

const json = async (url: string, init?: RequestInit) => {
  const response = await fetch(url, init);
  return { status: response.status, body: await response.json() };
};
const post = (body: unknown): RequestInit => ({ method: "POST", body: JSON.stringify(body) });

t.test("three models behind one port, each by its name", async (t) => {
  const runtime = await runtimeOf(t);
  const doubles = await runtime.startInference(new Inference({ pipeline: times("double", 2) }));
  const web = await doubles.addDriver("web", HttpDriver, { port: 0 });
  const { port } = web.getService("http").taggedAddresses.lan;
  const url = `http://127.0.0.1:${port}`;
  t.same((await json(`${url}/predict`, post({ inputs: { input: 4 } }))).body.outputs, { output: 8, steps: 1 });

  const triples = await runtime.startInference(new Inference({ pipeline: times("triple", 3) }));
  const gru = await runtime.startInference(new Inference({ pipeline: await gruPipeline() }));
  await triples.addDriver("web", HttpDriver, { port });
  await gru.addDriver("web", HttpDriver, { port });

  for (const [model, factor] of [
    ["double", 2],
    ["triple", 3],
  ] as const) {
    const answer = await json(`${url}/models/${model}/predict`, post({ inputs: { input: 4 } }));
    t.same(answer, { status: 200, body: { outputs: { output: 4 * factor, steps: 1 } } });
    const tensor = { name: "input", datatype: "INT64", shape: [1], data: [5] };
    const v2 = await json(`${url}/v2/models/${model}/infer`, post({ inputs: [tensor] }));
    t.equal(v2.body.outputs[0].data[0], 5 * factor, `${model} over V2`);
    t.equal((await json(`${url}/v2/models/${model}`)).body.name, model);
  }
  const raw = new HeadraceClient({ url, model: "gru" }).stream("a", { raw: "input" });
  await raw.send(new Float32Array(512).fill(0.5));
  for await (const answer of raw) {
    t.equal(answer.byteLength, 32, "a stream of the third model");
    break;
  }
  await raw.close();

  const nameless = await json(`${url}/predict`, post({ inputs: { input: 4 } }));
  t.equal(nameless.status, 400);
  t.match(nameless.body.error.message, /double, triple, gru/, "without a name it is not clear which is meant");
  const unknown = await json(`${url}/v2/models/other/infer`, post({ inputs: [] }));
  t.equal(unknown.status, 404);

  const submitted = await json(`${url}/models/triple/tasks`, post({ inputs: { input: 7 } }));
  t.equal(submitted.status, 202);
  const task = await json(`${url}/tasks/${submitted.body.taskId}?waitMs=5000`);
  t.same(task.body.outputs, { output: 21, steps: 1 }, "a task is found whosever it is");

  const { body: description } = await json(`${url}/openapi.json`);
  t.ok(description.paths["/models/double/versions/1/predict"], "each has its own description");
  t.ok(description.paths["/v2/models/gru/versions/1/infer"]);
  const ids = Object.values(description.paths as Record<string, Record<string, { operationId: string }>>).flatMap(
    (item) => Object.values(item).map(({ operationId }) => operationId),
  );
  t.equal(new Set(ids).size, ids.length, "operation ids are unique");

  await triples.stop();
  t.equal((await json(`${url}/models/triple/predict`, post({ inputs: { input: 4 } }))).status, 404);
  t.equal((await json(`${url}/v2/health/ready`)).status, 200, "the others go on");
  await doubles.stop();
  await gru.stop();
  await t.rejects(fetch(`${url}/v2/health/live`), "the last one closes the door");
});

t.test("versions of one model: the highest answers where none is named", async (t) => {
  const runtime = await runtimeOf(t);
  const front = await openHttpPort(runtime, { port: 0 });
  const url = `http://127.0.0.1:${front.port}`;
  t.equal((await fetch(`${url}/v2/health/live`)).status, 200, "the port is open before there is a model");
  t.equal((await fetch(`${url}/v2/models/scale`)).status, 404);
  for (const [version, factor] of [
    ["9", 9],
    ["10", 10],
    ["2", 2],
  ] as const) {
    const proc = await runtime.startInference(new Inference({ pipeline: times("scale", factor), version }));
    await proc.addDriver("web", HttpDriver, { port: front.port });
  }
  front.close();
  const of = async (path: string) =>
    (await json(`${url}/models/scale${path}/predict`, post({ inputs: { input: 1 } }))).body.outputs?.output;
  t.same(
    [await of(""), await of("/versions/2"), await of("/versions/9"), await of("/versions/3")],
    [10, 2, 9, undefined],
  );
  t.same((await json(`${url}/v2/models/scale`)).body.versions, ["2", "9", "10"]);
});

t.test("one takes over from another while clients go on", async (t) => {
  const runtime = await runtimeOf(t);
  let current = await runtime.startInference(new Inference({ pipeline: times("m", 1) }));
  const web = await current.addDriver("web", HttpDriver, { port: 0 });
  const { port } = web.getService("http").taggedAddresses.lan;
  const again = await runtime.startInference(new Inference({ pipeline: times("m", 1) }));
  await t.rejects(again.addDriver("web", HttpDriver, { port }), { code: "PORT_IN_USE", message: /'m'/ });
  await again.stop();

  const over = new AbortController();
  const statuses = new Map<number, number>();
  const factors = new Set<number>();
  const clients = Array.from({ length: 16 }, async (_, id) => {
    while (!over.signal.aborted) {
      const body = { inputs: { input: 1 }, stateId: `s${id}` };
      const answer = await json(`http://127.0.0.1:${port}/models/m/predict`, post(body));
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      factors.add(answer.body.outputs?.output);
    }
  });
  for (let factor = 2; factor <= 8; factor++) {
    const next = await runtime.startInference(new Inference({ pipeline: times("m", factor) }));
    await next.addDriver("web", HttpDriver, { port, replace: true });
    await current.stop();
    current = next;
  }
  over.abort();
  await Promise.all(clients);
  t.same([...statuses.keys()], [200], "no request failed");
  t.ok(factors.has(8) || factors.size > 1, "later ones answered");
  t.same(
    (await json(`http://127.0.0.1:${port}/models/m/predict`, post({ inputs: { input: 1 } }))).body.outputs.output,
    8,
  );
});

t.test("what all who share a port have in common must agree", async (t) => {
  const runtime = await runtimeOf(t);
  const one = await runtime.startInference(new Inference({ pipeline: times("one", 1) }));
  const two = await runtime.startInference(new Inference({ pipeline: times("two", 2) }));
  const web = await one.addDriver("web", HttpDriver, { port: 0, maxBodyBytes: 1000 });
  const { port } = web.getService("http").taggedAddresses.lan;
  await t.rejects(two.addDriver("web", HttpDriver, { port, maxBodyBytes: 2000 }), {
    code: "INVALID_ARGUMENT",
    path: "maxBodyBytes",
  });
  const other = await two.addDriver("web", HttpDriver, { port });
  t.equal(other.getParameters().maxBodyBytes, 1000, "what is not said is taken over");
  const elsewhere = await init();
  t.teardown(() => elsewhere.stop());
  const stranger = await elsewhere.startInference(new Inference({ pipeline: times("stranger", 1) }));
  await t.rejects(stranger.addDriver("web", HttpDriver, { port }), { code: "PORT_IN_USE" }, "another runtime cannot");
});

t.test("a model that went before the others, while all stop, is unavailable and not unknown", async (t) => {
  const runtime = await runtimeOf(t);
  const gate = new Gate();
  const doubles = await runtime.startInference(new Inference({ pipeline: times("double", 2) }));
  const gated = await runtime.startInference(new Inference({ pipeline: gate.pipeline() }));
  const web = await doubles.addDriver("web", HttpDriver, { port: 0 });
  const { port } = web.getService("http").taggedAddresses.lan;
  await gated.addDriver("web", HttpDriver, { port });
  const ask = async (connection: RawConnection, model: string, inputs: object) => {
    const body = JSON.stringify({ inputs });
    await connection.write(postHead(`/models/${model}/predict`, { "Content-Length": body.length }) + body);
    return connection.answer();
  };
  const idle = await RawConnection.open(t, port);
  t.equal((await ask(idle, "double", { input: 1 })).status, 200);
  const waiting = ask(await RawConnection.open(t, port), "gate", { x: 1 });
  await gate.arrived(1);

  const stopping = gated.stop();
  await doubles.stop({ timeoutMs: 1 });
  const late = await ask(idle, "double", { input: 1 });
  t.equal(late.status, 503);
  t.match(JSON.parse(late.body.toString()), { error: { code: "UNAVAILABLE", message: "the server is stopping" } });
  gate.release();
  t.equal((await waiting).status, 200);
  await stopping;
});

t.test(
  "those who come while the last one leaves find a port with TLS open, all of them",
  { skip: noOpenssl() },
  async (t) => {
    const runtime = await runtimeOf(t);
    const authority = new Authority(t);
    const { keyFile, certFile } = authority.server();
    const tls = { keyFile, certFile };
    const held = new Gate();
    const last = await runtime.startInference(new Inference({ pipeline: held.pipeline() as never }));
    const leaving = await last.addDriver("web", HttpDriver, { port: 0, tls });
    const { port } = leaving.getService("http").taggedAddresses.lan;
    const ask = async (path: string, body?: string): Promise<{ status: number; body: string }> => {
      const options = { method: body === undefined ? "GET" : "POST", ca: authority.ca, agent: false };
      const asked = request(`https://localhost:${port}${path}`, {
        ...options,
        host: "127.0.0.1",
        servername: "localhost",
      });
      asked.end(body);
      const [response] = await once(asked, "response");
      return { status: response.statusCode, body: (await buffer(response)).toString() };
    };
    // A request under way keeps it from being gone at once.
    const answer = ask("/predict", '{"inputs":{"x":21}}');
    await held.arrived(1);
    const left = leaving.stop();
    while (
      await ask("/v2/health/live").then(
        () => true,
        () => false,
      )
    );
    const two = [times("double", 2), times("triple", 3)].map((pipeline) => new Inference({ pipeline }));
    const processes = await Promise.all(two.map((inference) => runtime.startInference(inference)));
    await Promise.all(processes.map((process) => process.addDriver("web", HttpDriver, { port, tls })));
    for (const [name, output] of [
      ["double", 8],
      ["triple", 12],
    ] as const) {
      const { body } = await ask(`/models/${name}/predict`, '{"inputs":{"input":4}}');
      t.same(JSON.parse(body), { outputs: { output, steps: 1 } });
    }
    held.release();
    t.same(JSON.parse((await answer).body), { outputs: { y: 42, steps: 1 } });
    await left;
    t.equal((await ask("/v2/health/live")).status, 200);
  },
);

t.test("a limit that others raise may be said again as it was said first", async (t) => {
  const runtime = await runtimeOf(t);
  const first = await runtime.startInference(new Inference({ pipeline: times("double", 2) }));
  const limits = { maxBodyBytes: 128 << 20, maxIncomingBytes: 1 << 20 };
  const web = await first.addDriver("web", HttpDriver, { port: 0, ...limits });
  const { port } = web.getService("http").taggedAddresses.lan;
  const second = await runtime.startInference(new Inference({ pipeline: times("triple", 3) }));
  const { maxIncomingBytes } = limits;
  const other = await second.addDriver("web", HttpDriver, { port, maxIncomingBytes });
  t.match(other.getParameters(), limits);
});
