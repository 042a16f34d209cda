/** Encoding infer requests, as a client does. */
import type { RawTensor } from "../datatype.js";
import { shown } from "../shown.js";
import { fail, isObject } from "./check.js";
import { encodeMessage, parametersJson, tensorJson } from "./encode.js";
import { checkTensor } from "./tensor.js";
import { traceParameters } from "./trace-context.js";
import type { EncodedMessage, ParameterValue } from "./v2.js";

export interface InferRequest {
  /** Echoed in the response. */
  readonly id?: string | undefined;
  /** The stream of predictions that this is a step of. Default: none, a prediction on a fresh state. */
  readonly sequenceId?: string | bigint | undefined;
  /** Reset the state before this step. Default false. */
  readonly sequenceStart?: boolean | undefined;
  /** Free the state after this step. Default false. */
  readonly sequenceEnd?: boolean | undefined;
  /** 1 is the highest. Default: the model's. */
  readonly priority?: number | undefined;
  /** Microseconds after which the server gives up. Default: none. */
  readonly timeoutMicros?: number | undefined;
  /** The trace that the request belongs to, by W3C Trace Context. Default: none. */
  readonly trace?: { readonly traceparent: string; readonly tracestate: string | undefined } | undefined;
  readonly inputs: Readonly<Record<string, RawTensor>>;
  /** Names of the outputs wanted. Default: all. */
  readonly outputs?: readonly string[] | undefined;
}

export interface EncodeOptions {
  /** Send the inputs in the binary form. */
  readonly binary: boolean;
  /** Ask for the outputs in the binary form. Default: as `binary`. */
  readonly binaryOutput?: boolean;
}

/** @throws InvalidArgumentError for an input that is no tensor, and when BYTES that are not UTF-8 are to be JSON. */
export function encodeInferRequest(request: InferRequest, options: EncodeOptions): EncodedMessage {
  const parts: Uint8Array[] = [];
  checkInputs(request.inputs);
  const inputs = Object.entries(request.inputs).map(([name, tensor]) => {
    checkTensor(tensor, "inputs", name);
    return tensorJson(name, tensor, options.binary ? parts : undefined, "inputs");
  });
  const parameters = parametersOf(request, options.binaryOutput ?? options.binary);
  const fields: string[] = [];
  if (request.id !== undefined) fields.push(`"id":${JSON.stringify(request.id)}`);
  if (Object.keys(parameters).length > 0) fields.push(`"parameters":${parametersJson(parameters)}`);
  fields.push(`"inputs":[${inputs.join(",")}]`);
  if (request.outputs !== undefined) {
    fields.push(`"outputs":${JSON.stringify(request.outputs.map((name) => ({ name })))}`);
  }
  return encodeMessage(`{${fields.join(",")}}`, parts, options.binary);
}

/** The entries of an array or a typed array would be inputs named by numbers. */
function checkInputs(inputs: unknown): void {
  if (isObject(inputs) && !ArrayBuffer.isView(inputs)) return;
  fail("inputs", `expected tensors by the names of the inputs, got ${shown(inputs)}`);
}

function parametersOf(request: InferRequest, binaryOutput: boolean): Record<string, ParameterValue> {
  const parameters: Record<string, ParameterValue> = { ...traceParameters(request.trace) };
  if (request.sequenceId !== undefined) parameters.sequence_id = request.sequenceId;
  if (request.sequenceStart === true) parameters.sequence_start = true;
  if (request.sequenceEnd === true) parameters.sequence_end = true;
  if (request.priority !== undefined) parameters.priority = request.priority;
  if (request.timeoutMicros !== undefined) parameters.timeout = request.timeoutMicros;
  if (binaryOutput) parameters.binary_data_output = true;
  return parameters;
}
