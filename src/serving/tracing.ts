/**
 * OpenTelemetry spans of requests, where the program has registered an SDK: docs/observability.md. Headrace depends on the API
 * only; without an SDK a server looks at one boolean for each request.
 */
import {
  type Attributes,
  type AttributeValue,
  type Context,
  context,
  ProxyTracerProvider,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { StepTimes } from "../engine/engine.js";
import { VERSION } from "../version.js";

/** Where the trace context of a request is: the headers of HTTP, the parameters of a message. "" where there is no such field. */
export type TraceFields = (name: string) => string;

/** What a request is, in words of few values: `POST /v2/models/:model/infer`. */
export interface TracedRequest {
  readonly name: string;
  readonly attributes: Attributes;
  readonly fields: TraceFields;
}

const FIELDS: TextMapGetter<TraceFields> = {
  get: (fields, name) => fields(name) || undefined,
  keys: () => [],
};

const NANOS_PER_MILLI = 1e6;

/**
 * Whether an SDK has been registered. To be asked when a server starts and not for each request: an SDK has to be registered
 * before anything that it traces.
 */
export function isTracing(): boolean {
  const provider = trace.getTracerProvider();
  if (!(provider instanceof ProxyTracerProvider)) return true;
  return provider.getDelegate() !== new ProxyTracerProvider().getDelegate();
}

/** The span of one request on a server, from its arrival to its answer. */
export class RequestSpan {
  private readonly tracer: Tracer;
  private readonly span: Span;
  private readonly inner: Context;

  /** Begins it, below the span that the client named in `traceparent`. */
  constructor({ name, attributes, fields }: TracedRequest) {
    this.tracer = trace.getTracer("headrace", VERSION);
    const outer = propagation.extract(ROOT_CONTEXT, fields, FIELDS);
    this.span = this.tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, outer);
    this.inner = trace.setSpan(outer, this.span);
  }

  /** What the answer says of it, in the form of W3C's `traceresponse`. */
  get traceResponse(): string {
    const { traceId, spanId, traceFlags } = this.span.spanContext();
    return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
  }

  /** Does work as part of the request: spans that begin in it, such as those of a cell's own calls, are below this one. */
  run<T>(work: () => T): T {
    return context.with(this.inner, work);
  }

  set(name: string, value: AttributeValue): void {
    this.span.setAttribute(name, value);
  }

  /** The phases of a step that has just ended, as spans below this one. Their lengths are exact, their places as of now. */
  phases({ queue, gather, run, scatter, rows }: StepTimes): void {
    if (!this.span.isRecording()) return;
    const end = performance.timeOrigin + performance.now();
    const ran = end - (gather + run + scatter) / NANOS_PER_MILLI;
    this.child("headrace.queue", ran - queue / NANOS_PER_MILLI, ran, {});
    this.child("headrace.compute", ran, end, {
      "headrace.batch.rows": rows,
      "headrace.compute.input_ns": gather,
      "headrace.compute.infer_ns": run,
      "headrace.compute.output_ns": scatter,
    });
  }

  /** The request failed. Servers call it an error only where it was theirs. */
  failed(code: string, message: string, isServers: boolean): void {
    this.span.setAttribute("error.type", code);
    if (isServers) this.span.setStatus({ code: SpanStatusCode.ERROR, message });
  }

  end(): void {
    this.span.end();
  }

  private child(name: string, startTime: number, endTime: number, attributes: Attributes): void {
    this.tracer.startSpan(name, { startTime, attributes }, this.inner).end(endTime);
  }
}
