/** What clients that send much, or read nothing, may make the server keep. */
import { connect } from "node:net";
import t from "tap";
import { FLAG, FRAME, H2, PREFACE } from "../../../src/drivers/grpc/http2/frames.js";
import { MessageReader } from "../../../src/drivers/grpc/message-reader.js";
import { Gate } from "../../support/gate.js";
import { serveGrpc } from "../../support/grpc.js";
import {
  call,
  frame,
  GATED,
  headers,
  headersTo,
  isEndOf,
  listening,
  open,
  prefixed,
  RawConnection,
  status,
  taken,
  uint32,
} from "../../support/http2.js";

t.test("no more is taken of a stream than its window while its requests are not read", async (t) => {
  const held = new Gate();
  const { port } = await serveGrpc(t, held.pipeline() as never, { maxInFlightPerStream: 1 });
  const socket = connect(port, "127.0.0.1");
  const raw = new RawConnection(t, socket).send(PREFACE, frame(FRAME.SETTINGS, 0, 0));
  raw.send(frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, headers("ModelStreamInfer")), frame(FRAME.DATA, 0, 1, GATED));
  await held.arrived(1);
  // 1 MiB is the window; nothing of it is given back while the first request is not answered.
  raw.send(...Array.from({ length: 65 }, () => frame(FRAME.DATA, 0, 1, Buffer.alloc(16_384))));
  t.equal(await raw.resetOf(1), H2.FLOW_CONTROL_ERROR);
});

t.test("streams that wait take no more of a connection than it may have, and give it back when they end", async (t) => {
  const held = new Gate();
  const { port } = await serveGrpc(t, held.pipeline() as never, { maxInFlightPerStream: 1 });
  const raw = new RawConnection(t, connect(port, "127.0.0.1")).send(PREFACE, frame(FRAME.SETTINGS, 0, 0));
  const granted = (): number =>
    raw.frames
      .filter(({ type, stream }) => type === FRAME.WINDOW_UPDATE && stream === 0)
      .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 65_535);
  const isMore = (than: number) => (): boolean => granted() > than;
  const streams = Array.from({ length: 90 }, (_, index) => 2 * index + 1);
  let sent = 0;
  for (const stream of streams) {
    raw.send(
      frame(FRAME.HEADERS, FLAG.END_HEADERS, stream, headers("ModelStreamInfer")),
      frame(FRAME.DATA, 0, stream, GATED),
    );
    sent += GATED.length;
  }
  const piece = Buffer.alloc(16_384);
  let pings = 0;
  const answered = async (): Promise<void> => {
    const ping = ++pings;
    raw.send(frame(FRAME.PING, 0, 0, Buffer.alloc(8, ping)));
    await raw.until(({ type, payload }) => type === FRAME.PING && payload[0] === ping);
  };
  for (const stream of streams.flatMap((stream) => Array.from({ length: 63 }, () => stream))) {
    if (sent + piece.length > granted()) await answered();
    if (sent + piece.length > granted()) break;
    raw.send(frame(FRAME.DATA, 0, stream, piece));
    sent += piece.length;
  }
  t.ok(sent > 64 << 20 && sent < 81 << 20, `${sent} bytes`);
  const before = granted();
  raw.send(...streams.map((stream) => frame(FRAME.RST_STREAM, 0, stream, uint32(H2.CANCEL))));
  t.ok(await raw.until(isMore(before)), "room again");
  for (const _ of streams) held.release();
});

t.test("who does not read what reflection answers asks no more", async (t) => {
  const { greeted } = await open(t);
  const connection = await greeted();
  const question = prefixed("grpc.reflection.v1.ServerReflectionRequest", { file_by_filename: "model_config.proto" });
  const many = Buffer.concat(Array.from({ length: 300 }, () => question));
  const block = headersTo("grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
  connection.send(frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, block));
  // More than the window of a stream, which is only given back where questions are read.
  const count = Math.ceil((1.5 * (1 << 20)) / many.length);
  for (let sent = 0; sent < count; sent++) connection.send(frame(FRAME.DATA, 0, 1, many));
  t.equal(await connection.resetOf(1), H2.FLOW_CONTROL_ERROR);
});

const MIB = 1 << 20;
const FRAME_BYTES = 16_384;

/** A call with the beginning of a message of a mebibyte, which is never whole. */
function begun(stream: number, bytes: number): Buffer[] {
  const message = Buffer.concat([Buffer.alloc(1), uint32(MIB), Buffer.alloc(bytes)]);
  const frames = [frame(FRAME.HEADERS, FLAG.END_HEADERS, stream, headers("ServerLive"))];
  for (let at = 0; at < message.length; at += FRAME_BYTES) {
    frames.push(frame(FRAME.DATA, 0, stream, message.subarray(at, at + FRAME_BYTES)));
  }
  return frames;
}

t.test("a connection has so many messages that are not whole, and room again when they end", async (t) => {
  const { greeted } = await open(t, { maxMessageBytes: MIB });
  const raw = await greeted();
  // 16 MiB are what the windows let it send at a time.
  for (let index = 0; index < 17; index++) {
    raw.send(...begun(2 * index + 1, 1_000_000));
    await taken(raw, index + 1);
  }
  t.equal(status(await raw.until(isEndOf(33))), "8");
  t.equal(raw.frames.find(isEndOf(31)), undefined, "those before wait on");
  raw.send(frame(FRAME.RST_STREAM, 0, 1, uint32(H2.CANCEL)), ...begun(35, 1_000_000));
  await taken(raw, 100);
  t.equal(raw.frames.find(isEndOf(35)), undefined);
});

