import t, { type Test } from "tap";
import { type ClientOptions, HeadraceClient } from "../../src/client/index.js";
import { HeadraceError, InvalidArgumentError } from "../../src/errors.js";
import { deadUrl, FakeServer } from "./fake-server.js";

async function serve(t: Test): Promise<{ server: FakeServer; client: HeadraceClient; url: string }> {
  const server = new FakeServer();
  const url = await server.listen();
  t.teardown(() => server.close());
  return { server, url, client: new HeadraceClient({ url, model: "echo" }) };
}

t.test("wait polls until the server is ready", async (t) => {
  const { server, client } = await serve(t);
  server.unreadyPolls = 3;
  await client.wait();
  t.equal(server.unreadyPolls, -1);
});

t.test("wait gives up with what it saw last", async (t) => {
  const { server, client, url } = await serve(t);
  server.unreadyPolls = Number.POSITIVE_INFINITY;
  await t.rejects(client.wait({ timeoutMs: 60 }), {
    code: "DEADLINE_EXCEEDED",
    message: `waiting for ${url} to be ready took longer than 60 ms; last: loading`,
  });
  const dead = new HeadraceClient({ url: await deadUrl() });
  await t.rejects(dead.wait({ timeoutMs: 60 }), { code: "DEADLINE_EXCEEDED", message: /ECONNREFUSED/ });
  await t.rejects(client.wait({ signal: AbortSignal.abort() }), { code: "CANCELLED" });
});

t.test("predict sends values and options, and returns the outputs", async (t) => {
  const { server, client } = await serve(t);
  t.same(await client.predict({ integer: 1, words: ["a"] }), { integer: 1, words: ["a"] });
  t.same(server.lastBody, { inputs: { integer: 1, words: ["a"] } });
  const inputs = {
    audio: Float32Array.of(0.5, Number.NaN),
    bytes: Buffer.of(1, 2),
    ticks: BigInt64Array.of(5n, 2n ** 60n),
    nested: { deep: [Number.NEGATIVE_INFINITY] },
  };
  await client.predict(inputs, { stateId: "camera-7", start: true, end: false, timeoutMs: 5000 });
  t.strictSame(server.lastBody, {
    inputs: {
      audio: [0.5, "NaN"],
      bytes: [1, 2],
      ticks: [5, "1152921504606846976"],
      nested: { deep: ["-Infinity"] },
    },
    stateId: "camera-7",
    start: true,
    end: false,
    timeoutMs: 5000,
  });
});

t.test("an error of the server arrives with its code and path", async (t) => {
  const { server, client } = await serve(t);
  server.predictAnswer = new InvalidArgumentError("expected a number", { path: "inputs.integer" });
  await t.rejects(client.predict({ integer: "x" }), {
    code: "INVALID_ARGUMENT",
    path: "inputs.integer",
    message: "inputs.integer: expected a number",
  });
  server.predictAnswer = new HeadraceError("RESOURCE_EXHAUSTED", "10000 states");
  await t.rejects(client.predict({}), { code: "RESOURCE_EXHAUSTED", message: "10000 states" });
});

t.test("answers that make no sense are the server's fault", async (t) => {
  const { server, client } = await serve(t);
  server.predictAnswer = { status: "200", body: "<html>" };
  await t.rejects(client.predict({}), { code: "INTERNAL", message: /cannot be read: body: not JSON/ });
  server.predictAnswer = { status: "200", body: "{}" };
  await t.rejects(client.predict({}), { code: "INTERNAL", message: /has no "outputs"/ });
  server.predictAnswer = { status: "502", body: "<html>" };
  await t.rejects(client.predict({}), { code: "UNAVAILABLE", message: /answered 502/ });
  server.predictAnswer = { status: "200", body: '{"outputs":{"big":9007199254740993}}' };
  t.same(await client.predict({}), { big: 9007199254740993n });
});

t.test("a call ends by its time limit, its signal, or an unreachable server", async (t) => {
  const { server, client } = await serve(t);
  server.predictAnswer = "hang";
  await t.rejects(client.predict({}, { timeoutMs: 30 }), { code: "DEADLINE_EXCEEDED", message: /longer than 30 ms/ });
  const controller = new AbortController();
  const call = client.predict({}, { signal: controller.signal });
  controller.abort("enough");
  await t.rejects(call, { code: "CANCELLED", cause: "enough" });
  await t.rejects(client.predict({}, { timeoutMs: 0 }), { code: "INVALID_ARGUMENT", path: "timeoutMs" });
  const dead = new HeadraceClient({ url: await deadUrl() });
  await t.rejects(dead.predict({}), { code: "UNAVAILABLE", message: /POST .*\/predict failed: .*ECONNREFUSED/ });
});

t.test("tasks: the id is escaped, pending is polled, failed throws the task's error", async (t) => {
  const { server, client } = await serve(t);
  server.pendingPolls = 2;
  const id = await client.predictTask({ integer: 1 }, { stateId: "s" });
  t.equal(id, "t/1");
  t.same(await client.taskResult(id), { integer: 1 });
  t.match(server.lastBody, { stateId: "s" });
  server.predictAnswer = new HeadraceError("CELL_FAILED", "no");
  await t.rejects(client.taskResult(id), { code: "CELL_FAILED", message: "no" });
  server.pendingPolls = Number.POSITIVE_INFINITY;
  await t.rejects(client.taskResult(id, { timeoutMs: 60 }), { code: "DEADLINE_EXCEEDED", message: /task t\/1/ });
});

