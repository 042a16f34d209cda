/** Text frames that say which state id a number stands for, on a connection with several raw streams. */
import { InvalidArgumentError } from "../../errors.js";
import { canonicalSequenceId, parseJson, parseTraceContext, type TraceContext } from "../../protocol/index.js";

/** A stream begins: raw frames of this number step this state id. */
export interface OpenStream {
  readonly open: number;
  /** Undefined: a state of its own, or the one that the connection's sequence id gives it. */
  readonly sequenceId: string | undefined;
  /** Whether its state is freed first. */
  readonly start: boolean;
  readonly trace: TraceContext | undefined;
}

/** A stream ends, and its number may be used again. */
export interface CloseStream {
  readonly close: number;
  /** Whether its state is freed, also where it has a name. */
  readonly end: boolean;
}

/** No control frame needs more: a state id has at most 1,024 characters. */
export const MAX_CONTROL_BYTES = 32 << 10;

const OPEN_FIELDS = ["open", "sequence_id", "start", "traceparent", "tracestate"];
const CLOSE_FIELDS = ["close", "end"];

/** The control frame that a text is; undefined where it is something else, such as a V2 request. */
export function readControl(text: string): OpenStream | CloseStream | undefined {
  if (!/"(?:open|close)"/.test(text)) return undefined;
  const frame = parseJson(text, "frame");
  if (typeof frame !== "object" || frame === null || Array.isArray(frame)) return undefined;
  const fields = frame as Readonly<Record<string, unknown>>;
  if (Object.hasOwn(fields, "open")) {
    onlyFields(fields, OPEN_FIELDS);
    return {
      open: numberAt(fields.open, "open"),
      sequenceId: canonicalSequenceId(fields.sequence_id, "sequence_id"),
      start: flagAt(fields.start, "start"),
      trace: parseTraceContext(fields.traceparent, fields.tracestate),
    };
  }
  if (!Object.hasOwn(fields, "close")) return undefined;
  onlyFields(fields, CLOSE_FIELDS);
  return { close: numberAt(fields.close, "close"), end: flagAt(fields.end, "end") };
}

function onlyFields(frame: Readonly<Record<string, unknown>>, known: readonly string[]): void {
  for (const name of Object.keys(frame)) {
    if (known.includes(name)) continue;
    throw new InvalidArgumentError(`is not a known field; there are ${known.join(", ")}`, { path: name });
  }
}

function numberAt(value: unknown, path: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError(`expected the number of a stream, got ${JSON.stringify(value)}`, { path });
}

function flagAt(value: unknown, path: string): boolean {
  if (value === undefined) return false;
  if (typeof value === "boolean") return value;
  throw new InvalidArgumentError(`expected true or false, got ${JSON.stringify(value)}`, { path });
}
