/** What operators see and do over gRPC: the model directory, statistics, metrics, spans, and the command line. */
import { join } from "node:path";
import { Metadata, status } from "@grpc/grpc-js";
import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import t from "tap";
import { Command } from "../../support/cli.js";
import { floats, GrpcTestClient, gruRequest, type Message, serveGrpc, V2 } from "../../support/grpc.js";
import { modelDirectory, touch } from "../../support/models.js";
import { fixture, GRU } from "../../support/paths.js";
import { gruPipeline } from "../../support/serve.js";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

/** The command with gRPC on a free port. */
async function served(t: Parameters<typeof serveGrpc>[0], ...args: string[]) {
  const command = new Command(t, ["serve", ...args, "--port", "0", "--grpc-port", "0"]);
  const [, port] = await command.saw(/gRPC is listening on 127\.0\.0\.1:(\d+)/);
  return { command, client: new GrpcTestClient(t, Number(port), V2), port: Number(port) };
}

const accumulate = (model: string): Message => ({
  model_name: model,
  inputs: [{ name: "x", datatype: "FP32", shape: [1, 4], contents: { fp32_contents: [1, 2, 3, 4] } }],
});

t.test("a model directory: index, load, unload, and a reload that no client notices", async (t) => {
  const directory = await modelDirectory(t, {
    acc: { versions: { 1: fixture("accumulator") } },
    gru: { versions: { 7: GRU } },
  });
  const { client, command, port } = await served(
    t,
    "--models",
    directory,
    "--model-control",
    "explicit",
    "--load-model",
    "gru",
  );
  const index = async (ready: boolean): Promise<unknown> =>
    (await client.call("RepositoryIndex", { ready })).answer.models.map(({ name, state }: Message) => [name, state]);
  t.same(await index(false), [
    ["acc", "UNAVAILABLE"],
    ["gru", "READY"],
  ]);
  t.same(await index(true), [["gru", "READY"]]);
  t.equal((await client.call("ModelInfer", accumulate("acc"))).error?.code, status.NOT_FOUND);
  t.equal((await client.call("RepositoryModelLoad", { model_name: "acc" })).error, undefined);
  t.same(floats((await client.call("ModelInfer", accumulate("acc"))).answer), [1, 2, 3, 4]);
  const config = { config: { string_param: '{"max_batch_size": 2}' } };
  t.equal((await client.call("RepositoryModelLoad", { model_name: "acc", parameters: config })).error, undefined);
  t.equal(
    (await client.call("ModelConfig", { name: "acc" })).answer.config.max_batch_size,
    2,
    "the parameter came through",
  );
  t.match((await client.call("RepositoryModelLoad", { model_name: "none" })).error?.details, /failed to load 'none'/);

  let isOver = false;
  let answered = 0;
  const worker = async (): Promise<number> => {
    const own = new GrpcTestClient(t, port, V2);
    while (!isOver) {
      const { error } = await own.call("ModelInfer", gruRequest(0.5));
      if (error !== undefined) return error.code;
      answered += 1;
    }
    return status.OK;
  };
  const workers = Array.from({ length: 4 }, worker);
  const stream = client.stream("ModelStreamInfer");
  for (let round = 0; round < 3; round++) {
    stream.send(gruRequest(0.5));
    const before = answered;
    await touch(join(directory, "gru", "7", "model.onnx"));
    t.equal((await client.call("RepositoryModelLoad", { model_name: "gru" })).error, undefined);
    while (answered < before + 20) await client.call("ServerLive");
  }
  isOver = true;
  t.same(await Promise.all(workers), Array(4).fill(status.OK), "no request failed");
  await stream.until(3);
  t.same(
    stream.answers.map(({ error_message }) => error_message),
    ["", "", ""],
    "nor did one in a stream that was open",
  );
  stream.call.end();
  await stream.ended();

  const unload = { model_name: "acc", parameters: { unload_dependents: { bool_param: true } } };
  t.equal((await client.call("RepositoryModelUnload", unload)).error, undefined);
  t.same((await client.call("ModelReady", { name: "acc" })).answer, { ready: false });
  t.equal((await command.stop()).code, 0);
});

t.test("one model from the command line, and ports that are none", async (t) => {
  const { client, command } = await served(t, fixture("accumulator"));
  t.same(floats((await client.call("ModelInfer", accumulate("accumulator"))).answer), [1, 2, 3, 4]);
  t.equal((await command.stop()).code, 0);
  const wrong = await new Command(t, ["serve", GRU, "--grpc-port", "many"]).exited;
  t.match(wrong.stderr, /--grpc-port: expected an integer from 0 to 65535, got 'many'/);
});

t.test("statistics and metrics count each request once", async (t) => {
  const { client, process, driver } = await serveGrpc(t, await gruPipeline());
  const sequence = { sequence_id: { string_param: "s" } };
  for (let step = 0; step < 5; step++) await client.call("ModelInfer", gruRequest(0.1, sequence));
  await client.call("ModelInfer", { ...gruRequest(0), outputs: [{ name: "nothing" }] });
  const [stats] = (await client.call("ModelStatistics", { name: "gru" })).answer.model_stats;
  t.match(stats, {
    name: "gru",
    version: "1",
    inference_count: "5",
    inference_stats: { success: { count: "5" }, fail: { count: "1" } },
  });
  t.same((await client.call("ModelStatistics")).answer.model_stats.length, 1, "without a name: all models");
  t.equal((await client.call("ModelStatistics", { name: "none" })).error?.code, status.NOT_FOUND);
  t.match(driver.statistics(), { requests: 6, failed: 1 });
  t.ok(process.getDriver("grpc"));
});

t.test("spans: a call is the child of its client's, its phases are its own", async (t) => {
  const exporter = new InMemorySpanExporter();
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  t.teardown(() => {
    trace.disable();
    propagation.disable();
    context.disable();
  });
  const { client } = await serveGrpc(t, await gruPipeline());
  const metadata = new Metadata();
  metadata.set("traceparent", `00-${TRACE}-${PARENT}-01`);
  // The third goes the short way.
  for (const way of ["first", "second", "known"]) {
    t.equal((await client.call("ModelInfer", gruRequest(0.5), {}, metadata)).error, undefined);
    const spans = exporter.getFinishedSpans();
    t.same(
      spans.map(({ name }) => name).sort(),
      ["headrace.compute", "headrace.queue", `${V2}/ModelInfer`].sort(),
      way,
    );
    const server = spans.find(({ name }) => name === `${V2}/ModelInfer`);
    t.equal(server?.kind, SpanKind.SERVER);
    t.match(server?.spanContext(), { traceId: TRACE });
    t.match(server?.attributes, { "rpc.system": "grpc", "rpc.grpc.status_code": 0, "headrace.model.name": "gru" });
    exporter.reset();
  }
  await client.call("ModelInfer", { model_name: "none" }, {}, metadata);
  const [failed] = exporter.getFinishedSpans();
  t.match(failed?.attributes, { "rpc.grpc.status_code": status.NOT_FOUND, "error.type": "MODEL_NOT_FOUND" });
});
