/** HTTP/2 as hostile or odd clients speak it: frames by hand over a plain socket. */
import { connect } from "node:net";
import fc from "fast-check";
import t from "tap";
import { FLAG, FRAME, FrameReader, H2, PREFACE, SETTING } from "../../../src/drivers/grpc/http2/frames.js";
import { encodeHeaders } from "../../../src/drivers/grpc/http2/hpack-encoder.js";
import { Gate } from "../../support/gate.js";
import { serveGrpc } from "../../support/grpc.js";
import {
  call,
  EMPTY,
  frame,
  GATED,
  headers,
  isEndOf,
  open,
  prefixed,
  RawConnection,
  type Received,
  setting,
  status,
  uint32,
} from "../../support/http2.js";

t.test("frames are the same however they are cut", async () => {
  const some = fc.array(fc.tuple(fc.nat(9), fc.nat(255), fc.nat(2 ** 31 - 1), fc.uint8Array({ maxLength: 200 })), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(some, fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), (frames, cuts) => {
      const bytes = Buffer.concat(
        frames.map(([type, flags, stream, payload]) => frame(type, flags, stream, Buffer.from(payload))),
      );
      const read: unknown[] = [];
      const reader = new FrameReader((type, flags, stream, payload) => read.push([type, flags, stream, [...payload]]));
      for (let at = 0, index = 0; at < bytes.length; index++) {
        const end = at + (cuts[index % cuts.length] ?? 1);
        reader.read(bytes.subarray(at, end), 0);
        at = end;
      }
      return (
        JSON.stringify(read) ===
        JSON.stringify(frames.map(([type, flags, stream, payload]) => [type, flags, stream, [...payload]]))
      );
    }),
    { numRuns: 300 },
  );
});

t.test("a call byte by byte, with padding, priority and trailers of the client", async (t) => {
  const { greeted } = await open(t);
  const connection = await greeted();
  const block = headers("ServerLive");
  const padded = Buffer.concat([Buffer.from([4]), Buffer.alloc(5), block.subarray(0, 20), Buffer.alloc(4)]);
  const bytes = Buffer.concat([
    frame(FRAME.HEADERS, FLAG.PADDED | FLAG.PRIORITY, 1, padded),
    frame(FRAME.CONTINUATION, 0, 1, block.subarray(20, 30)),
    frame(FRAME.CONTINUATION, FLAG.END_HEADERS, 1, block.subarray(30)),
    frame(FRAME.DATA, FLAG.PADDED, 1, Buffer.concat([Buffer.from([9]), EMPTY.subarray(0, 2), Buffer.alloc(9)])),
    frame(FRAME.DATA, 0, 1),
    frame(FRAME.DATA, 0, 1, EMPTY.subarray(2)),
    frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, encodeHeaders([["x", "y"]])),
    frame(77, 3, 1, Buffer.from("unknown")),
    frame(FRAME.PRIORITY, 0, 3, Buffer.alloc(5)),
  ]);
  for (const byte of bytes) connection.send(Buffer.from([byte]));
  t.equal(status(await connection.until(isEndOf(1))), "0");
  t.same(connection.frames.find(({ type }) => type === FRAME.DATA)?.payload, Buffer.from([0, 0, 0, 0, 2, 8, 1]));
});

t.test("pings and settings are answered", async (t) => {
  const { greeted } = await open(t);
  const connection = await greeted();
  connection.send(frame(FRAME.PING, 0, 0, Buffer.from("12345678")));
  const pong = await connection.until(({ type }) => type === FRAME.PING);
  t.match(pong, { flags: FLAG.ACK, payload: Buffer.from("12345678") });
  t.ok(connection.frames.some(({ type, flags }) => type === FRAME.SETTINGS && flags === FLAG.ACK));
});

