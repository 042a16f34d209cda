/** How much of a server one client gets: requests, frames, connections, headers, depth, shapes. */
import t from "tap";
import type { HttpParameters } from "../../../src/drivers/http/index.js";
import { myPipeline } from "../../support/cells.js";
import { parseMetrics, scrape } from "../../support/metrics.js";
import { gruPipeline, serve } from "../../support/serve.js";
import { Peer, RawConnection, refusedUpgrade } from "../../support/sockets.js";

const [ALICE, BOB] = ["alice-0123456789abcdef", "bob-0123456789abcdef"];
const tokens = [
  { name: "alice", token: ALICE },
  { name: "bob", token: BOB },
];
/** So slow that no test sees a request come back. */
const SLOW = { requestsPerSecond: 0.001, burst: 3 };

const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

t.test("a client beyond its rate waits, others do not", async (t) => {
  const { url } = await serve(t, myPipeline(), { tokens, rateLimit: SLOW });
  for (let i = 0; i < 3; i++) t.equal((await fetch(`${url}/v2`, as(ALICE))).status, 200);
  const refused = await fetch(`${url}/tasks/x`, as(ALICE));
  t.equal(refused.status, 429);
  const seconds = Number(refused.headers.get("retry-after"));
  t.ok(Number.isInteger(seconds) && seconds > 900 && seconds <= 1000, `Retry-After: ${seconds}`);
  t.match(await refused.json(), { error: { code: "RESOURCE_EXHAUSTED", message: /rateLimit.*next one in/ } });
  t.equal((await fetch(`${url}/health/live`, as(ALICE))).status, 200, "health is free");
  const metrics = await scrape(url, as(BOB).headers);
  t.equal(metrics.value("headrace_listener_refused_total", { reason: "rate_limited" }), 1);
  t.equal(metrics.value("headrace_listener_limited_clients"), 2);
});

t.test("clients without names are told apart by address; wrong tokens count too", async (t) => {
  const open = await serve(t, myPipeline(), { rateLimit: SLOW });
  for (let i = 0; i < 3; i++) t.equal((await fetch(`${open.url}/v2`)).status, 200);
  t.equal((await fetch(`${open.url}/v2`)).status, 429);
  const closed = await serve(t, myPipeline(), { tokens, rateLimit: SLOW });
  const statuses = [];
  for (let i = 0; i < 5; i++) statuses.push((await fetch(`${closed.url}/v2`, as(`guess-${i}-0123456789`))).status);
  t.same(statuses, [401, 401, 401, 429, 429]);
  t.equal((await fetch(`${closed.url}/v2`, as(ALICE))).status, 200, "who has a token is not held up by it");
});

t.test("a frame beyond the rate is answered with an error in its place, and the stream goes on", async (t) => {
  const rateLimit = { requestsPerSecond: 0.001, burst: 4 };
  const { url } = await serve(t, await gruPipeline(), { tokens, rateLimit });
  const path = `${url}/v2/models/gru/stream`;
  // Opening a connection is a request too.
  const peer = await Peer.open(t, `${path}?raw=input&streams=10`, as(ALICE));
  const frame = new Uint8Array(4 + 2048);
  frame[0] = 7;
  for (let i = 0; i < 5; i++) peer.send(frame);
  for (let i = 0; i < 3; i++) t.equal((await peer.next()).length, 4 + 32);
  for (let i = 0; i < 2; i++)
    t.match(await peer.nextJson(), { code: "RESOURCE_EXHAUSTED", stream: 7, error: /rateLimit/ });
  const text = await Peer.open(t, path, as(BOB));
  for (let i = 0; i < 4; i++) text.send("{}");
  for (let i = 0; i < 3; i++) t.match(await text.nextJson(), { code: "INVALID_ARGUMENT" });
  t.match(await text.nextJson(), { code: "RESOURCE_EXHAUSTED" });
  t.equal((await refusedUpgrade(path, as(BOB))).status, 429);
  t.equal(peer.socket.readyState, peer.socket.OPEN);
});

t.test("rates are checked", async (t) => {
  for (const [rateLimit, path] of [
    [{}, "rateLimit.requestsPerSecond"],
    [{ requestsPerSecond: 0 }, "rateLimit.requestsPerSecond"],
    [{ requestsPerSecond: Number.NaN }, "rateLimit.requestsPerSecond"],
    [{ requestsPerSecond: 1, burst: 0.5 }, "rateLimit.burst"],
    [{ perSecond: 1 }, "rateLimit.perSecond"],
    [5, "rateLimit"],
  ] as const) {
    const parameters = { rateLimit } as unknown as Partial<HttpParameters>;
    await t.rejects(serve(t, myPipeline(), parameters), { code: "INVALID_ARGUMENT", path });
  }
});

