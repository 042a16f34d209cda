/** Answers that clients do not read: bounded for all of them together, and given up where they are not taken in time. */
import { connect } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import t, { type Test } from "tap";
import { GrpcModel } from "../../../src/drivers/grpc/grpc-model.js";
import { FLAG, FRAME, H2, PREFACE } from "../../../src/drivers/grpc/http2/frames.js";
import { defineCell, type Pipeline, PipelineFactory } from "../../../src/pipeline/index.js";
import { PipelineDriver, type RestrictedInferenceProcess } from "../../../src/runtime/index.js";
import { Integer, Tensor } from "../../../src/types/index.js";
import { serveGrpc } from "../../support/grpc.js";
import {
  call,
  frame,
  headers,
  headersTo,
  isEndOf,
  listening,
  prefixed,
  RawConnection,
  type Received,
  setting,
  status,
  taken,
  uint32,
} from "../../support/http2.js";
import { start } from "../../support/serve.js";

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

/** A pipeline's process as drivers have it. */
async function inferenceOf(t: Test, pipeline: Pipeline): Promise<RestrictedInferenceProcess> {
  let given: RestrictedInferenceProcess | undefined;
  class Keeper extends PipelineDriver<object> {
    override async run(inference: RestrictedInferenceProcess): Promise<void> {
      given = inference;
    }
    override async stop(): Promise<void> {}
  }
  await (await start(t, pipeline)).addDriver("keeper", Keeper);
  if (given === undefined) throw new Error("a driver that runs was given no process");
  return given;
}

/** A call that goes on, and is told something at once. */
function watching(stream: number): Buffer {
  return Buffer.concat([
    frame(FRAME.HEADERS, FLAG.END_HEADERS, stream, headersTo("grpc.health.v1.Health/Watch")),
    frame(FRAME.DATA, FLAG.END_STREAM, stream, prefixed("grpc.health.v1.HealthCheckRequest", { service: "" })),
  ]);
}

t.test("answers that are not read have so many bytes together; small ones and those that are read go on", async (t) => {
  const { port, driver } = await serveGrpc(t, largePipeline() as never, { maxUnreadBytes: MIB });
  const [idle, other, busy] = [connected(t, port, 0), connected(t, port, 0), connected(t, port, 65_535)];
  idle.send(asking(1, [700_000]));
  await idle.until(isBeginOf(1));
  other.send(asking(1, [400_000]));
  const refused = await other.until(isEndOf(1));
  t.equal(status(refused), "8");
  t.match(refused?.payload.toString("latin1"), /maxUnreadBytes/);
  busy.send(asking(1, [200_000]));
  await busy.until(isBeginOf(1));
  busy.send(widened(0, MIB), widened(1, MIB));
  t.equal(status(await busy.until(isEndOf(1))), "0");
  other.send(asking(3, [60_000]));
  await other.until(isBeginOf(3));
  t.equal(other.frames.find(isEndOf(3)), undefined, "no more than 64 KiB may wait");
  const metrics = new Map(
    (await driver.metrics()).map(({ name, labels, value }) => [`${name} ${Object.values(labels ?? {})}`, value]),
  );
  t.ok(Number(metrics.get("grpc_unread_bytes ")) > 700_000);
  t.equal(metrics.get("grpc_refused too_many_unread"), 1);
  t.equal(metrics.get("grpc_connections "), 3);
  t.equal(metrics.get("grpc_responses 8"), 1);
  t.equal(metrics.get("grpc_responses 0"), 3);
  idle.send(frame(FRAME.RST_STREAM, 0, 1, uint32(H2.CANCEL)), asking(5, [700_000]));
  await idle.until(isBeginOf(5));
  t.equal(idle.frames.find(isEndOf(5)), undefined, "there is room again");
  idle.send(widened(0, MIB), widened(5, MIB));
  t.equal(status(await idle.until(isEndOf(5))), "0");
  t.ok(received(idle, 5) > 700_000);
  t.match(driver.statistics(), { listener: { unreadBytes: 0 } });
});

