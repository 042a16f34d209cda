/** ModelStreamInfer: order, errors in their turn, flow control, and how streams and calls end. */
import { status } from "@grpc/grpc-js";
import t from "tap";
import { GrpcDriver } from "../../../src/drivers/grpc/index.js";
import { onnxCell } from "../../../src/pipeline/index.js";
import { Gate } from "../../support/gate.js";
import { floats, GrpcTestClient, gruRequest, type Message, serveGrpc, V2 } from "../../support/grpc.js";
import { fixture } from "../../support/paths.js";
import { gruPipeline, modelPipeline } from "../../support/serve.js";

const gate = (x: number, id: string): Message => ({
  model_name: "gate",
  id,
  inputs: [{ name: "x", datatype: "INT64", shape: [1], contents: { int64_contents: [x] } }],
});

t.test("16 interleaved streams are answered in order, each with its own state", async (t) => {
  const { process, port } = await serveGrpc(t, await gruPipeline());
  const STREAMS = 16;
  const STEPS = 40;
  const input = (stream: number, step: number): number => ((stream * 7 + step * 3) % 11) / 11;
  const clients = Array.from({ length: 4 }, () => new GrpcTestClient(t, port, V2));
  const streams = Array.from({ length: STREAMS }, (_, index) => clients[index % 4]?.stream("ModelStreamInfer"));
  for (let step = 0; step < STEPS; step++) {
    for (const [index, stream] of streams.entries()) {
      const id = index % 2 === 0 ? { int64_param: index + 1 } : { string_param: `stream-${index}` };
      stream?.send(gruRequest(input(index, step), { sequence_id: id }, { id: String(step) }));
    }
  }
  for (const [index, stream] of streams.entries()) {
    stream?.call.end();
    await stream?.ended();
    t.equal(stream?.error, undefined);
    const ids = stream?.answers.map((answer) => answer.infer_response.id);
    t.same(
      ids,
      Array.from({ length: STEPS }, (_, step) => String(step)),
      `stream ${index} in order`,
    );
    let last: unknown;
    for (let step = 0; step < STEPS; step++) {
      ({ output: last } = await process.predict(
        { input: new Float32Array(512).fill(input(index, step)) },
        { stateId: `r${index}` },
      ));
    }
    t.same(floats(stream?.answers.at(-1).infer_response), [...(last as Float32Array)], `stream ${index} has its state`);
  }
});

t.test("answers wait for their turn, errors have theirs, and the stream goes on", async (t) => {
  const held = new Gate();
  const { client } = await serveGrpc(t, held.pipeline() as never);
  const stream = client.stream("ModelStreamInfer");
  stream.send(gate(1, "slow"));
  await held.arrived(1);
  stream.send({ model_name: "nothing", id: "bad" });
  stream.send(gate(2, "last"));
  await held.arrived(2);
  t.same(stream.answers, [], "the second is done, but it is not its turn");
  held.release();
  await stream.until(2);
  t.equal(stream.answers[0].infer_response.id, "slow");
  t.same(stream.answers[0].infer_response.parameters.triton_final_response.bool_param, true);
  t.match(stream.answers[1].error_message, /there is no model 'nothing'/);
  t.equal(stream.answers[1].infer_response.id, "bad", "which request failed");
  held.release();
  await stream.until(3);
  t.equal(stream.answers[2].infer_response.id, "last");
  stream.call.end();
  await stream.ended();
  t.equal(stream.error, undefined, "an error in the stream is not the stream's");
});

t.test("a client that ends its stream early still has the answers", async (t) => {
  const held = new Gate();
  const { client } = await serveGrpc(t, held.pipeline() as never);
  const stream = client.stream("ModelStreamInfer");
  stream.send(gate(1, "a"));
  stream.send(gate(2, "b"));
  stream.call.end();
  await held.arrived(2);
  held.release();
  held.release();
  await stream.ended();
  t.same(
    stream.answers.map((answer) => answer.infer_response.id),
    ["a", "b"],
  );
});

