import t, { type Test } from "tap";
import { HeadraceClient, type InferStream } from "../../src/client/index.js";
import type { RawTensor } from "../../src/datatype.js";
import { HeadraceError } from "../../src/errors.js";
import { deadUrl, FakeServer } from "./fake-server.js";

async function serve(t: Test, options: { headers?: Record<string, string>; timeoutMs?: number } = {}) {
  const server = new FakeServer();
  const url = await server.listen();
  t.teardown(() => server.close());
  return { server, client: new HeadraceClient({ url, model: "echo", ...options }) };
}

const x = (value: number): { x: RawTensor } => ({
  x: { datatype: "FP32", shape: [1, 1], data: Float32Array.of(value) },
});

/** Echoed value and step of each answer, errors by their code, until the stream ends. */
async function collect(stream: InferStream<never, Record<string, RawTensor>>): Promise<unknown[]> {
  const seen: unknown[] = [];
  for (;;) {
    try {
      for await (const { x, step } of stream) seen.push([x?.data[0], Number(step?.data[0])]);
      return seen;
    } catch (error) {
      seen.push((error as HeadraceError).code);
    }
  }
}

t.test("tensors: answers come in order, with the connection's state id", async (t) => {
  const { server, client } = await serve(t);
  const stream = client.stream("camera 7/ö");
  for (let i = 0; i < 5; i++) await stream.send(x(i));
  await stream.close();
  t.same(await collect(stream), [
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 4],
    [4, 5],
  ]);
  t.match(server.lastConnection, { sequenceId: "camera 7/ö", raw: undefined });
});

t.test("start and end travel with their step", async (t) => {
  const { client } = await serve(t);
  const stream = client.stream("s");
  await stream.send(x(1));
  await stream.send(x(2), { end: true });
  await stream.send(x(3));
  await stream.send(x(4), { start: true });
  await stream.close();
  t.same(await collect(stream), [
    [1, 1],
    [2, 2],
    [3, 1],
    [4, 1],
  ]);
});

t.test("raw: bytes in, the outputs' bytes out", async (t) => {
  const { server, client } = await serve(t);
  const stream = client.stream("s", { raw: "audio" });
  await stream.send(Uint8Array.of(1, 2));
  await stream.send(Uint16Array.of(0x0403));
  t.same(await stream.next(), { done: false, value: Uint8Array.of(1, 2, 1, 0, 0, 0, 0, 0, 0, 0) });
  t.same(await stream.next(), { done: false, value: Uint8Array.of(3, 4, 2, 0, 0, 0, 0, 0, 0, 0) });
  t.match(server.lastConnection, { raw: "audio", sequenceId: "s" });
  await t.rejects(stream.send(Uint8Array.of(1), { start: true }), { code: "INVALID_ARGUMENT", path: "start" });
  await stream.close();
  t.same(await stream.next(), { done: true, value: undefined });
});

t.test("tensors: plain values, as predict takes them, are refused by name, and nothing is sent", async (t) => {
  const { server, client } = await serve(t);
  const stream = client.stream("s");
  const plain = { x: [[1, 2, 3, 4]] } as never;
  await t.rejects(stream.send(plain), { code: "INVALID_ARGUMENT", path: "inputs.x", message: /expected a tensor/ });
  await stream.send(x(1));
  await stream.close();
  t.same(await collect(stream), [[1, 1]], "and the stream goes on");
  t.equal(server.steps, 1);
});

