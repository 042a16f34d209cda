/** What one WebSocket may have and do, how it is kept alive, and the codes that it is closed with. */
import { once } from "node:events";
import t, { type Test } from "tap";
import { WebSocket } from "ws";
import { bytesOf } from "../../../src/datatype.js";
import { HttpDriver } from "../../../src/drivers/http/index.js";
import { gruPipeline, serve, start } from "../../support/serve.js";
import { Peer, refusedUpgrade } from "../../support/sockets.js";
import { floatsOf, gruInput, jsonRequest } from "../../support/steps.js";

async function gru(t: Test, parameters = {}, cell = {}) {
  const served = await serve(t, await gruPipeline(cell), parameters);
  return { ...served, open: (query: string) => Peer.open(t, `${served.url}/v2/models/gru/stream${query}`) };
}

function numbered(stream: number, bytes: Uint8Array): Buffer {
  const frame = Buffer.alloc(4 + bytes.byteLength);
  frame.writeUInt32LE(stream);
  frame.set(bytes, 4);
  return frame;
}

const FULL = {
  code: "RESOURCE_EXHAUSTED",
  error: "this connection has 2 streams open, as many as it may have (maxStreamsPerConnection); end one first",
};

t.test("a connection has no more numbered streams than it may, until one ends", async (t) => {
  const { open, url, driver } = await gru(t, { maxStreamsPerConnection: 2 });
  t.match(JSON.parse((await refusedUpgrade(`${url}/v2/models/gru/stream?raw=input&streams=3`)).body), {
    error: "streams: expected a number from 1 to 2, got '3'",
  });
  await driver.setParameters({ ...driver.getParameters(), maxStreamsPerConnection: 4 });
  const peer = await open("?raw=input&streams=4");
  await driver.setParameters({ ...driver.getParameters(), maxStreamsPerConnection: 2 });
  const step = async (number: number) => {
    peer.send(numbered(number, bytesOf(gruInput(1))));
    return peer.next();
  };
  const control = async (frame: object) => {
    peer.send(JSON.stringify(frame));
    return peer.nextJson();
  };
  t.type(await step(0), Buffer);
  t.same(await control({ open: 1, sequence_id: "x" }), { open: 1, sequence_id: "x" });
  t.same(JSON.parse(String(await step(2))), { ...FULL, stream: 2 });
  t.same(await control({ open: 3 }), { ...FULL, stream: 3 });
  t.type(await step(0), Buffer, "those that are open go on");
  peer.send(jsonRequest("input", [gruInput(1)], { parameters: { sequence_id: "y" } }));
  t.match(await peer.nextJson(), FULL, "a message's is one of them");
  t.same(await control({ close: 1 }), { close: 1 });
  t.type(await step(2), Buffer, "closed by a control frame");
  peer.send(numbered(0, Buffer.alloc(0)));
  await peer.next();
  t.same(await control({ open: 3 }), { open: 3 }, "ended by its number");
});

t.test("nor state ids that its messages name, until one ends or is evicted", async (t) => {
  const { open, process } = await gru(t, { maxStreamsPerConnection: 2 }, { stateTtlSeconds: 0.05 });
  const peer = await open("?sequence_id=own");
  const step = async (sequence_id: string | undefined, sequence_end = false) => {
    peer.send(jsonRequest("input", [gruInput(1)], { parameters: { sequence_id, sequence_end } }));
    return peer.nextJson();
  };
  for (const name of ["a", "b", "a", undefined, "own"]) t.match(await step(name), { model_name: "gru" });
  t.match(await step("c"), FULL);
  t.match(await step("a", true), { model_name: "gru" });
  t.match(await step("c"), { model_name: "gru" }, "one has ended");
  t.match(await step("d"), FULL);
  const evicted: string[] = [];
  await new Promise<void>((resolve) => {
    process.onEvict((stateId) => {
      evicted.push(stateId);
      if (evicted.includes("b") && evicted.includes("c")) resolve();
    });
  });
  for (const name of ["d", "e"]) t.match(await step(name), { model_name: "gru" }, "others were evicted");
  t.match(await step("f"), FULL);
  const other = await open("");
  other.send(jsonRequest("input", [gruInput(1)], { parameters: { sequence_id: "f" } }));
  t.match(await other.nextJson(), { model_name: "gru" }, "each connection has its own");
});

