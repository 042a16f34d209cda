/** Spans of real requests, where an SDK has been registered, and none where not. */
import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import t from "tap";
import { defineCell, PipelineFactory } from "../../../src/pipeline/index.js";
import { Integer } from "../../../src/types/index.js";
import { gruPipeline, serve } from "../../support/serve.js";
import { binaryRequest, gruInput, jsonRequest } from "../../support/steps.js";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";
const SAMPLED = { traceparent: `00-${TRACE}-${PARENT}-01` };

/** Begins a span of its own, as an instrumented client would that the cell calls. */
const Caller = defineCell({
  name: "Caller",
  inputs: { x: Integer() },
  outputs: { y: Integer() },
  async call({ inputs }) {
    await new Promise((resolve) => setImmediate(resolve));
    trace.getTracer("test").startSpan("call").end();
    if (inputs.x === 13) throw new Error("unlucky");
    return { y: inputs.x };
  },
});

function callerPipeline() {
  const factory = new PipelineFactory({ name: "caller" });
  const cell = factory.addCell("caller", Caller);
  return factory.declareInput("x", cell.inputs.x).declareOutput("y", cell.outputs.y).build();
}

async function post(url: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  const response = await fetch(url, { method: "POST", body, headers });
  await response.arrayBuffer();
  return { status: response.status, traceResponse: response.headers.get("traceresponse") };
}

t.test("without an SDK there are no spans, and no header", async (t) => {
  const { url } = await serve(t, callerPipeline());
  const answer = await post(`${url}/predict`, JSON.stringify({ inputs: { x: 1 } }), SAMPLED);
  t.same(answer, { status: 200, traceResponse: null });
});

t.test("with one", async (t) => {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  t.teardown(() => {
    trace.disable();
    propagation.disable();
    context.disable();
  });
  /** The spans since the last call, by name. */
  const spans = (): Map<string, ReadableSpan> => {
    const found = new Map(exporter.getFinishedSpans().map((span) => [span.name, span]));
    exporter.reset();
    return found;
  };
  const nanos = ([seconds, rest]: readonly [number, number]): number => seconds * 1e9 + rest;

  await t.test("a model's request: its span is the client's child, its phases are its own", async (t) => {
    const { url } = await serve(t, await gruPipeline());
    const { header, tensor } = binaryRequest("input", [gruInput(1)]);
    const binary = new Uint8Array(Buffer.concat([header, tensor]));
    const ways: [string, string | Uint8Array<ArrayBuffer>, Record<string, string>][] = [
      ["JSON", jsonRequest("input", [gruInput(1)]), {}],
      ...["first", "second", "prepared"].map((name): [string, Uint8Array<ArrayBuffer>, Record<string, string>] => [
        name,
        binary,
        { "Inference-Header-Content-Length": String(header.byteLength) },
      ]),
    ];
    for (const [way, body, headers] of ways) {
      const answer = await post(`${url}/v2/models/gru/infer`, body, { ...SAMPLED, ...headers });
      const found = spans();
      t.same([...found.keys()].sort(), ["POST /v2/models/:model/infer", "headrace.compute", "headrace.queue"], way);
      const server = found.get("POST /v2/models/:model/infer");
      if (server === undefined) throw new Error("no span");
      t.equal(server.kind, SpanKind.SERVER);
      t.match(server.spanContext(), { traceId: TRACE });
      t.match(server.parentSpanContext, { traceId: TRACE, spanId: PARENT, isRemote: true });
      t.same(answer, { status: 200, traceResponse: `00-${TRACE}-${server.spanContext().spanId}-01` });
      t.same(server.attributes, {
        "http.request.method": "POST",
        "http.route": "/v2/models/:model/infer",
        "url.path": "/v2/models/gru/infer",
        "url.scheme": "http",
        "http.response.status_code": 200,
        "headrace.model.name": "gru",
        "headrace.model.version": "1",
      });
      t.equal(server.status.code, SpanStatusCode.UNSET);
      const [queue, compute] = [found.get("headrace.queue"), found.get("headrace.compute")];
      t.equal(queue?.parentSpanContext?.spanId, server.spanContext().spanId);
      t.equal(compute?.parentSpanContext?.spanId, server.spanContext().spanId);
      t.match(compute?.attributes, { "headrace.batch.rows": 1, "headrace.compute.infer_ns": Number });
      const [input, infer, output] = ["input", "infer", "output"].map((phase) =>
        Number(compute?.attributes[`headrace.compute.${phase}_ns`]),
      );
      t.ok(Math.abs(nanos(compute?.duration ?? [0, 0]) - ((input ?? 0) + (infer ?? 0) + (output ?? 0))) < 10_000);
    }
  });

  await t.test("a cell's own spans are below the request's", async (t) => {
    const { url } = await serve(t, callerPipeline());
    for (const [path, body] of [
      ["/predict", JSON.stringify({ inputs: { x: 1 } })],
      [
        "/v2/models/:model/infer",
        JSON.stringify({ inputs: [{ name: "x", datatype: "INT64", shape: [1], data: [1] }] }),
      ],
    ] as const) {
      await post(url + path.replace(":model", "caller"), body);
      const found = spans();
      const server = found.get(`POST ${path}`);
      t.ok(server, path);
      t.equal(server?.parentSpanContext, undefined, "nobody named a parent");
      t.equal(found.get("call")?.parentSpanContext?.spanId, server?.spanContext().spanId, path);
    }
  });

  await t.test("failures: the server's are errors, the client's are not", async (t) => {
    const { url } = await serve(t, callerPipeline());
    await post(`${url}/predict`, JSON.stringify({ inputs: { x: 13 } }));
    const server = spans().get("POST /predict");
    t.match(server?.status, { code: SpanStatusCode.ERROR, message: /unlucky/ });
    t.match(server?.attributes, { "error.type": "CELL_FAILED", "http.response.status_code": 500 });
    await post(`${url}/predict`, JSON.stringify({ inputs: { x: 1.5 } }));
    const client = spans().get("POST /predict");
    t.equal(client?.status.code, SpanStatusCode.UNSET);
    t.match(client?.attributes, { "error.type": "INVALID_ARGUMENT", "http.response.status_code": 400 });
    t.equal((await fetch(`${url}/health/ready`)).status, 200);
    t.same([...spans().keys()], [], "what is no prediction has none");
  });
});
