/** Answers that clients do not read: bounded for all of them together, and given up where they are not taken in time. */
import { connect } from "node:net";
import t, { type Test } from "tap";
import { FLAG, FRAME, H2, PREFACE } from "../../../src/drivers/grpc/http2/frames.js";
import { encodeHeaders } from "../../../src/drivers/grpc/http2/hpack-encoder.js";
import { GrpcListener } from "../../../src/drivers/grpc/listener.js";
import { grpcParameters, listenerParameters } from "../../../src/drivers/grpc/parameters.js";
import { defineCell, PipelineFactory } from "../../../src/pipeline/index.js";
import { Integer, Tensor } from "../../../src/types/index.js";
import { serveGrpc } from "../../support/grpc.js";
import {
  call,
  frame,
  headers,
  isEndOf,
  prefixed,
  RawConnection,
  type Received,
  setting,
  status,
  uint32,
} from "../../support/http2.js";

const INITIAL_WINDOW_SIZE = 4;
const MIB = 1 << 20;

/** A model whose answers are as large as they are asked to be. */
function largePipeline() {
  const cell = defineCell({
    name: "Large",
    inputs: { bytes: Integer() },
    outputs: { y: Tensor("UINT8", [-1]) },
    call: ({ inputs }) => ({
      y: new Uint8Array(inputs.bytes),
    }),
  });
  const factory = new PipelineFactory({ name: "large" });
  const handle = factory.addCell("large", cell);
  return factory.declareInput("bytes", handle.inputs.bytes).declareOutput("y", handle.outputs.y).build();
}

/** A call that asks for answers of so many bytes, and is whole. */
function asking(stream: number, sizes: readonly number[], method = "ModelInfer"): Buffer {
  const questions = sizes.map((bytes, index) => {
    const message = prefixed("inference.ModelInferRequest", {
      model_name: "large",
      inputs: [{ name: "bytes", datatype: "INT64", shape: [1], contents: { int64_contents: [bytes] } }],
    });
    return frame(FRAME.DATA, index === sizes.length - 1 ? FLAG.END_STREAM : 0, stream, message);
  });
  return Buffer.concat([frame(FRAME.HEADERS, FLAG.END_HEADERS, stream, headers(method)), ...questions]);
}

/** A connection whose client takes so many bytes of each answer, and 65,535 of all. */
function connected(t: Test, port: number, window: number): RawConnection {
  const windows = frame(FRAME.SETTINGS, 0, 0, setting(INITIAL_WINDOW_SIZE, window));
  return new RawConnection(t, connect(port, "127.0.0.1")).send(PREFACE, windows);
}

const widened = (stream: number, bytes: number): Buffer => frame(FRAME.WINDOW_UPDATE, 0, stream, uint32(bytes));
const isBeginOf = (stream: number) => (frame: Received) => frame.stream === stream && frame.type === FRAME.HEADERS;

const isReset = ({ type }: Received): boolean => type === FRAME.RST_STREAM;

/** Bytes of DATA so far: of a stream, or all. */
function received(raw: RawConnection, stream?: number): number {
  const data = raw.frames.filter((one) => one.type === FRAME.DATA && (stream === undefined || one.stream === stream));
  return data.reduce((sum, { payload }) => sum + payload.length, 0);
}

t.test("answers that are not read have so many bytes together; small ones and those that are read go on", async (t) => {
  const { port, driver } = await serveGrpc(t, largePipeline() as never, { maxUnreadBytes: MIB });
  const [idle, busy] = [connected(t, port, 0), connected(t, port, 65_535)];
  idle.send(asking(1, [700_000]));
  await idle.until(isBeginOf(1));
  idle.send(asking(3, [700_000]));
  const refused = await idle.until(isEndOf(3));
  t.equal(status(refused), "8");
  t.match(refused?.payload.toString("latin1"), /maxUnreadBytes/);
  busy.send(asking(1, [60_000]));
  t.equal(status(await busy.until(isEndOf(1))), "0");
  const metrics = new Map(
    (await driver.metrics()).map(({ name, labels, value }) => [`${name} ${Object.values(labels ?? {})}`, value]),
  );
  t.ok(Number(metrics.get("grpc_unread_bytes ")) > 700_000);
  t.equal(metrics.get("grpc_refused too_many_unread"), 1);
  t.equal(metrics.get("grpc_connections "), 2);
  t.equal(metrics.get("grpc_responses 8"), 1);
  t.equal(metrics.get("grpc_responses 0"), 2);
  idle.send(frame(FRAME.RST_STREAM, 0, 1, uint32(H2.CANCEL)), asking(5, [700_000]));
  await idle.until(isBeginOf(5));
  t.equal(idle.frames.find(isEndOf(5)), undefined, "there is room again");
  idle.send(widened(0, MIB), widened(5, MIB));
  t.equal(status(await idle.until(isEndOf(5))), "0");
  t.ok(received(idle, 5) > 700_000);
  t.match(driver.statistics(), { listener: { unreadBytes: 0 } });
});

