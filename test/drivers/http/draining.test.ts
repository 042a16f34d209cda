/** A driver that stops: what was accepted is answered, what is new is refused, nobody is cut off. */
import t, { type Test } from "tap";
import { bytesOf } from "../../../src/datatype.js";
import { onnxCell } from "../../../src/pipeline/index.js";
import { fixture } from "../../support/paths.js";
import { distance, GruReference, TOLERANCE } from "../../support/reference.js";
import { gruPipeline, modelPipeline, serve } from "../../support/serve.js";
import { Peer, postHead, RawConnection, refusedUpgrade } from "../../support/sockets.js";
import { binaryRequest, gruInput, jsonRequest } from "../../support/steps.js";

const reference = await GruReference.load();
const INFER = "/v2/models/gru/infer";

/** A model that runs when two steps are there: the test holds answers back as long as it likes. */
async function pairs(t: Test) {
  const batching = { maxSize: 2, maxDelayMicros: 600_000_000 };
  const served = await serve(t, await gruPipeline({ execution: "lanes", lanes: 1, batching }));
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    ...served,
    until: async (waiting: number) => {
      while (served.process.stats().model?.waiting !== waiting) await turn();
    },
    /** The other one of the pair. */
    release: () => served.process.predict({ input: gruInput(0) }),
    turn,
  };
}

async function post(t: Test, port: number, body: string): Promise<RawConnection> {
  const connection = await RawConnection.open(t, port);
  await connection.write(postHead(INFER, { "Content-Length": Buffer.byteLength(body) }) + body);
  return connection;
}

t.test("accepted requests are answered, new ones refused", async (t) => {
  const { port, url, driver, process, until, release, turn } = await pairs(t);
  const body = jsonRequest("input", [gruInput(1)], { parameters: { sequence_id: "s" } });
  const accepted = await post(t, port, body);
  await until(1);
  const idle = await Promise.all([1, 2, 3].map(() => RawConnection.open(t, port)));
  for (const connection of idle) {
    await connection.write("GET /v2/health/live HTTP/1.1\r\nHost: test\r\n\r\n");
    t.equal((await connection.answer()).headers.connection, undefined);
  }
  /** The last answer of an idle connection. */
  const last = async (request: string) => {
    const connection = idle.pop();
    await connection?.write(request);
    const answer = await connection?.answer();
    t.equal(answer?.headers.connection, "close");
    await connection?.closed;
    return answer;
  };
  const stream = await Peer.open(t, `${url}/v2/models/gru/stream`);

  let stopped = false;
  const stopping = driver.stop().then(() => {
    stopped = true;
  });
  await turn();
  t.equal(driver.status, "stopping");
  const ready = await last("GET /v2/health/ready HTTP/1.1\r\nHost: test\r\n\r\n");
  t.equal(ready?.status, 503);
  t.same(JSON.parse(String(ready?.body)), { ready: false });
  t.equal((await last("GET /v2/models/gru/ready HTTP/1.1\r\nHost: test\r\n\r\n"))?.status, 503);
  const refused = await last(postHead(INFER, { "Content-Length": body.length }) + body);
  t.equal(refused?.status, 503);
  t.same(JSON.parse(String(refused?.body)), { error: "the server is stopping" });
  stream.send(body);
  t.match(await stream.nextJson(), { code: "UNAVAILABLE", error: "the server is stopping" });
  await t.rejects(RawConnection.open(t, port), { code: "ECONNREFUSED" });
  t.equal(stopped, false, "an answer is due");

  await release();
  const { status, body: answer } = await accepted.answer();
  t.equal(status, 200);
  const { outputs } = JSON.parse(answer.toString()) as { outputs: { data: number[] }[] };
  t.ok(distance(outputs[0]?.data ?? [], await reference.stream().step(gruInput(1))) <= TOLERANCE);
  await stopping;
  t.same(await stream.closed, { code: 1001, reason: "UNAVAILABLE: the server is stopping" });
  await accepted.closed;
  t.equal(process.stats().model?.cancelled, 0n);
});