t.test("who breaks the rules of a connection is told so, and gone", async (t) => {
  const { greeted, connection, client } = await open(t);
  const broken: [string, number, Buffer[]][] = [
    ["a frame before SETTINGS", H2.PROTOCOL_ERROR, []],
    ["a frame that is too large", H2.FRAME_SIZE_ERROR, [frame(FRAME.DATA, 0, 1, Buffer.alloc(16_385))]],
    ["DATA of a stream that never was", H2.PROTOCOL_ERROR, [frame(FRAME.DATA, 0, 1)]],
    ["DATA of the connection", H2.PROTOCOL_ERROR, [frame(FRAME.DATA, 0, 0)]],
    ["an even stream", H2.PROTOCOL_ERROR, [frame(FRAME.HEADERS, FLAG.END_HEADERS, 2, headers("ServerLive"))]],
    ["a push", H2.PROTOCOL_ERROR, [frame(FRAME.PUSH_PROMISE, FLAG.END_HEADERS, 1, Buffer.alloc(4))]],
    ["CONTINUATION alone", H2.PROTOCOL_ERROR, [frame(FRAME.CONTINUATION, FLAG.END_HEADERS, 1)]],
    [
      "a frame inside a header block",
      H2.PROTOCOL_ERROR,
      [frame(FRAME.HEADERS, 0, 1, headers("ServerLive")), frame(FRAME.PING, 0, 0, Buffer.alloc(8))],
    ],
    [
      "CONTINUATION of another stream",
      H2.PROTOCOL_ERROR,
      [frame(FRAME.HEADERS, 0, 1), frame(FRAME.CONTINUATION, 4, 3)],
    ],
    ["more padding than payload", H2.PROTOCOL_ERROR, [call(1), frame(FRAME.DATA, FLAG.PADDED, 1, Buffer.from([5, 0]))]],
    [
      "broken compression",
      H2.COMPRESSION_ERROR,
      [frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]))],
    ],
    ["a ping of 7 bytes", H2.FRAME_SIZE_ERROR, [frame(FRAME.PING, 0, 0, Buffer.alloc(7))]],
    ["a ping of a stream", H2.PROTOCOL_ERROR, [frame(FRAME.PING, 0, 1, Buffer.alloc(8))]],
    ["settings of 5 bytes", H2.FRAME_SIZE_ERROR, [frame(FRAME.SETTINGS, 0, 0, Buffer.alloc(5))]],
    ["settings of a stream", H2.PROTOCOL_ERROR, [frame(FRAME.SETTINGS, 0, 1)]],
    [
      "a window too large",
      H2.FLOW_CONTROL_ERROR,
      [frame(FRAME.SETTINGS, 0, 0, setting(SETTING.INITIAL_WINDOW_SIZE, 2 ** 31))],
    ],
    ["frames too small", H2.PROTOCOL_ERROR, [frame(FRAME.SETTINGS, 0, 0, setting(SETTING.MAX_FRAME_SIZE, 100))]],
    ["push neither on nor off", H2.PROTOCOL_ERROR, [frame(FRAME.SETTINGS, 0, 0, setting(SETTING.ENABLE_PUSH, 2))]],
    ["a window that grows by nothing", H2.PROTOCOL_ERROR, [frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(0))]],
    ["a window that grows beyond all", H2.FLOW_CONTROL_ERROR, [frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(2 ** 31 - 1))]],
    ["WINDOW_UPDATE of 3 bytes", H2.FRAME_SIZE_ERROR, [frame(FRAME.WINDOW_UPDATE, 0, 0, Buffer.alloc(3))]],
    ["a reset of what never was", H2.PROTOCOL_ERROR, [frame(FRAME.RST_STREAM, 0, 1, uint32(8))]],
    ["a reset of 5 bytes", H2.FRAME_SIZE_ERROR, [call(1), frame(FRAME.RST_STREAM, 0, 1, Buffer.alloc(5))]],
    ["GOAWAY of a stream", H2.PROTOCOL_ERROR, [frame(FRAME.GOAWAY, 0, 1, Buffer.alloc(8))]],
    ["PRIORITY of 4 bytes", H2.FRAME_SIZE_ERROR, [frame(FRAME.PRIORITY, 0, 1, Buffer.alloc(4))]],
    [
      "headers without end",
      H2.ENHANCE_YOUR_CALM,
      [
        frame(FRAME.HEADERS, 0, 1),
        ...Array.from({ length: 3 }, () => frame(FRAME.CONTINUATION, 0, 1, Buffer.alloc(16_000, 0x82))),
      ],
    ],
    [
      "a flood of empty CONTINUATION",
      H2.ENHANCE_YOUR_CALM,
      [frame(FRAME.HEADERS, 0, 1), ...Array.from({ length: 2000 }, () => frame(FRAME.CONTINUATION, 0, 1))],
    ],
    [
      "a flood of pings",
      H2.ENHANCE_YOUR_CALM,
      Array.from({ length: 2000 }, () => frame(FRAME.PING, 0, 0, Buffer.alloc(8))),
    ],
    ["a flood of settings", H2.ENHANCE_YOUR_CALM, Array.from({ length: 2000 }, () => frame(FRAME.SETTINGS, 0, 0))],
    [
      "a flood of empty DATA",
      H2.ENHANCE_YOUR_CALM,
      [
        frame(FRAME.HEADERS, 4, 1, headers("ModelStreamInfer")),
        ...Array.from({ length: 2000 }, () => frame(FRAME.DATA, 0, 1)),
      ],
    ],
    [
      "calls given up at once",
      H2.ENHANCE_YOUR_CALM,
      Array.from({ length: 3000 }, (_, index) =>
        Buffer.concat([
          frame(FRAME.HEADERS, 4, 2 * index + 1, headers("ModelInfer")),
          frame(FRAME.RST_STREAM, 0, 2 * index + 1, uint32(8)),
        ]),
      ),
    ],
  ];
  for (const [what, code, frames] of broken) {
    const raw =
      frames.length === 0
        ? (await connection()).send(PREFACE, frame(FRAME.PING, 0, 0, Buffer.alloc(8)))
        : (await greeted()).send(...frames);
    t.equal(await raw.goneWith(), code, what);
  }
  t.ok((await client.call("ServerLive")).answer.live, "others are not disturbed");
});