t.test("a stream whose answers are too many ends, behind those that it had", async (t) => {
  const { port, driver } = await serveGrpc(t, largePipeline() as never, {
    maxUnreadBytes: MIB,
    maxBackpressureBytes: 4 * MIB,
  });
  const raw = connected(t, port, 0);
  raw.send(asking(1, [700_000], "ModelStreamInfer"));
  await raw.until(isBeginOf(1));
  raw.send(asking(3, [100_000, 300_000, 1], "ModelStreamInfer"));
  await raw.until(isBeginOf(3));
  raw.send(widened(0, 4 * MIB), widened(3, 4 * MIB));
  t.equal(status(await raw.until(isEndOf(3))), "8");
  t.ok(received(raw, 3) > 100_000 && received(raw, 3) < 200_000);
  const inFlight = (await driver.metrics()).find(({ name }) => name === "grpc_requests_in_flight");
  t.equal(inFlight?.value, 0);
  raw.send(widened(1, MIB));
  t.equal(status(await raw.until(isEndOf(1))), "0");
});

async function listening(t: Test): Promise<GrpcListener> {
  const init = { parameters: listenerParameters(grpcParameters({})), repository: () => undefined, log: undefined };
  const listener = await GrpcListener.open(init, 0);
  t.teardown(() => listener.close());
  return listener;
}

/** A call that goes on, and is told something at once. */
function watching(stream: number): Buffer {
  const block = encodeHeaders([
    [":method", "POST"],
    [":scheme", "http"],
    [":path", "/grpc.health.v1.Health/Watch"],
    ["content-type", "application/grpc"],
  ]);
  return Buffer.concat([
    frame(FRAME.HEADERS, FLAG.END_HEADERS, stream, block),
    frame(FRAME.DATA, FLAG.END_STREAM, stream, prefixed("grpc.health.v1.HealthCheckRequest", { service: "" })),
  ]);
}

/** Resolves when the server has read what was sent so far, and what it wrote for it is here. */
async function taken(raw: RawConnection, mark: number): Promise<void> {
  raw.send(frame(FRAME.PING, 0, 0, Buffer.alloc(8, mark)));
  await raw.until(({ type, payload }) => type === FRAME.PING && payload[0] === mark);
}

t.test("an answer whose client makes no room for it in time is given up, and nothing else", async (t) => {
  const listener = await listening(t);
  const raw = connected(t, listener.port, 0);
  raw.send(call(1, "ServerMetadata"), watching(3));
  await raw.until(isBeginOf(1));
  const begin = performance.now();
  listener.tick(begin);
  raw.send(widened(1, 64));
  await taken(raw, 1);
  t.equal(received(raw, 1), 64);
  listener.tick(begin + 9000);
  listener.tick(begin + 10_120);
  await taken(raw, 2);
  t.equal(raw.frames.find(isReset), undefined, "64 bytes pay for an eighth of a second more");
  listener.tick(begin + 10_130);
  t.equal(await raw.resetOf(1), H2.ENHANCE_YOUR_CALM);
  await taken(raw, 3);
  t.equal(raw.frames.filter(isReset).length, 1);
  t.equal(listener.counters().refused.too_slow, 1);
  raw.send(widened(3, 100));
  await raw.until(({ type, stream }) => type === FRAME.DATA && stream === 3);
});

t.test("an answer of which nothing more is taken is given up ten seconds later", async (t) => {
  const listener = await listening(t);
  const raw = connected(t, listener.port, 0);
  raw.send(call(1, "ServerMetadata"));
  await raw.until(isBeginOf(1));
  const begin = performance.now();
  listener.tick(begin);
  raw.send(widened(1, 64));
  await taken(raw, 1);
  listener.tick(begin + 10);
  listener.tick(begin + 10_000);
  await taken(raw, 2);
  t.equal(raw.frames.find(isReset), undefined);
  listener.tick(begin + 10_020);
  t.equal(await raw.resetOf(1), H2.ENHANCE_YOUR_CALM);
});

t.test("a connection that takes no answers in time ends", async (t) => {
  const listener = await listening(t);
  const raw = connected(t, listener.port, MIB);
  const all = Array.from({ length: 1000 }, (_, index) => 2 * index + 1);
  raw.send(...all.map((stream) => call(stream, "ServerMetadata")));
  await taken(raw, 1);
  t.equal(received(raw), 65_535);
  const begin = performance.now();
  listener.tick(begin);
  raw.send(widened(0, 512));
  await taken(raw, 2);
  t.equal(received(raw), 65_535 + 512);
  listener.tick(begin + 9000);
  listener.tick(begin + 10_900);
  await taken(raw, 3);
  t.notOk(raw.isClosed);
  listener.tick(begin + 11_100);
  t.equal(await raw.goneWith(), H2.ENHANCE_YOUR_CALM);
  t.ok(listener.counters().refused.too_slow > 100);
  t.same(listener.counters().unreadBytes, 0);
});

t.test("who stops waits for messages that have begun, and a second for those that have not", async (t) => {
  const listener = await listening(t);
  const driver = {};
  await listener.join(driver, {});
  const raw = connected(t, listener.port, 65_535);
  const begun = (stream: number): Buffer => frame(FRAME.HEADERS, FLAG.END_HEADERS, stream, headers("ServerLive"));
  raw.send(begun(1), begun(3), frame(FRAME.DATA, 0, 3, Buffer.alloc(2)));
  await taken(raw, 1);
  listener.tick(performance.now() + 5000);
  listener.leave(driver);
  listener.tick(performance.now() + 900);
  await taken(raw, 2);
  t.equal(raw.frames.find(isEndOf(1)), undefined);
  listener.tick(performance.now() + 1001);
  t.equal(status(await raw.until(isEndOf(1))), "14");
  raw.send(frame(FRAME.DATA, FLAG.END_STREAM, 3, Buffer.alloc(3)));
  t.equal(status(await raw.until(isEndOf(3))), "0");
  t.notOk(listener.isBusy);
});
