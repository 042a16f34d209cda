/** What becomes of connections and calls where the server stops. */
import { connect } from "node:net";
import t from "tap";
import { FLAG, FRAME, H2, PREFACE } from "../../../src/drivers/grpc/http2/frames.js";
import {
  call,
  EMPTY,
  frame,
  headers,
  headersTo,
  isEndOf,
  listening,
  open,
  RawConnection,
  status,
  taken,
} from "../../support/http2.js";

t.test("a stopping server says which calls it has not looked at", async (t) => {
  const { greeted, driver } = await open(t);
  const raw = await greeted();
  raw.send(call(1));
  await raw.until(isEndOf(1));
  raw.send(frame(FRAME.HEADERS, FLAG.END_HEADERS, 3, headers("ServerLive")), frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
  await raw.until(({ type }) => type === FRAME.PING);
  const stopped = driver.stop();
  const goAway = await raw.until(({ type }) => type === FRAME.GOAWAY);
  t.equal(goAway?.payload.readUInt32BE(0), 3);
  raw.send(frame(FRAME.HEADERS, FLAG.END_HEADERS, 5, headers("ServerLive")));
  t.equal(await raw.resetOf(5), H2.REFUSED_STREAM);
  raw.send(frame(FRAME.DATA, FLAG.END_STREAM, 3, EMPTY));
  t.equal(status(await raw.until(isEndOf(3))), "0", "the call that was open is answered");
  await stopped;
});

t.test("a stopping server tells a client that has not begun after its settings, which are first", async (t) => {
  const { greeted, connection, driver } = await open(t);
  // A call that is open keeps the server from being gone at once.
  const busy = await greeted();
  busy.send(frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, headers("ServerLive")), frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
  const late = await connection();
  await busy.until(({ type }) => type === FRAME.PING);
  const stopped = driver.stop();
  await busy.until(({ type }) => type === FRAME.GOAWAY);
  late.send(PREFACE, frame(FRAME.SETTINGS, 0, 0));
  await late.until(({ type }) => type === FRAME.GOAWAY);
  t.equal(late.frames[0]?.type, FRAME.SETTINGS);
  busy.send(frame(FRAME.DATA, FLAG.END_STREAM, 1, EMPTY));
  await stopped;
});

t.test("calls that would go on end where the server stops, also those that have asked nothing yet", async (t) => {
  const { greeted, driver } = await open(t);
  const raw = await greeted();
  const paths = ["grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "grpc.health.v1.Health/Watch"];
  for (const [index, path] of paths.entries()) {
    raw.send(frame(FRAME.HEADERS, FLAG.END_HEADERS, 2 * index + 1, headersTo(path)));
  }
  raw.send(frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
  await raw.until(({ type }) => type === FRAME.PING);
  const stopped = driver.stop();
  t.equal(status(await raw.until(isEndOf(1))), "14");
  t.equal(status(await raw.until(isEndOf(3))), "14");
  await stopped;
});

t.test("who stops waits for messages that have begun, and a second for those that have not", async (t) => {
  const listener = await listening(t);
  const driver = {};
  await listener.join(driver, {});
  const raw = new RawConnection(t, connect(listener.port, "127.0.0.1")).send(PREFACE, frame(FRAME.SETTINGS, 0, 0));
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
