/**
 * Decoding infer requests, as a server does. Every function throws InvalidArgumentError (UNIMPLEMENTED for parts of V2
 * that Headrace has not), whose `path` says where, and never anything else, whatever the bytes are.
 *
 * Tensors of the binary form are views into the body: no copy, no object per element. They live as long as the body.
 */
import { planMovedTensors, readTensors, type TensorsPlan } from "./body.js";
import {
  arrayAt,
  fail,
  isAbsent,
  type JsonObject,
  nameAt,
  objectAt,
  optionalBoolean,
  optionalCount,
  optionalString,
  refuseUnimplemented,
  show,
} from "./check.js";
import { parseJson } from "./json.js";
import { parseTraceContext } from "./trace-context.js";
import type { DecodedRequest, WantedOutput } from "./v2.js";

/** Long enough for any name; short enough that ten thousand of them weigh nothing. */
export const MAX_SEQUENCE_ID_LENGTH = 1024;

/** What follows from the JSON header alone. Immutable: shared by all requests with that header. */
export interface RequestPlan extends Omit<DecodedRequest, "inputs"> {
  readonly inputs: TensorsPlan;
}

/**
 * What follows from a request's JSON header.
 *
 * @param header Where elements were in the JSON, the number of their bytes is in the place of each input's `data`.
 */
export function planInfer(header: string): RequestPlan {
  const json = objectAt(parseJson(header, "body"), "body");
  const parameters = isAbsent(json.parameters) ? {} : objectAt(json.parameters, "parameters");
  const binaryOutputDefault = optionalBoolean(parameters.binary_data_output, "parameters.binary_data_output") ?? false;
  return {
    id: optionalString(json.id, "id"),
    ...planSequence(parameters),
    priority: optionalCount(parameters.priority, "parameters.priority") || undefined,
    timeoutMicros: optionalCount(parameters.timeout, "parameters.timeout") || undefined,
    inputs: planMovedTensors(json.inputs, "inputs"),
    outputs: isAbsent(json.outputs) ? undefined : planOutputs(json.outputs, binaryOutputDefault),
    binaryOutputDefault,
    trace: parseTraceContext(parameters.traceparent, parameters.tracestate),
  };
}

/** The request whose header led to `plan`; its tensors are views into `body`. */
export function decodePlannedInfer(plan: RequestPlan, body: Uint8Array, headerLength: number): DecodedRequest {
  return {
    id: plan.id,
    sequenceId: plan.sequenceId,
    sequenceStart: plan.sequenceStart,
    sequenceEnd: plan.sequenceEnd,
    priority: plan.priority,
    timeoutMicros: plan.timeoutMicros,
    inputs: readTensors(plan.inputs, body, headerLength, "inputs"),
    outputs: plan.outputs,
    binaryOutputDefault: plan.binaryOutputDefault,
    trace: plan.trace,
  };
}

function planSequence(parameters: JsonObject): Pick<DecodedRequest, "sequenceId" | "sequenceStart" | "sequenceEnd"> {
  return {
    sequenceId: canonicalSequenceId(parameters.sequence_id, "parameters.sequence_id"),
    sequenceStart: optionalBoolean(parameters.sequence_start, "parameters.sequence_start") ?? false,
    sequenceEnd: optionalBoolean(parameters.sequence_end, "parameters.sequence_end") ?? false,
  };
}

/**
 * The name of a sequence as a string, however it was written: 42 and "42" are the same. 0 and "" are none; "0" is a
 * name like any other, for a stream called so must not silently lose its state.
 */
export function canonicalSequenceId(value: unknown, path: string): string | undefined {
  if (isAbsent(value) || value === "" || value === 0) return undefined;
  if (typeof value === "string") return sequenceName(value, path);
  if (typeof value === "bigint" && value > 0n && value < 2n ** 64n) return String(value);
  if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return String(value);
  return fail(path, `expected a string or an integer from 0 to 2^64 - 1, got ${show(value)}`);
}

/** U+0000 in front is how a server names the streams that nobody else may step; half a surrogate pair is no UTF-8. */
const RESERVED = "\u0000";
const HALF_A_PAIR = /\p{Surrogate}/u;

function sequenceName(name: string, path: string): string {
  if (name.length > MAX_SEQUENCE_ID_LENGTH)
    return fail(path, `has ${name.length} characters, at most ${MAX_SEQUENCE_ID_LENGTH} are allowed`);
  if (!name.startsWith(RESERVED) && !HALF_A_PAIR.test(name)) return name;
  return fail(path, `expected text that does not begin with U+0000, got ${show(name)}`);
}

function planOutputs(list: unknown, binaryDefault: boolean): readonly WantedOutput[] {
  const names = new Set<string>();
  const outputs = arrayAt(list, "outputs").map((entry, index): WantedOutput => {
    const path = `outputs[${index}]`;
    const output = objectAt(entry, path);
    const name = nameAt(output.name, `${path}.name`);
    if (names.has(name)) fail(`${path}.name`, `"${name}" is there twice`);
    names.add(name);
    const parameters = isAbsent(output.parameters) ? {} : objectAt(output.parameters, `${path}.parameters`);
    refuseUnimplemented(parameters, path, ["classification", "shared_memory_region"]);
    const binary = optionalBoolean(parameters.binary_data, `${path}.parameters.binary_data`);
    return Object.freeze({ name, binary: binary ?? binaryDefault });
  });
  return Object.freeze(outputs);
}

/** The value of the HTTP header `Inference-Header-Content-Length`, checked; undefined when it did not come. */
export function parseHeaderLength(value: string): number | undefined {
  if (value === "") return undefined;
  const length = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
  return Number.isNaN(length) ? fail("Inference-Header-Content-Length", `not a length: ${show(value)}`) : length;
}