t.test("a frame over maxFrameBytes closes its connection with 1009; bodies have another limit", async (t) => {
  const { open, url } = await gru(t, { maxFrameBytes: 4096 });
  const peer = await open("?raw=input");
  peer.send(Buffer.alloc(4097));
  const reason = "PAYLOAD_TOO_LARGE: a frame of 4097 bytes, at most 4096 are allowed (maxFrameBytes)";
  t.same(await peer.closed, { code: 1009, reason });
  const body = jsonRequest("input", [gruInput(1)]);
  t.ok(body.length > 4096);
  t.equal((await fetch(`${url}/v2/models/gru/infer`, { method: "POST", body })).status, 200);
});

t.test("limits out of range are refused", async (t) => {
  const process = await start(t, await gruPipeline());
  for (const parameters of [
    { maxFrameBytes: 0 },
    { maxFrameBytes: 2 ** 31 + 1 },
    { maxStreamsPerConnection: 0 },
    { maxStreamsPerConnection: 65_537 },
    { maxStreamsPerConnection: 1.5 },
  ]) {
    const adding = process.addDriver("web", HttpDriver, { port: 0, ...parameters });
    await t.rejects(adding, { code: "INVALID_ARGUMENT", path: Object.keys(parameters)[0] });
  }
});

t.test("a ping is answered by a pong with its bytes, between answers as ever", async (t) => {
  const { open } = await gru(t);
  const peer = await open("?raw=input");
  const pong = once(peer.socket, "pong");
  peer.send(bytesOf(gruInput(1)));
  peer.socket.ping("are you there?");
  peer.send(bytesOf(gruInput(2)));
  const [payload] = (await pong) as [Buffer];
  t.equal(payload.toString(), "are you there?");
  t.equal((await peer.nextFloats()).length + (await peer.nextFloats()).length, 16);
});

t.test("the server pings who is silent, and closes who does not answer", async (t) => {
  const { url } = await gru(t, { idleTimeoutSeconds: 8 });
  const sockets = [true, false].map(
    (autoPong) => new WebSocket(`${url.replace("http", "ws")}/v2/models/gru/stream?raw=input`, { autoPong }),
  );
  const [alive, dead] = sockets as [WebSocket, WebSocket];
  t.teardown(() => alive.terminate());
  dead.on("error", () => {});
  await Promise.all([once(alive, "open"), once(dead, "open")]);
  const pinged = Promise.all([once(alive, "ping"), once(dead, "ping")]);
  const [code] = (await once(dead, "close")) as [number];
  await pinged;
  t.equal(code, 1006, "nobody is there to be told why");
  alive.send(bytesOf(gruInput(1)));
  const [answer] = (await once(alive, "message")) as [Buffer];
  t.equal(floatsOf(answer).length, 8, "a pong is a sign of life");
});

t.test("what breaks the WebSocket protocol itself ends the connection, and says why", async (t) => {
  const { open } = await gru(t);
  const wrong: [string, number, (peer: Peer) => void][] = [
    // ws sends what it is given; the flag says text.
    ["text that is not UTF-8", 1007, (peer) => peer.socket.send(Buffer.of(0xff, 0xfe), { binary: false })],
    ["a frame of far more than is allowed", 1009, (peer) => peer.send(Buffer.alloc((128 << 20) + 1))],
  ];
  for (const [what, code, send] of wrong) {
    const peer = await open("");
    send(peer);
    t.equal((await peer.closed).code, code, what);
  }
});

t.test("a close is answered with 1000, and answers that were due go with the connection", async (t) => {
  const { open } = await gru(t);
  const peer = await open("?raw=input");
  peer.send(bytesOf(gruInput(1)));
  peer.socket.close(1000);
  t.equal((await peer.closed).code, 1000);
});
