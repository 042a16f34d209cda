/**
 * Decoding infer requests, as a server does. Every function throws InvalidArgumentError (UNIMPLEMENTED for parts of V2
 * that Headrace has not), whose `path` says where, and never anything else, whatever the bytes are.
 *
 * Tensors of the binary form are views into the body: no copy, no object per element. They live as long as the body.
 */
import { headerBytes, planTensors, readTensors, type TensorsPlan } from "./body.js";
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
import { HeaderCache } from "./header-cache.js";
import { parseJson, utf8Text } from "./json.js";
import { parseTraceContext } from "./trace-context.js";
import type { DecodedRequest, WantedOutput } from "./v2.js";

/** Long enough for any name; short enough that ten thousand of them weigh nothing. */
export const MAX_SEQUENCE_ID_LENGTH = 1024;

/** What follows from the JSON header alone. Immutable: shared by all requests with that header. */
export interface RequestPlan extends Omit<DecodedRequest, "inputs"> {
  readonly inputs: TensorsPlan;
}

const sharedCache = new HeaderCache<RequestPlan>();

/**
 * A request in the binary form: `headerLength` bytes of JSON, then the tensors back to back in the JSON's order.
 *
 * @param headerLength At least 1; for 0 see `decodeRawInfer`.
 * @param cache Plans by header text. A server with many clients gives its own, larger one.
 */
export function decodeBinaryInfer(
  body: Uint8Array,
  headerLength: number,
  cache: HeaderCache<RequestPlan> = sharedCache,
): DecodedRequest {
  return decodePlannedInfer(planBinaryInfer(headerBytes(body, headerLength), cache), body, headerLength);
}

/** What follows from the JSON header of a binary request alone: for bodies that come in pieces, and for what is kept. */
export function planBinaryInfer(header: Uint8Array, cache: HeaderCache<RequestPlan> = sharedCache): RequestPlan {
  const text = utf8Text(header, "body");
  return cache.get(text) ?? planAndKeep(text, header.byteLength, cache);
}

/** A request that is all JSON: no `Inference-Header-Content-Length` came with it, or it arrived as a text frame. */
export function decodeJsonInfer(body: Uint8Array | string): DecodedRequest {
  const text = typeof body === "string" ? body : utf8Text(body, "body");
  const plan = planRequest(text, text.length);
  if (plan.inputs.binaryBytes > 0) {
    fail(
      "body",
      "an input has binary_data_size, but nothing says where the JSON ends (Inference-Header-Content-Length)",
    );
  }
  return decodePlannedInfer(plan, NO_BYTES, 0);
}

const NO_BYTES = new Uint8Array(0);

function planAndKeep(header: string, headerLength: number, cache: HeaderCache<RequestPlan>): RequestPlan {
  const plan = planRequest(header, headerLength);
  // A trace is another one with each request, so its header never comes again.
  if (plan.inputs.isShareable && plan.trace === undefined) cache.put(header, plan);
  return plan;
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

function planRequest(text: string, jsonBytes: number): RequestPlan {
  const json = objectAt(parseJson(text, "body"), "body");
  const parameters = isAbsent(json.parameters) ? {} : objectAt(json.parameters, "parameters");
  const binaryOutputDefault = optionalBoolean(parameters.binary_data_output, "parameters.binary_data_output") ?? false;
  return {
    id: optionalString(json.id, "id"),
    ...planSequence(parameters),
    priority: optionalCount(parameters.priority, "parameters.priority") || undefined,
    timeoutMicros: optionalCount(parameters.timeout, "parameters.timeout") || undefined,
    inputs: planTensors(json.inputs, "inputs", jsonBytes),
    outputs: isAbsent(json.outputs) ? undefined : planOutputs(json.outputs, binaryOutputDefault),
    binaryOutputDefault,
    trace: parseTraceContext(parameters.traceparent, parameters.tracestate),
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