t.test("who breaks the rules of a stream loses that stream", async (t) => {
  const { greeted } = await open(t);
  const raw = await greeted();
  const begin = (stream: number): Buffer => frame(FRAME.HEADERS, FLAG.END_HEADERS, stream, headers("ModelStreamInfer"));
  raw.send(begin(1), frame(FRAME.WINDOW_UPDATE, 0, 1, uint32(0)));
  t.equal(await raw.resetOf(1), H2.PROTOCOL_ERROR);
  raw.send(begin(3), frame(FRAME.WINDOW_UPDATE, 0, 3, uint32(2 ** 31 - 1)));
  t.equal(await raw.resetOf(3), H2.FLOW_CONTROL_ERROR);
  raw.send(begin(5), begin(5));
  t.equal(await raw.resetOf(5), H2.PROTOCOL_ERROR, "headers in the middle");
  raw.send(call(7), frame(FRAME.DATA, 0, 5, EMPTY));
  t.equal(status(await raw.until(isEndOf(7))), "0", "frames of a stream that was reset do not matter");
  raw.send(frame(FRAME.DATA, 0, 7, EMPTY));
  t.equal(await raw.goneWith(), H2.STREAM_CLOSED, "those of one that has ended must not come");
});

t.test("calls beyond the limit are refused, and those before go on", async (t) => {
  const { greeted } = await open(t, { maxStreamsPerConnection: 2 });
  const raw = await greeted();
  const waiting = (stream: number): Buffer => frame(FRAME.HEADERS, FLAG.END_HEADERS, stream, headers("ServerLive"));
  raw.send(waiting(1), waiting(3), waiting(5));
  t.equal(await raw.resetOf(5), H2.REFUSED_STREAM);
  raw.send(frame(FRAME.DATA, FLAG.END_STREAM, 1, EMPTY));
  t.equal(status(await raw.until(isEndOf(1))), "0");
  raw.send(call(7));
  t.equal(status(await raw.until(isEndOf(7))), "0");
});

const POST: [string, string][] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/"],
];