t.test("no more requests are read than may wait for their answers", async (t) => {
  const held = new Gate();
  const { client, driver } = await serveGrpc(t, held.pipeline() as never, { maxInFlightPerStream: 2 });
  const stream = client.stream("ModelStreamInfer");
  for (let index = 0; index < 5; index++) stream.send(gate(index, String(index)));
  await held.arrived(2);
  // Another call on the same connection comes behind all five.
  t.ok((await client.call("ServerLive")).answer.live);
  t.equal(driver.statistics().requests, 2);
  for (let seen = 3; seen <= 5; seen++) {
    held.release();
    await held.arrived(seen);
  }
  held.release();
  held.release();
  await stream.until(5);
  t.same(
    stream.answers.map((answer) => answer.infer_response.id),
    ["0", "1", "2", "3", "4"],
  );
  stream.call.end();
  await stream.ended();
});

/** A model that gives its input back, whatever its length. */
const echoModel = () => modelPipeline(onnxCell({ name: "echo", model: fixture("dynamic_length") }));

function echo(floats: number, id: string): Message {
  const tensor = Buffer.from(new Float32Array(floats).fill(0.5).buffer);
  const inputs = [{ name: "x", datatype: "FP32", shape: [1, floats] }];
  return { model_name: "echo", id, inputs, outputs: [{ name: "echo" }], raw_input_contents: [tensor] };
}

t.test("a client that does not read is not read either, and its answers are not piled up", async (t) => {
  const { driver, port, client } = await serveGrpc(t, await echoModel(), { maxBackpressureBytes: 64 << 10 });
  const stream = new GrpcTestClient(t, port, V2).stream("ModelStreamInfer");
  stream.call.pause();
  const COUNT = 3000;
  const request = echo(2000, "");
  for (let index = 0; index < COUNT; index++) stream.send(request);
  // As long as it makes progress, other clients are answered in between.
  let before = -1;
  for (let now = 0; now !== before; now = Number(driver.statistics().requests)) {
    before = now;
    for (let turn = 0; turn < 50; turn++) await client.call("ServerLive");
  }
  t.ok(before > 0 && before < COUNT, `${before} of ${COUNT} requests were read`);
  stream.call.resume();
  stream.call.end();
  await stream.ended();
  t.equal(stream.answers.length, COUNT);
  t.equal(stream.answers.at(-1).infer_response.raw_output_contents[0].length, 8000);
});

t.test("an answer larger than every window", async (t) => {
  const { client } = await serveGrpc(t, await echoModel());
  const request = echo(1_000_003, "large");
  const { answer, error } = await client.call("ModelInfer", request);
  t.equal(error?.details, undefined);
  t.ok((request.raw_input_contents as Buffer[])[0]?.equals(answer.raw_output_contents[0]));
});

t.test("a stream that is cancelled gives its steps up", async (t) => {
  const held = new Gate();
  const { client, driver } = await serveGrpc(t, held.pipeline() as never);
  const stream = client.stream("ModelStreamInfer");
  stream.send(gate(1, "a"));
  await held.arrived(1);
  stream.call.cancel();
  await stream.ended();
  t.equal(stream.error?.code, status.CANCELLED);
  await driver.stop();
  t.equal(driver.status, "stopped", "nothing is waited for");
});

t.test("health: what is served, and watched while it changes", async (t) => {
  const { process, driver, port, client } = await serveGrpc(t, await gruPipeline());
  const health = new GrpcTestClient(t, port, "grpc.health.v1.Health");
  for (const service of ["", V2, "gru"])
    t.same((await health.call("Check", { service })).answer, { status: "SERVING" });
  t.equal((await health.call("Check", { service: "none" })).error?.code, status.NOT_FOUND);
  const server = health.watch("Watch", { service: "" });
  const other = health.watch("Watch", { service: "gru" });
  const none = health.watch("Watch", { service: "none" });
  await Promise.all([server, other, none].map((watch) => watch.until(1)));
  t.same(
    [server, other, none].map(({ answers }) => answers[0].status),
    ["SERVING", "SERVING", "SERVICE_UNKNOWN"],
  );
  const second = await process.addDriver("other", GrpcDriver, { port, replace: true });
  await driver.stop();
  t.ok((await client.call("ServerReady")).answer.ready, "another driver is still there");
  t.equal(server.answers.length, 1, "nothing has changed");
  await second.stop();
  await Promise.all([server.ended(), other.ended()]);
  t.same(
    server.answers.map((answer) => answer.status),
    ["SERVING", "NOT_SERVING"],
  );
  t.equal(server.error?.code, status.UNAVAILABLE);
});

