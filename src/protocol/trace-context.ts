/**
 * W3C Trace Context: which trace a request belongs to, as `traceparent` and `tracestate` say it, in headers of HTTP, metadata
 * of gRPC or parameters of a message. What does not follow the grammar counts as absent, as the specification wants it: a
 * trace that cannot be read must not cost anybody a prediction.
 */

/** A trace context whose form is right. */
export interface TraceContext {
  /** As it came. */
  readonly traceparent: string;
  /** As it came; undefined where there was none, or none that could be read. */
  readonly tracestate: string | undefined;
  /** 32 lower-case hexadecimal digits. */
  readonly traceId: string;
  /** The span that the request was made in: 16 lower-case hexadecimal digits. */
  readonly parentId: string;
  /** Whether the caller records this trace. */
  readonly isSampled: boolean;
}

/** version - trace id - parent id - flags; a later version may have more behind it. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x20-\x7e]*)?$/;
const MAX_TRACEPARENT = 512;
const ALL_ZEROS = /^0+$/;
const SAMPLED = 1;

/** Both levels of the specification: a key of one vendor, or of a tenant at a vendor. */
const MEMBER = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const MAX_MEMBERS = 32;
const MAX_TRACESTATE = MAX_MEMBERS * 513;

/** The context that two values name; undefined where the first is absent or not of its grammar. */
export function parseTraceContext(traceparent: unknown, tracestate?: unknown): TraceContext | undefined {
  if (typeof traceparent !== "string" || traceparent.length > MAX_TRACEPARENT) return undefined;
  const [, version, traceId = "", parentId = "", flags = "", more] = TRACEPARENT.exec(traceparent) ?? [];
  if (version === undefined || version === "ff") return undefined;
  if (version === "00" && more !== undefined) return undefined;
  if (ALL_ZEROS.test(traceId) || ALL_ZEROS.test(parentId)) return undefined;
  const isSampled = (Number.parseInt(flags, 16) & SAMPLED) !== 0;
  return { traceparent, tracestate: validTracestate(tracestate), traceId, parentId, isSampled };
}

/** The `traceparent` of version 00 for a span in a trace. */
export function formatTraceparent(traceId: string, spanId: string, isSampled: boolean): string {
  return `00-${traceId}-${spanId}-0${isSampled ? SAMPLED : 0}`;
}

/** The two values as parameters of a message; nothing where there is no context. */
export function traceParameters(trace: Pick<TraceContext, "traceparent" | "tracestate"> | undefined): TraceParameters {
  if (trace === undefined) return {};
  const { traceparent, tracestate } = trace;
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate };
}

/** `traceparent` and `tracestate` as they stand among the parameters of a message. */
export type TraceParameters =
  | { readonly traceparent: string; readonly tracestate?: string }
  | { readonly traceparent?: never; readonly tracestate?: never };

function validTracestate(value: unknown): string | undefined {
  if (typeof value !== "string" || value === "" || value.length > MAX_TRACESTATE) return undefined;
  // Members may be empty, and have spaces and tabs around them.
  const members = value.split(",").flatMap((text) => text.replace(/^[ \t]+|[ \t]+$/g, "") || []);
  if (members.length === 0 || members.length > MAX_MEMBERS) return undefined;
  const keys = new Set(members.map((member) => member.slice(0, member.indexOf("="))));
  return members.every((member) => MEMBER.test(member)) && keys.size === members.length ? value : undefined;
}
