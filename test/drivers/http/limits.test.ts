/** Clients that go away, send too much, or do not read: each costs itself, never the others. */
import t, { type Test } from "tap";
import { bytesOf } from "../../../src/datatype.js";
import { HttpDriver } from "../../../src/drivers/http/index.js";
import { onnxCell } from "../../../src/pipeline/index.js";
import type { InferenceProcess } from "../../../src/runtime/index.js";
import { scrape } from "../../support/metrics.js";
import { fixture } from "../../support/paths.js";
import { distance, GruReference, TOLERANCE } from "../../support/reference.js";
import { gruPipeline, modelPipeline, type Served, serve, start } from "../../support/serve.js";
import { Peer, postHead, RawConnection } from "../../support/sockets.js";
import { binaryRequest, gruInput, jsonRequest } from "../../support/steps.js";

const reference = await GruReference.load();

/** A model that runs when two steps are there, not before: what one stream sends waits for another's. */
async function pairs(t: Test, parameters = {}) {
  const options = {
    execution: "lanes",
    lanes: 1,
    batching: { maxSize: 2, maxDelayMicros: 600_000_000 },
  } as const;
  return serve(t, await gruPipeline(options), parameters);
}

/** Asks until the counters are as wished; each question is a turn of the server's. */
async function until(
  { url, process }: Served<never> | { url: string; process: InferenceProcess },
  wished: (stats: { waiting: number; cancelled: bigint; liveStates: number }) => boolean,
): Promise<void> {
  for (;;) {
    const stats = process.stats().model;
    if (stats !== undefined && wished(stats)) return;
    await (await fetch(`${url}/v2/health/live`)).arrayBuffer();
  }
}

t.test("what a client that goes away has queued is cancelled, and its state is as it was", async (t) => {
  const served = await pairs(t);
  const { process, port } = served;
  const both = () => Promise.all(["s", "other"].map((stateId) => process.predict({ input: gruInput(1) }, { stateId })));
  await both();
  const parameters = { sequence_id: "s" };
  const json = jsonRequest("input", [gruInput(2)], { parameters });
  const { header, tensor } = binaryRequest("input", [gruInput(2)], { parameters });
  const predict = JSON.stringify({ inputs: { input: [...gruInput(2)] }, stateId: "s" });
  const ways: [string, Record<string, string | number>, Buffer][] = [
    ["/v2/models/gru/infer", {}, Buffer.from(json)],
    ["/v2/models/gru/infer", { "Inference-Header-Content-Length": header.length }, Buffer.concat([header, tensor])],
    ["/predict", {}, Buffer.from(predict)],
  ];
  let cancelled = 0n;
  for (const [path, headers, body] of ways) {
    const connection = await RawConnection.open(t, port);
    await connection.write(postHead(path, { ...headers, "Content-Length": body.length }));
    await connection.write(body);
    await until(served, ({ waiting }) => waiting === 1);
    connection.socket.destroy();
    await connection.closed;
    cancelled += 1n;
    await until(served, (stats) => stats.cancelled === cancelled && stats.waiting === 0);
  }
  const half = await RawConnection.open(t, port);
  await half.write(postHead(ways[1]?.[0] ?? "", { ...ways[1]?.[1], "Content-Length": header.length + tensor.length }));
  await half.write(Buffer.concat([header, tensor.subarray(0, 100)]));
  half.socket.destroy();
  await half.closed;
  const [s] = await both();
  const alone = reference.stream();
  await alone.step(gruInput(1));
  const apart = distance(s?.output as Float32Array, await alone.step(gruInput(1)));
  t.ok(apart <= TOLERANCE, "none of it was a step");
});

t.test("a WebSocket that goes away takes along what waits, and a state of its own", async (t) => {
  const served = await pairs(t);
  for (const [round, query] of ["", "?raw=input", "?sequence_id=s", "?raw=input&sequence_id=s"].entries()) {
    const peer = await Peer.open(t, `${served.url}/v2/models/gru/stream${query}`);
    for (let i = 0; i < 5; ++i) {
      peer.send(query.includes("raw") ? bytesOf(gruInput(i)) : jsonRequest("input", [gruInput(i)]));
    }
    await until(served, ({ waiting }) => waiting === 5);
    peer.socket.terminate();
    const wanted = BigInt(round + 1) * 5n;
    await until(served, ({ cancelled, waiting }) => cancelled === wanted && waiting === 0);
    await until(served, ({ liveStates }) => liveStates === 0);
  }
  t.match(served.process.stats().model, { succeeded: 0n, failed: 0n });
});

t.test("more frames in flight than are allowed close the connection with 1013", async (t) => {
  const served = await pairs(t, { maxInFlightPerConnection: 4 });
  const peer = await Peer.open(t, `${served.url}/v2/models/gru/stream`);
  for (let i = 0; i < 5; ++i) peer.send(jsonRequest("input", [gruInput(i)]));
  t.same(await peer.closed, {
    code: 1013,
    reason: "RESOURCE_EXHAUSTED: more than 4 frames are waiting for answers",
  });
  await until(served, ({ cancelled, liveStates }) => cancelled === 4n && liveStates === 0);
});

