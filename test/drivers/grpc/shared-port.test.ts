/** Several inference processes behind one port of gRPC. */
import { connect } from "node:net";
import t from "tap";
import { FLAG, FRAME, PREFACE } from "../../../src/drivers/grpc/http2/frames.js";
import { GrpcDriver } from "../../../src/drivers/grpc/index.js";
import type { Pipeline } from "../../../src/pipeline/index.js";
import { Inference, init } from "../../../src/runtime/index.js";
import { myPipeline } from "../../support/cells.js";
import { Gate } from "../../support/gate.js";
import { GrpcTestClient, gruRequest, V2 } from "../../support/grpc.js";
import { EMPTY, frame, headers, isEndOf, RawConnection, status } from "../../support/http2.js";
import { gruPipeline } from "../../support/serve.js";

t.test("those who come while the last one leaves find the port open, all of them", async (t) => {
  const runtime = await init();
  t.teardown(() => runtime.stop({ timeoutMs: 1 }));
  const serving = (pipeline: Pipeline) => runtime.startInference(new Inference({ pipeline }));
  const last = await serving(new Gate().pipeline() as never);
  const leaving = await last.addDriver("grpc", GrpcDriver, { port: 0 });
  const { port } = leaving.getService("grpc").taggedAddresses.lan;
  // A call that is open keeps it from being gone at once.
  const raw = new RawConnection(t, connect(port, "127.0.0.1")).send(PREFACE, frame(FRAME.SETTINGS, 0, 0));
  raw.send(frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, headers("ServerLive")), frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
  await raw.until(({ type }) => type === FRAME.PING);
  const left = leaving.stop();
  await raw.until(({ type }) => type === FRAME.GOAWAY);
  const two = [await serving(await gruPipeline()), await serving(myPipeline() as never)];
  await Promise.all(two.map((process) => process.addDriver("grpc", GrpcDriver, { port })));
  raw.send(frame(FRAME.DATA, FLAG.END_STREAM, 1, EMPTY));
  t.equal(status(await raw.until(isEndOf(1))), "0");
  await left;
  const client = new GrpcTestClient(t, port, V2);
  t.equal((await client.call("ModelInfer", gruRequest(0))).error, undefined);
});

t.test("a limit that others raise may be said again as it was said first", async (t) => {
  const runtime = await init();
  t.teardown(() => runtime.stop({ timeoutMs: 1 }));
  const limits = { maxMessageBytes: 128 << 20, maxIncomingBytes: 1 << 20 };
  const first = await runtime.startInference(new Inference({ pipeline: await gruPipeline() }));
  const driver = await first.addDriver("grpc", GrpcDriver, { port: 0, ...limits });
  const { port } = driver.getService("grpc").taggedAddresses.lan;
  const second = await runtime.startInference(new Inference({ pipeline: myPipeline() }));
  const { maxIncomingBytes } = limits;
  const other = await second.addDriver("grpc", GrpcDriver, { port, maxIncomingBytes });
  t.match(other.getParameters(), limits);
  const tellers = [driver, other].map(async (one) =>
    (await one.metrics()).filter(({ name }) => name === "grpc_connections"),
  );
  t.equal((await Promise.all(tellers)).flat().length, 1, "the port is told of once");
});