t.test("calls that are none", async (t) => {
  const { greeted } = await open(t);
  const raw = await greeted();
  const send = (stream: number, block: Buffer): RawConnection =>
    raw.send(frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, stream, block));
  const end = async (stream: number): Promise<Received | undefined> => raw.until(isEndOf(stream));
  send(
    1,
    encodeHeaders([
      [":method", "GET"],
      [":scheme", "http"],
      [":path", "/"],
    ]),
  );
  t.match((await end(1))?.payload.toString("latin1"), /405/);
  send(
    3,
    encodeHeaders([
      [":method", "POST"],
      [":scheme", "http"],
      [":path", "/"],
      ["content-type", "application/json"],
    ]),
  );
  t.match((await end(3))?.payload.toString("latin1"), /415/);
  const malformed: [string, string][][] = [
    [
      ["te", "trailers"],
      [":method", "POST"],
      [":scheme", "http"],
      [":path", "/"],
    ],
    [
      [":method", "POST"],
      [":path", "/"],
    ],
    [...POST, ["Upper", "case"]],
    [...POST, ["connection", "close"]],
    [...POST, ["te", "gzip"]],
    [...POST, ["x", "one\r\ntwo: 2"]],
    [...POST, ["x", "\0"]],
    [...POST, [":path", "/"]],
    [...POST, [":status", "200"]],
  ];
  for (const [index, block] of malformed.entries()) {
    const other = await greeted();
    other.send(frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, encodeHeaders(block)));
    t.equal(await other.resetOf(1), H2.PROTOCOL_ERROR, `headers ${index}`);
  }
  send(7, headers("Nothing"));
  t.equal(status(await end(7)), "12");
  send(9, headers("ServerLive"));
  t.equal(status(await end(9)), "3", "no message");
  send(11, headers("ServerLive", [["grpc-timeout", "soon"]]));
  t.equal(status(await end(11)), "3");
  send(13, headers("ServerLive", [["grpc-encoding", "br"]]));
  t.equal(status(await end(13)), "12");
  send(15, headers("ServerLive", [["x", "y".repeat(20_000)]]).subarray(0, 16_384));
  t.equal(await raw.goneWith(), H2.COMPRESSION_ERROR, "a block that is cut off");
  const other = await greeted();
  const long = headers("ServerLive", [
    ["x", "y".repeat(16_150)],
    ["z", "1"],
  ]);
  other.send(frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, long));
  t.equal(status(await other.until(isEndOf(1))), "8", "more headers than are taken");
  other.send(
    frame(FRAME.HEADERS, FLAG.END_HEADERS, 3, headers("ModelInfer")),
    frame(FRAME.DATA, 1, 3, Buffer.from([0, 0, 0, 0, 9, 1])),
  );
  t.equal(status(await other.until(isEndOf(3))), "3", "a message that ends in the middle");
  other.send(
    frame(FRAME.HEADERS, FLAG.END_HEADERS, 5, headers("ModelInfer")),
    frame(FRAME.DATA, 1, 5, Buffer.from([7, 0, 0, 0, 0])),
  );
  t.equal(status(await other.until(isEndOf(5))), "3", "a message neither packed nor plain");
  other.send(
    frame(FRAME.HEADERS, FLAG.END_HEADERS, 7, headers("ModelInfer")),
    frame(FRAME.DATA, 1, 7, Buffer.from([1, 0, 0, 0, 0])),
  );
  t.equal(status(await other.until(isEndOf(7))), "3", "packed, but not said how");
});

t.test("an answer waits for windows of any size", async (t) => {
  const { greeted, connection } = await open(t);
  await greeted();
  const raw = (await connection()).send(PREFACE, frame(FRAME.SETTINGS, 0, 0, setting(SETTING.INITIAL_WINDOW_SIZE, 3)));
  raw.send(call(1, "ServerMetadata"));
  const first = await raw.until(({ type }) => type === FRAME.DATA);
  t.equal(first?.payload.length, 3);
  raw.send(frame(FRAME.WINDOW_UPDATE, 0, 1, uint32(2)));
  await raw.until(({ type, payload }) => type === FRAME.DATA && payload.length === 2);
  raw.send(frame(FRAME.SETTINGS, 0, 0, setting(SETTING.INITIAL_WINDOW_SIZE, 100_000)));
  t.equal(status(await raw.until(isEndOf(1))), "0");
  const bytes = Buffer.concat(raw.frames.filter(({ type }) => type === FRAME.DATA).map(({ payload }) => payload));
  t.equal(bytes.readUInt32BE(1), bytes.length - 5, "all of the message");
});