t.test("one connection more than maxConnections is closed, WebSockets counted", async (t) => {
  const { url, port } = await serve(t, await gruPipeline(), { maxConnections: 2 });
  const peer = await Peer.open(t, `${url}/v2/models/gru/stream`);
  const first = await RawConnection.open(t, port);
  const counted = async () => {
    await first.write("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    const lines = parseMetrics((await first.answer()).body.toString());
    const sample = (name: string, reason?: string) =>
      lines.find((line) => line.name === name && line.labels.reason === reason)?.value;
    return {
      open: sample("headrace_listener_connections"),
      refused: sample("headrace_listener_refused_total", "too_many_connections"),
    };
  };
  t.same(await counted(), { open: 2, refused: 0 });
  const second = await RawConnection.open(t, port);
  await second.closed;
  t.same(await counted(), { open: 2, refused: 1 });
  await peer.close();
  // A place is free again as soon as the server has seen the close, which the first connection can tell.
  while ((await counted()).open !== 1);
  const third = await RawConnection.open(t, port);
  await third.write("GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n");
  t.equal((await third.answer()).status, 200);
});

t.test("heads have a limit, in one piece or in many", async (t) => {
  const { port } = await serve(t, myPipeline());
  const request = (target: string, fields: string) => `GET ${target} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
  const long = (bytes: number) => `X-Long: ${"a".repeat(bytes)}\r\n`;
  const many = (count: number) => Array.from({ length: count }, (_, index) => `X-${index}: 1\r\n`).join("");
  for (const [what, text, status] of [
    ["16 KB of fields", request("/v2", long(16_000)), 200],
    ["17 KB of fields", request("/v2", long(17_000)), 431],
    ["99 fields and the host", request("/v2", many(99)), 200],
    ["100 fields and the host", request("/v2", many(100)), 431],
    ["a target of 8 KB", request(`/v2?${"a".repeat(8000)}`, ""), 200],
    ["a target of 9 KB", request(`/v2?${"a".repeat(9000)}`, ""), 414],
  ] as const) {
    for (const pieces of [1, 3]) {
      const connection = await RawConnection.open(t, port);
      const size = Math.ceil(text.length / pieces);
      for (let at = 0; at < text.length; at += size) await connection.write(text.slice(at, at + size));
      t.equal((await connection.answer()).status, status, `${what}, ${pieces} pieces`);
      if (status !== 200) await connection.closed;
    }
  }
});

const nested = (depth: number, inner = "0") => `${"[".repeat(depth)}${inner}${"]".repeat(depth)}`;

t.test("JSON of any depth has a clean answer", async (t) => {
  const { url } = await serve(t, myPipeline());
  const gru = await serve(t, await gruPipeline());
  const post = async (where: string, body: string) => {
    const response = await fetch(where, { method: "POST", body });
    return { status: response.status, json: await response.json() };
  };
  for (const depth of [100, 10_000, 1_000_000]) {
    const deep = nested(depth);
    const objects = `${'{"a":'.repeat(depth)}0${"}".repeat(depth)}`;
    const wide = nested(depth, "12345678901234567890");
    for (const value of [deep, objects, wide]) {
      for (const body of [
        value,
        `{"inputs":${value}}`,
        `{"inputs":{"input":${value}}}`,
        `{"inputs":{"input":1},"stateId":${value}}`,
        `{"inputs":{"input":1},"other":${value}}`,
      ]) {
        const { status, json } = await post(`${url}/predict`, body);
        t.equal(status, 400, `${body.slice(0, 40)} ${depth}`);
        t.match(json, { error: { code: "INVALID_ARGUMENT" } });
      }
      for (const body of [
        `{"inputs":${value}}`,
        `{"inputs":[{"name":"input","datatype":"FP32","shape":[1,512],"data":${value}}]}`,
        `{"inputs":[{"name":"input","datatype":"FP32","shape":${value},"data":[]}]}`,
        `{"parameters":${value},"inputs":[]}`,
      ]) {
        const { status, json } = await post(`${gru.url}/v2/models/gru/infer`, body);
        t.equal(status, 400, `${body.slice(0, 40)} ${depth}`);
        t.type((json as { error: unknown }).error, "string");
      }
    }
  }
  const peer = await Peer.open(t, `${gru.url}/v2/models/gru/stream`);
  peer.send(`{"inputs":${nested(100_000)}}`);
  t.match(await peer.nextJson(), { code: "INVALID_ARGUMENT" });
});

t.test("shapes whose product is more than there is are refused before memory is taken", async (t) => {
  const { url } = await serve(t, await gruPipeline());
  const infer = async (shape: unknown[], data: object) => {
    const input = { name: "input", datatype: "FP32", shape, ...data };
    const json = JSON.stringify({ inputs: [input] });
    const isBinary = "parameters" in data;
    const headers = isBinary ? { "inference-header-content-length": String(json.length) } : {};
    const response = await fetch(`${url}/v2/models/gru/infer`, { method: "POST", body: json, headers });
    return { status: response.status, text: await response.text() };
  };
  for (const data of [
    { data: [1] },
    { parameters: { binary_data_size: 4 } },
    { parameters: { binary_data_size: 0 } },
  ]) {
    for (const [shape, message] of [
      [[2 ** 32, 2 ** 32, 2 ** 32], /2\^53 elements/],
      [[2 ** 32, 2 ** 32], /2\^53 elements/],
      [[2 ** 53 - 1, 2 ** 53 - 1, 0], /./],
      [[2 ** 40], /./],
      [[-1], /expected an integer from 0/],
      [[-4, -128], /expected an integer from 0/],
      [[1.5], /expected an integer from 0/],
      [[1e308], /expected an integer from 0/],
      [[null], /expected an integer from 0/],
      [["512"], /expected an integer from 0/],
      [new Array(33).fill(1), /at most 32/],
    ] as const) {
      const { status, text } = await infer([...shape], data);
      t.equal(status, 400, `${shape} ${JSON.stringify(data)}`);
      t.match(text, message);
    }
  }
});