t.test("a window that is open makes no room where the socket is not read", async (t) => {
  const limits = { maxUnreadBytes: 4 * MIB, maxBackpressureBytes: 65_536 };
  const { port, driver } = await serveGrpc(t, largePipeline() as never, limits);
  const raw = connected(t, port, 2 ** 31 - 1);
  raw.send(widened(0, 2 ** 31 - 1 - 65_535), asking(1, [16 * MIB]));
  t.equal(status(await raw.until(isEndOf(1))), "8");
  raw.send(asking(3, [3 * MIB]));
  t.equal(status(await raw.until(isEndOf(3))), "0");
  t.ok(received(raw, 3) > 3 * MIB);
  t.match(driver.statistics(), { listener: { unreadBytes: 0 } });
});

t.test("one connection has no more than its share, unless it is one answer", async (t) => {
  const { port } = await serveGrpc(t, largePipeline() as never, { maxUnreadBytes: 2 * MIB });
  const raw = connected(t, port, 0);
  raw.send(asking(1, [MIB]));
  await raw.until(isBeginOf(1));
  raw.send(asking(3, [1]));
  t.equal(status(await raw.until(isEndOf(3))), "8");
  raw.send(widened(0, 2 * MIB), widened(1, 2 * MIB));
  t.equal(status(await raw.until(isEndOf(1))), "0");
  raw.send(asking(5, [100_000]));
  await raw.until(isBeginOf(5));
  raw.send(asking(7, [100_000]));
  await raw.until(isBeginOf(7));
  raw.send(asking(9, [100_000]));
  t.equal(status(await raw.until(isEndOf(9))), "8", "an eighth is 256 KiB");
});

t.test("a stream whose answers are too many ends, behind those that it had", async (t) => {
  const { port, driver } = await serveGrpc(t, largePipeline() as never, {
    maxUnreadBytes: MIB,
    maxBackpressureBytes: 4 * MIB,
  });
  const raw = connected(t, port, 0);
  raw.send(asking(1, [100_000, 300_000, 1], "ModelStreamInfer"));
  await raw.until(isBeginOf(1));
  raw.send(widened(0, 4 * MIB), widened(1, 4 * MIB));
  t.equal(status(await raw.until(isEndOf(1))), "8");
  t.ok(received(raw, 1) > 100_000 && received(raw, 1) < 200_000);
  const inFlight = (await driver.metrics()).find(({ name }) => name === "grpc_requests_in_flight");
  t.equal(inFlight?.value, 0);
});

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
  listener.tick(begin + 10_240);
  await taken(raw, 2);
  t.equal(
    raw.frames.find(isReset),
    undefined,
    "64 bytes pay for an eighth of a second, and may be on their way as long",
  );
  listener.tick(begin + 10_260);
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
  listener.tick(begin + 10_100);
  await taken(raw, 2);
  t.equal(raw.frames.find(isReset), undefined);
  listener.tick(begin + 10_150);
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
  listener.tick(begin + 11_500);
  await taken(raw, 3);
  t.notOk(raw.isClosed);
  listener.tick(begin + 12_500);
  t.equal(await raw.goneWith(), H2.ENHANCE_YOUR_CALM);
  t.ok(listener.counters().refused.too_slow > 100);
  t.same(listener.counters().unreadBytes, 0);
});

t.test("a client that does not read its socket loses the connection", async (t) => {
  const listener = await listening(t);
  listener.models.add(new GrpcModel(await inferenceOf(t, largePipeline() as never)), false);
  const raw = connected(t, listener.port, 2 ** 31 - 1);
  await taken(raw, 1);
  raw.socket.pause();
  // More than the operating system and the socket keep.
  raw.send(widened(0, 2 ** 31 - 1 - 65_535), asking(1, [32 * MIB]));
  while (listener.counters().unreadBytes === 0) await turn();
  const begin = performance.now();
  listener.tick(begin);
  listener.tick(begin + 10_000);
  t.equal(listener.counters().connections, 1, "what is on its way gives a second for every 512 bytes");
  listener.tick(begin + 1e9);
  t.match(listener.counters(), { unreadBytes: 0, refused: { too_slow: 1 } });
  raw.socket.resume();
  t.equal(await raw.goneWith(), H2.ENHANCE_YOUR_CALM);
});