for (const maxBackpressureBytes of [1, 20_000, 1 << 20]) {
  t.test(
    `answers that outgrow a limit of ${maxBackpressureBytes} go on where the system takes all of them`,
    async (t) => {
      const { connection } = await open(t, { maxBackpressureBytes });
      const raw = await connection();
      // Nothing of the client's makes the server look again.
      raw.send(PREFACE, frame(FRAME.SETTINGS, 0, 0, setting(SETTING.INITIAL_WINDOW_SIZE, 2 ** 31 - 1)));
      raw.send(frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(2 ** 30)));
      const calls = 500;
      const question = prefixed("grpc.reflection.v1.ServerReflectionRequest", {
        file_by_filename: "model_config.proto",
      });
      const path: [string, string] = [":path", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"];
      const block = encodeHeaders([...POST.slice(0, 2), path, ["content-type", "application/grpc"]]);
      for (let index = 0; index < calls; index++) {
        const stream = 2 * index + 1;
        raw.send(frame(FRAME.HEADERS, FLAG.END_HEADERS, stream, block), frame(FRAME.DATA, 1, stream, question));
      }
      for (let index = 0; index < calls; index++) {
        const end = await raw.until(isEndOf(2 * index + 1));
        if (status(end) !== "0") t.fail(`call ${index} has not ended well`);
      }
      t.ok(raw.frames.reduce((sum, { payload }) => sum + payload.length, 0) > 1 << 20);
    },
  );
}

t.test("a connection beyond the limit is closed, and those before go on", async (t) => {
  const { connection, greeted } = await open(t, { maxConnections: 1 });
  const first = await greeted();
  first.send(call(1));
  t.equal(status(await first.until(isEndOf(1))), "0");
  const second = await connection();
  t.equal(await second.until(() => false), undefined);
  t.ok(second.isClosed);
  first.send(call(3));
  t.equal(status(await first.until(isEndOf(3))), "0");
});

t.test("a client of HTTP/1.1 is told in words", async (t) => {
  const { port } = await open(t);
  const answer = await fetch(`http://127.0.0.1:${port}/`);
  t.equal(answer.status, 505);
  t.match(await answer.text(), /speaks gRPC/);
});

t.test("a client that never closes its side loses its socket all the same", async (t) => {
  const { port } = await open(t);
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const connection = new RawConnection(t, socket);
  // What is written to a socket that is gone tells of it.
  const writing = setInterval(() => connection.send(Buffer.alloc(1)), 50);
  t.teardown(() => clearInterval(writing));
  connection.send(PREFACE, frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
  const goAway = await connection.until(({ type }) => type === FRAME.GOAWAY);
  t.equal(goAway?.payload.readUInt32BE(4), H2.PROTOCOL_ERROR);
  await connection.until(() => false);
  t.ok(connection.isClosed);
});

t.test("a stream that ends in the middle of a message gives up what it had begun", async (t) => {
  const held = new Gate();
  const { port, driver } = await serveGrpc(t, held.pipeline() as never);
  const raw = new RawConnection(t, connect(port, "127.0.0.1")).send(PREFACE, frame(FRAME.SETTINGS, 0, 0));
  raw.send(frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, headers("ModelStreamInfer")), frame(FRAME.DATA, 0, 1, GATED));
  await held.arrived(1);
  raw.send(frame(FRAME.DATA, FLAG.END_STREAM, 1, Buffer.alloc(2)));
  t.equal(status(await raw.until(isEndOf(1))), "3");
  const metrics = await driver.metrics();
  t.equal(metrics.find(({ name }) => name === "grpc_requests_in_flight")?.value, 0);
});