t.test("all connections together have so many bytes of requests on their way; small ones are taken", async (t) => {
  const { greeted, driver } = await open(t, { maxMessageBytes: MIB, maxIncomingBytes: MIB });
  const [first, second] = [await greeted(), await greeted()];
  first.send(...begun(1, 1_000_000));
  await taken(first, 1);
  second.send(...begun(1, 1_000_000));
  t.equal(status(await second.until(isEndOf(1))), "8");
  t.match(driver.statistics(), { listener: { incomingBytes: 1_000_000, refused: { too_many_bytes: 1 } } });
  second.send(...begun(3, 60_000), call(5));
  t.equal(status(await second.until(isEndOf(5))), "0");
  t.equal(second.frames.find(isEndOf(3)), undefined, "no more than 64 KiB");
  t.equal(first.frames.find(isEndOf(1)), undefined, "who came first goes on");
  first.socket.destroy();
  // The server hears of that when it does; until then what is sent is too much.
  for (let stream = 7; ; stream += 2) {
    second.send(...begun(stream, 1_000_000));
    await taken(second, stream);
    if (second.frames.find(isEndOf(stream)) === undefined) break;
  }
});

t.test("requests behind others of their stream count too, and one message alone is always taken", async (t) => {
  const held = new Gate();
  const limits = { maxInFlightPerStream: 1, maxMessageBytes: MIB, maxIncomingBytes: 1 };
  const { port } = await serveGrpc(t, held.pipeline() as never, limits);
  const raw = new RawConnection(t, connect(port, "127.0.0.1")).send(PREFACE, frame(FRAME.SETTINGS, 0, 0));
  for (const stream of [1, 3]) {
    raw.send(
      frame(FRAME.HEADERS, FLAG.END_HEADERS, stream, headers("ModelStreamInfer")),
      frame(FRAME.DATA, 0, stream, GATED),
    );
  }
  await held.arrived(2);
  const behind = (stream: number) =>
    Array.from({ length: 38 }, () => frame(FRAME.DATA, 0, stream, Buffer.alloc(FRAME_BYTES)));
  raw.send(...behind(1));
  await taken(raw, 1);
  raw.send(...behind(3));
  t.equal(status(await raw.until(isEndOf(3))), "8");
  t.equal(raw.frames.find(isEndOf(1)), undefined);
  held.release();
  held.release();
});

t.test("small requests of one connection count together", async (t) => {
  const { greeted } = await open(t, { maxMessageBytes: MIB, maxIncomingBytes: MIB });
  const raw = await greeted();
  for (let index = 0; index < 20; index++) raw.send(...begun(2 * index + 1, 60_000));
  t.equal(status(await raw.until(isEndOf(2 * 17 + 1))), "8", "the eighteenth is more than a mebibyte");
  t.equal(raw.frames.find(isEndOf(1)), undefined);
});

t.test("a message that has begun comes in time, or its call ends and gives room", async (t) => {
  const listener = await listening(t);
  const raw = new RawConnection(t, connect(listener.port, "127.0.0.1")).send(PREFACE, frame(FRAME.SETTINGS, 0, 0));
  raw.send(...begun(1, 100_000), ...begun(3, 0), frame(FRAME.HEADERS, FLAG.END_HEADERS, 5, headers("ServerLive")));
  await taken(raw, 1);
  t.equal(listener.counters().incomingBytes, 100_000);
  const now = performance.now();
  listener.tick(now + 9000);
  raw.send(frame(FRAME.DATA, 0, 1, Buffer.alloc(1000)));
  await taken(raw, 2);
  t.equal(raw.frames.find(isEndOf(1)), undefined, "within its patience");
  listener.tick(performance.now() + 10_001);
  t.equal(status(await raw.until(isEndOf(1))), "4");
  t.equal(status(await raw.until(isEndOf(3))), "4", "the length alone is a beginning too");
  t.equal(listener.counters().refused.too_slow, 2);
  t.equal(listener.counters().incomingBytes, 0);
  t.equal(raw.frames.find(isEndOf(5)), undefined, "a call without a byte of its message may wait");
});

t.test("a message is late by its pace too, and not for what the server holds up", async (t) => {
  let clock = 0;
  t.intercept(performance, "now", { value: () => clock });
  const reader = new MessageReader(MIB, () => undefined);
  reader.read(Buffer.concat([Buffer.alloc(1), uint32(MIB)]), 0);
  t.equal(reader.isLate(10_000), false);
  t.equal(reader.isLate(10_001), true, "nothing follows its length");
  reader.read(Buffer.alloc(51_200), 0);
  t.equal(reader.isLate(10_000), false);
  t.equal(reader.isLate(10_001), true, "nothing came for ten seconds");
  // A byte every nine seconds, for the hundred seconds that 51,200 bytes pay for beyond the first ten.
  for (clock = 9000; clock <= 108_000; clock += 9000) reader.read(Buffer.alloc(1), 0);
  t.equal(reader.isLate(110_000), false);
  t.equal(reader.isLate(110_100), true, "512 bytes a second on the whole");
  clock = 110_100;
  reader.forgive();
  t.equal(reader.isLate(110_100), false);
});