t.test("infer is binary both ways and keeps the state's count", async (t) => {
  const { client } = await serve(t);
  const audio = { datatype: "FP32", shape: [1, 3], data: Float32Array.of(1, 2, 3) } as const;
  const text = { datatype: "BYTES", shape: [1], data: [new TextEncoder().encode("é")] } as const;
  const first = await client.infer({ audio, text }, { stateId: "s", id: "7" });
  t.match(first, { modelName: "echo", modelVersion: "1", id: "7" });
  t.same(first.outputs.audio, audio);
  t.same(first.outputs.text, text);
  const second = await client.infer({ audio }, { stateId: "s", outputs: ["step"], end: true });
  t.same(Object.keys(second.outputs), ["step"]);
  t.same(second.outputs.step?.data, BigInt64Array.of(2n));
  const third = await client.infer({ audio }, { stateId: "s", timeoutMs: 1000.5, priority: 1 });
  t.same(third.outputs.step?.data, BigInt64Array.of(1n), "the state was freed");
});

t.test("infer: what is no tensor is refused before sending", async (t) => {
  const { client } = await serve(t);
  const given = (inputs: unknown) => client.infer(inputs as Parameters<typeof client.infer>[0]);
  await t.rejects(given({ x: [[1, 2]] }), { code: "INVALID_ARGUMENT", path: "inputs.x" });
  const shapeless = { datatype: "FP32", data: Float32Array.of(1) };
  await t.rejects(given({ x: shapeless }), { code: "INVALID_ARGUMENT", path: "inputs.x.shape" });
  await t.rejects(given(undefined), { code: "INVALID_ARGUMENT", path: "inputs" });
});

t.test("infer: errors of V2 have the status's code; a model must be named", async (t) => {
  const { client, url } = await serve(t);
  await t.rejects(client.infer({}, { model: "a b/c" }), { code: "NOT_FOUND", message: "no such model" });
  const nameless = new HeadraceClient({ url });
  await t.rejects(nameless.infer({}), { code: "INVALID_ARGUMENT", path: "model" });
  t.throws(() => nameless.stream(), { code: "INVALID_ARGUMENT", path: "model" });
});

t.test("the address comes from a URL or from a driver's handle", async (t) => {
  const handle = (address: string) => ({
    getService: (name: string) => {
      if (name !== "http") throw new HeadraceError("SERVICE_NOT_FOUND", name);
      return { taggedAddresses: { lan: { address, port: 8000 } } };
    },
  });
  const urlOf = (address: string) => new HeadraceClient({ process: handle(address) }).url;
  t.equal(urlOf("10.0.0.1"), "http://10.0.0.1:8000");
  t.equal(urlOf("0.0.0.0"), "http://127.0.0.1:8000");
  t.equal(urlOf("::"), "http://[::1]:8000");
  t.equal(urlOf("fe80::1"), "http://[fe80::1]:8000");
  t.equal(new HeadraceClient({ url: "https://example.org/base//" }).url, "https://example.org/base");
  for (const url of ["", "localhost:8000", "ftp://x"]) {
    t.throws(() => new HeadraceClient({ url }), { code: "INVALID_ARGUMENT", path: "url" });
  }
});

t.test("a client that is told no address says what it needs", async (t) => {
  const made = (options?: unknown) => new HeadraceClient(options as ClientOptions);
  const url = "http://127.0.0.1:8000";
  for (const [options, path, message] of [
    [undefined, "options", /^options: expected an object such as .*url.*, got undefined$/],
    [null, "options", /got null$/],
    [url, "options", /got "http:\/\/127.0.0.1:8000"$/],
    [{}, "url", /^url: expected an http or https URL, got undefined$/],
    [{ url: undefined }, "url", /got undefined$/],
    [{ url: new URL(url) }, "url", /got an object$/],
    [{ process: undefined }, "process", /got undefined$/],
    [{ process: {} }, "process", /expected the handle of an HTTP driver, got an object$/],
  ] as const) {
    t.throws(() => made(options), { code: "INVALID_ARGUMENT", path, message });
  }
});

t.test("headers and fetch can be given", async (t) => {
  const seen: [string, RequestInit][] = [];
  const client = new HeadraceClient({
    url: "http://nowhere",
    headers: { authorization: "Bearer x" },
    fetch: async (url, init) => {
      seen.push([url, init]);
      return new Response('{"outputs":{"y":1}}');
    },
  });
  t.same(await client.predict({ x: 1 }), { y: 1 });
  t.equal(seen[0]?.[0], "http://nowhere/predict");
  t.match(seen[0]?.[1], { method: "POST", headers: { authorization: "Bearer x", "content-type": "application/json" } });
});

t.test("a fetch that rejects with an error of its own is still a deadline or a cancel", async (t) => {
  const client = new HeadraceClient({
    url: "http://nowhere",
    fetch: (_, { signal }) =>
      new Promise((_, reject) => {
        signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
      }),
  });
  await t.rejects(client.predict({}, { timeoutMs: 10 }), { code: "DEADLINE_EXCEEDED" });
  const controller = new AbortController();
  const call = client.predict({}, { signal: controller.signal });
  controller.abort();
  await t.rejects(call, { code: "CANCELLED" });
});