t.test("reflection, in both versions", async (t) => {
  const { port } = await serveGrpc(t, await gruPipeline());
  for (const version of ["v1", "v1alpha"]) {
    const client = new GrpcTestClient(t, port, `grpc.reflection.${version}.ServerReflection`);
    const stream = client.stream("ServerReflectionInfo");
    stream.send({ list_services: "" });
    stream.send({ file_containing_symbol: `${V2}.ModelInfer` });
    stream.send({ file_by_filename: "model_config.proto" });
    stream.send({ file_containing_symbol: "no.such.Thing" });
    stream.send({ all_extension_numbers_of_type: "inference.ModelConfig" });
    stream.send({ file_containing_extension: { containing_type: "inference.ModelConfig", extension_number: 1 } });
    stream.send({});
    stream.call.end();
    await stream.ended();
    const [services, symbol, file, nothing, numbers, extension, empty] = stream.answers;
    t.ok(services.list_services_response.service.some(({ name }: Message) => name === V2));
    t.equal(symbol.file_descriptor_response.file_descriptor_proto.length, 2, "with the file that it imports");
    t.equal(file.file_descriptor_response.file_descriptor_proto.length, 1);
    t.equal(nothing.error_response.error_code, status.NOT_FOUND);
    t.same(numbers.all_extension_numbers_response.extension_number, []);
    t.equal(extension.error_response.error_code, status.NOT_FOUND);
    t.equal(empty.error_response.error_code, status.INVALID_ARGUMENT);
  }
});

t.test("stop under load: what was accepted is answered, what is new is refused", async (t) => {
  const { driver, port } = await serveGrpc(t, await gruPipeline());
  const clients = Array.from({ length: 4 }, () => new GrpcTestClient(t, port, V2));
  const codes = new Map<number, number>();
  let isOver = false;
  const worker = async (client: GrpcTestClient): Promise<void> => {
    while (!isOver) {
      const { error } = await client.call("ModelInfer", gruRequest(0.5));
      const code = error?.code ?? status.OK;
      codes.set(code, (codes.get(code) ?? 0) + 1);
      if (code !== status.OK) return;
    }
  };
  const streams = clients.map((client) => client.stream("ModelStreamInfer"));
  for (const stream of streams) stream.send(gruRequest(0.1));
  await Promise.all(streams.map((stream) => stream.until(1)));
  const workers = clients.flatMap((client) => Array.from({ length: 8 }, () => worker(client)));
  while ((codes.get(status.OK) ?? 0) < 200) await clients[0]?.call("ServerLive");
  await Promise.all([driver.stop(), driver.stop()]);
  isOver = true;
  await Promise.all(workers);
  t.same(
    [...codes.keys()].filter((code) => code !== status.OK && code !== status.UNAVAILABLE),
    [],
    "answered or refused",
  );
  for (const stream of streams) {
    await stream.ended();
    t.equal(stream.error?.code, status.UNAVAILABLE, "streams are told why they end");
  }
});

t.test("a stop whose time is over drops what is left", async (t) => {
  const held = new Gate();
  const { client, driver } = await serveGrpc(t, held.pipeline() as never);
  const call = client.call("ModelInfer", gate(1, "a"));
  await held.arrived(1);
  await driver.stop({ timeoutMs: 20 });
  t.equal((await call).error?.code, status.UNAVAILABLE);
});