t.test("raw: what is no typed array is refused by name, and nothing is sent", async (t) => {
  const { server, client } = await serve(t);
  const stream = client.stream("s", { raw: "audio" });
  const numbered = client.stream("s", { raw: "audio", streams: 2 });
  for (const [input, given] of [
    [[1, 2, 3, 4], /typed array.*Float32Array.*got an array of 4$/],
    [new ArrayBuffer(4), /got an object$/],
    ["1234", /got "1234"$/],
    [null, /got null$/],
    [undefined, /got undefined$/],
  ] as const) {
    await t.rejects(stream.send(input as never), { code: "INVALID_ARGUMENT", path: "input", message: given });
    if (input === undefined) continue;
    const step = { stream: 1, data: input as never };
    await t.rejects(numbered.send(step), { code: "INVALID_ARGUMENT", path: "data", message: given });
  }
  await t.rejects(numbered.send({ stream: 1, data: new Uint8Array() }), { code: "INVALID_ARGUMENT", path: "data" });
  await stream.send(new DataView(Uint8Array.of(1, 2).buffer));
  t.same((await stream.next()).value, Uint8Array.of(1, 2, 1, 0, 0, 0, 0, 0, 0, 0), "and the stream goes on");
  await Promise.all([stream.close(), numbered.close()]);
  t.equal(server.steps, 1);
});

for (const raw of [undefined, "audio"]) {
  t.test(`a failed step throws in its place and the stream goes on (${raw ?? "tensors"})`, async (t) => {
    const { server, client } = await serve(t);
    server.onStep = (step) => {
      if (step === 2) throw new HeadraceError("RESOURCE_EXHAUSTED", "full");
    };
    const stream = raw === undefined ? client.stream("s") : client.stream("s", { raw });
    const send = (value: number) => stream.send((raw === undefined ? x(value) : Uint8Array.of(value)) as never);
    for (let i = 0; i < 3; i++) await send(i);
    t.equal((await stream.next()).done, false);
    const failed: Promise<unknown> = stream.next();
    await t.rejects(failed, { code: "RESOURCE_EXHAUSTED", message: "full" });
    t.equal((await stream.next()).done, false);
    await stream.close();
    t.equal((await stream.next()).done, true);
  });
}

t.test("send waits while maxInFlight answers are outstanding, taken ones make room", async (t) => {
  const { server, client } = await serve(t);
  const stream = client.stream("s", { maxInFlight: 2 });
  const sent: number[] = [];
  const sends = [0, 1, 2, 3].map((i) => stream.send(x(i)).then(() => sent.push(i)));
  await server.arrived(2);
  // An answer that has arrived but is not taken still counts: a round trip on another connection proves time passed.
  await client.wait();
  t.same([server.steps, sent], [2, [0, 1]]);
  await stream.next();
  await server.arrived(3);
  await client.wait();
  t.same([server.steps, sent], [3, [0, 1, 2]]);
  await stream.next();
  await Promise.all(sends);
  await stream.close();
  t.same(await collect(stream), [
    [2, 3],
    [3, 4],
  ]);
});

t.test("close waits for answers that are still to come", async (t) => {
  const { server, client } = await serve(t);
  server.holds = true;
  const stream = client.stream();
  await stream.send(x(1));
  await stream.send(x(2));
  let isClosed = false;
  const closed = stream.close().then(() => {
    isClosed = true;
  });
  await server.arrived(2);
  await client.wait();
  t.equal(isClosed, false);
  await t.rejects(stream.send(x(3)), { code: "UNAVAILABLE", message: /closed/ });
  server.release();
  await closed;
  t.equal((await collect(stream)).length, 2);
  await stream.close();
});

t.test("a stream that sent nothing closes", async (t) => {
  const { client } = await serve(t);
  const stream = client.stream();
  await stream.close();
  t.same(await stream.next(), { done: true, value: undefined });
});

t.test("the memory of an input may be reused once its send has resolved", async (t) => {
  const { client } = await serve(t);
  const stream = client.stream("s", { raw: "audio" });
  const bytes = Uint8Array.of(1);
  await stream.send(bytes);
  bytes[0] = 9;
  t.equal((await stream.next()).value?.[0], 1);
  await stream.close();
});

t.test("a close of the server's is its error, once, after the answers that arrived", async (t) => {
  const { server, client } = await serve(t);
  const stream = client.stream();
  await stream.send(x(1));
  await stream.send(x(2));
  await server.arrived(2);
  server.holds = true;
  await stream.send(x(3));
  await server.arrived(3);
  server.endStream(new HeadraceError("UNAVAILABLE", "stopping"));
  t.same(await collect(stream), [[1, 1], [2, 1], "UNAVAILABLE"]);
  await t.rejects(stream.send(x(4)), { code: "UNAVAILABLE", message: "stopping" });
  await t.rejects(stream.close(), { code: "UNAVAILABLE", message: "stopping" });
});