t.test("raw frames beyond those that may be in flight wait in the client, and are answered in order", async (t) => {
  const { url, process } = await serve(t, await gruPipeline(), { maxInFlightPerConnection: 4 });
  const peer = await Peer.open(t, `${url}/v2/models/gru/stream?raw=input`);
  for (let i = 0; i < 300; ++i) peer.send(bytesOf(gruInput(i)));
  const alone = reference.stream();
  for (let i = 0; i < 300; ++i) {
    const apart = distance(await peer.nextFloats(), await alone.step(gruInput(i)));
    if (apart > TOLERANCE) t.fail(`step ${i} is ${apart} off`);
  }
  t.match(process.stats().model, { succeeded: 300n, refused: 0n });
});

t.test("a frame over maxBodyBytes closes its connection with 1009, and no other", async (t) => {
  const { url, driver } = await serve(t, await gruPipeline(), { maxBodyBytes: 4096 });
  const open = () => Peer.open(t, `${url}/v2/models/gru/stream?raw=input`);
  const [large, other] = [await open(), await open()];
  large.send(Buffer.alloc(4097));
  const reason = "PAYLOAD_TOO_LARGE: a frame of 4097 bytes, at most 4096 are allowed (maxBodyBytes)";
  t.same(await large.closed, { code: 1009, reason });
  other.send(bytesOf(gruInput(1)));
  t.ok(distance(await other.nextFloats(), await reference.stream().step(gruInput(1))) <= TOLERANCE);
  const parameters = driver.getParameters();
  await t.rejects(
    driver.setParameters({ ...parameters, maxBodyBytes: 8192 }),
    { code: "INVALID_ARGUMENT", path: "maxBodyBytes" },
    "streams could not follow a change",
  );
});

t.test("a client that does not read is closed with 1013; its memory is bounded, and others go on", async (t) => {
  const limit = 1 << 16;
  const width = 1 << 18;
  const cell = onnxCell({ name: "echo", model: fixture("dynamic_length") });
  const { url } = await serve(t, await modelPipeline(cell), { maxBackpressureBytes: limit });
  const deaf = await Peer.open(t, `${url}/v2/models/echo/stream?raw=x`);
  const other = await Peer.open(t, `${url}/v2/models/echo/stream?raw=x`);
  deaf.socket.pause();
  const big = bytesOf(new Float32Array(width).fill(1));
  const refused = async () => (await scrape(url)).value("headrace_driver_streams_refused_total");
  let sent = 0;
  while ((await refused()) === 0) {
    deaf.send(big);
    sent += 1;
    other.send(bytesOf(Float32Array.of(sent, 1)));
    t.same([...(await other.nextFloats())], [sent + 1, sent, 1]);
  }
  deaf.socket.resume();
  const { code, reason } = await deaf.closed;
  t.equal(code, 1013);
  const kept = /^RESOURCE_EXHAUSTED: (\d+) bytes of answers were not read, at most 65536 are kept$/.exec(reason)?.[1];
  t.ok(Number(kept) <= limit + big.byteLength + 64, `${kept} bytes were kept`);
  other.send(bytesOf(Float32Array.of(1, 2)));
  t.same([...(await other.nextFloats())], [3, 1, 2], "the other goes on");
});

t.test("parameters out of range are refused, and crash nothing", async (t) => {
  const proc = await start(t, await gruPipeline());
  const wrong = [
    { port: -1 },
    { port: 65_536 },
    { host: "" },
    { maxBodyBytes: 0 },
    { maxBackpressureBytes: 0 },
    { maxInFlightPerConnection: 0 },
    // uWebSockets.js ends the whole process for these.
    { idleTimeoutSeconds: 5 },
    { idleTimeoutSeconds: 961 },
  ];
  for (const parameters of wrong) {
    const [path] = Object.keys(parameters);
    const adding = proc.addDriver("web", HttpDriver, { port: 0, ...parameters });
    await t.rejects(adding, { code: "INVALID_ARGUMENT", path }, JSON.stringify(parameters));
  }
  for (const idleTimeoutSeconds of [0, 8, 960]) {
    const driver = await proc.addDriver("web", HttpDriver, { port: 0, idleTimeoutSeconds });
    await driver.stop();
  }
});

t.test("answers that come out of order are put in it, whatever waits for whom", async (t) => {
  const served = await pairs(t);
  for (const raw of [false, true]) {
    const peer = await Peer.open(t, `${served.url}/v2/models/gru/stream${raw ? "?raw=input" : ""}`);
    // The first waits for its pair; the second is wrong, and known to be at once.
    peer.send(raw ? bytesOf(gruInput(1)) : jsonRequest("input", [gruInput(1)], { id: "waits" }));
    peer.send(jsonRequest("audio", [gruInput(1)], { id: "fails" }));
    await until(served, ({ waiting }) => waiting === 1);
    await served.process.predict({ input: gruInput(2) });
    if (raw) t.equal((await peer.nextFloats()).length, 8);
    else t.match(await peer.nextJson(), { id: "waits" });
    t.match(await peer.nextJson(), { id: "fails" });
    await peer.close();
  }
});