t.test("an upgrade on a connection that was there before is refused", async (t) => {
  const { port, driver, until, release, turn } = await pairs(t);
  const accepted = await post(t, port, jsonRequest("input", [gruInput(1)]));
  await until(1);
  const idle = await RawConnection.open(t, port);
  const stopping = driver.stop();
  await turn();
  const upgrade =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  await idle.write(`GET /v2/models/gru/stream HTTP/1.1\r\nHost: test\r\n${upgrade}\r\n`);
  t.equal((await idle.answer()).status, 503);
  await release();
  t.equal((await accepted.answer()).status, 200);
  await stopping;
  await t.rejects(refusedUpgrade(`http://127.0.0.1:${port}/v2/models/gru/stream`), { code: "ECONNREFUSED" });
});

t.test("WebSockets are closed with 1001 after their last answer", async (t) => {
  const { url, driver, until, release, turn } = await pairs(t);
  const raw = await Peer.open(t, `${url}/v2/models/gru/stream?raw=input`);
  const text = await Peer.open(t, `${url}/v2/models/gru/stream`);
  raw.send(bytesOf(gruInput(1)));
  await until(1);
  const stopping = driver.stop();
  await turn();
  // Sent too late, and in its place all the same: after the answer that is due.
  text.send(jsonRequest("input", [gruInput(2)], { id: "late" }));
  raw.send(bytesOf(gruInput(2)));
  t.match(await text.nextJson(), { id: "late", code: "UNAVAILABLE" });
  await release();
  t.ok(distance(await raw.nextFloats(), await reference.stream().step(gruInput(1))) <= TOLERANCE);
  t.match(await raw.nextJson(), { code: "UNAVAILABLE" });
  await stopping;
  for (const peer of [raw, text]) t.match(await peer.closed, { code: 1001 });
});

/** A model that echoes 32 MiB: more than any operating system buffers. */
async function echo(t: Test) {
  const cell = onnxCell({ name: "echo", model: fixture("dynamic_length") });
  const served = await serve(t, await modelPipeline(cell), { maxBackpressureBytes: 2 ** 30 });
  const answered = async () => {
    while (served.process.stats().model?.succeeded !== 1n) await new Promise((resolve) => setImmediate(resolve));
    // The answer is written in the turn that counts it.
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { ...served, answered };
}

const WIDTH = 8 << 20;
const LARGE = binaryRequest("x", [new Float32Array(WIDTH).fill(1)], { parameters: { binary_data_output: true } });

async function sendLarge(connection: RawConnection): Promise<void> {
  const { header, tensor } = LARGE;
  const length = header.length + tensor.length;
  const headers = { "Inference-Header-Content-Length": header.length, "Content-Length": length };
  await connection.write(postHead("/v2/models/echo/infer", headers));
  await connection.write(Buffer.concat([header, tensor]));
}

t.test("a large answer that its client reads slowly is not cut off", async (t) => {
  const { port, driver, answered } = await echo(t);
  const connection = await RawConnection.open(t, port);
  connection.socket.pause();
  await sendLarge(connection);
  await answered();
  const stopping = driver.stop({ timeoutMs: 60_000 });
  connection.socket.resume();
  const { status, body, headers } = await connection.answer();
  t.equal(status, 200);
  t.equal(body.length - Number(headers["inference-header-content-length"]), 4 + WIDTH * 4);
  await stopping;
});

t.test("nor is one on a stream", async (t) => {
  const { url, driver, answered } = await echo(t);
  const peer = await Peer.open(t, `${url}/v2/models/echo/stream?raw=x`);
  peer.socket.pause();
  peer.send(LARGE.tensor);
  await answered();
  const stopping = driver.stop({ timeoutMs: 60_000 });
  peer.socket.resume();
  t.equal(((await peer.next()) as Buffer).length, 4 + WIDTH * 4);
  t.match(await peer.closed, { code: 1001 });
  await stopping;
});

t.test("a client that never reads is cut off when the time is over", async (t) => {
  const { port, driver } = await echo(t);
  const connection = await RawConnection.open(t, port);
  connection.socket.pause();
  await sendLarge(connection);
  await driver.stop({ timeoutMs: 50 });
  t.equal(driver.status, "stopped");
  connection.socket.resume();
  await connection.closed;
});