t.test("close codes become errors", async (t) => {
  const { server, client } = await serve(t);
  server.holds = true;
  for (const code of ["PAYLOAD_TOO_LARGE", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "INTERNAL"] as const) {
    const stream = client.stream();
    const before = server.steps;
    await stream.send(x(1));
    await server.arrived(before + 1);
    server.endStream(new HeadraceError(code, "why"));
    await t.rejects(stream.next(), { code, message: "why" });
  }
});

t.test("a broken connection is UNAVAILABLE, for senders that wait too", async (t) => {
  const { server, client } = await serve(t);
  server.holds = true;
  const stream = client.stream("s", { maxInFlight: 1 });
  await stream.send(x(1));
  await server.arrived(1);
  const waiting = stream.send(x(2));
  const answer = stream.next();
  const afterwards = stream.next();
  server.breakStream();
  await t.rejects(answer, { code: "UNAVAILABLE" });
  t.same(await afterwards, { done: true, value: undefined });
  await t.rejects(waiting, { code: "UNAVAILABLE" });
});

t.test("answers that make no sense are INTERNAL", async (t) => {
  const { server, client } = await serve(t);
  server.holds = true;
  const stream = client.stream();
  await stream.send(x(1));
  await server.arrived(1);
  server.sendUnasked("<html>");
  await t.rejects(stream.next(), { code: "INTERNAL", message: /cannot be read/ });
  server.sendUnasked("{}");
  await t.rejects(stream.next(), { code: "INTERNAL", message: /nothing was asked for/ });
});

t.test("an AbortSignal ends everything at once", async (t) => {
  const { server, client } = await serve(t);
  server.holds = true;
  const controller = new AbortController();
  const stream = client.stream("s", { signal: controller.signal, maxInFlight: 1 });
  await stream.send(x(1));
  const waiting = stream.send(x(2));
  const answer = stream.next();
  controller.abort("enough");
  await t.rejects(answer, { code: "CANCELLED", cause: "enough" });
  await t.rejects(waiting, { code: "CANCELLED" });
  await t.rejects(stream.close(), { code: "CANCELLED" });
  const stillborn = client.stream("s", { signal: AbortSignal.abort() });
  await t.rejects(stillborn.next(), { code: "CANCELLED" });
});

t.test("leaving the loop drops the stream", async (t) => {
  const { server, client } = await serve(t);
  const stream = client.stream();
  await stream.send(x(1));
  for await (const _ of stream) break;
  await t.rejects(stream.send(x(2)), { code: "UNAVAILABLE" });
  await stream.close();
  t.equal(server.steps, 1);
});

t.test("connections that fail say why", async (t) => {
  const { client } = await serve(t);
  const refused = client.stream("s", { model: "other" }).send(x(1));
  // A platform's own WebSocket keeps the HTTP status to itself.
  await t.rejects(refused, { code: "WebSocket" in globalThis ? "UNAVAILABLE" : "NOT_FOUND" });
  const dead = new HeadraceClient({ url: await deadUrl(), model: "echo" });
  const stream = dead.stream();
  await t.rejects(stream.opened(), { code: "UNAVAILABLE" });
  await t.rejects(stream.next(), { code: "UNAVAILABLE", message: /^ws:.*failed/ });
  await t.rejects(stream.close(), { code: "UNAVAILABLE" });
  t.throws(() => client.stream("s", { maxInFlight: 0 }), { code: "INVALID_ARGUMENT", path: "maxInFlight" });
});

t.test("headers go with the connection", async (t) => {
  const { server, client } = await serve(t, { headers: { authorization: "Bearer x" } });
  const stream = client.stream();
  await stream.opened();
  await stream.close();
  t.equal(server.lastConnection?.authorization, "Bearer x");
});
