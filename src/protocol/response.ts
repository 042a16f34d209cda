/** Infer responses: encoding them, as a server does, and decoding them, as a client does. */
import type { RawTensor } from "../datatype.js";
import { headerBytes, planTensors, readTensors, type TensorsPlan } from "./body.js";
import { isAbsent, nameAt, objectAt, optionalString } from "./check.js";
import { encodeMessage, parametersJson, tensorJson, type WriteElements } from "./encode.js";
import { HeaderCache } from "./header-cache.js";
import { parseTensorJson, utf8Text } from "./json.js";
import { toNamedTensor } from "./tensor.js";
import type { EncodedMessage, NamedTensor, Parameters, ParameterValue } from "./v2.js";

export interface InferResponse {
  readonly modelName: string;
  readonly modelVersion?: string | undefined;
  /** The request's id, if it had one. */
  readonly id?: string | undefined;
  readonly parameters?: Parameters | undefined;
  readonly outputs: readonly NamedTensor[];
}

/**
 * A response with each output in the form that `isBinary` says. `headerLength` of the result is set exactly when some
 * output is binary. Binary parts are views over the outputs' own memory: write them before that is released.
 *
 * @param write How elements become JSON, where something faster is at hand than JavaScript.
 * @throws InvalidArgumentError when BYTES that are not UTF-8 are to be JSON.
 */
export function encodeInferResponse(
  response: InferResponse,
  isBinary: (outputName: string) => boolean,
  write?: WriteElements,
): EncodedMessage {
  const parts: Uint8Array[] = [];
  const outputs = response.outputs.map((output) =>
    tensorJson(output.name, output, isBinary(output.name) ? parts : undefined, "outputs", write),
  );
  const { modelName, modelVersion, id, parameters } = response;
  const header =
    `{"model_name":${JSON.stringify(modelName)}` +
    (modelVersion === undefined ? "" : `,"model_version":${JSON.stringify(modelVersion)}`) +
    (id === undefined ? "" : `,"id":${JSON.stringify(id)}`) +
    (parameters === undefined ? "" : `,"parameters":${parametersJson(parameters)}`) +
    `,"outputs":[${outputs.join(",")}]}`;
  return encodeMessage(header, parts, parts.length > 0);
}

interface ResponsePlan extends Omit<InferResponse, "outputs"> {
  readonly outputs: TensorsPlan;
}

const responseCache = new HeaderCache<ResponsePlan>();

/**
 * A response body. Tensors are views into `body` where they are binary and the alignment allows it.
 *
 * @param headerLength The HTTP header's value, or undefined when it did not come: then all of the body is JSON.
 * @throws InvalidArgumentError when the body is no V2 response.
 */
export function decodeInferResponse(body: Uint8Array, headerLength: number | undefined): InferResponse {
  const jsonLength = headerLength ?? body.byteLength;
  const text = utf8Text(headerBytes(body, jsonLength), "body");
  const plan = responseCache.get(text) ?? planResponse(text);
  const { outputs, ...rest } = plan;
  return { ...rest, outputs: readTensors(outputs, body, jsonLength, "outputs").map(toNamedTensor) };
}

function planResponse(text: string): ResponsePlan {
  const json = objectAt(parseTensorJson(text, "body"), "body");
  const plan = {
    modelName: nameAt(json.model_name, "model_name"),
    modelVersion: optionalString(json.model_version, "model_version"),
    id: optionalString(json.id, "id"),
    parameters: planParameters(json.parameters),
    outputs: planTensors(json.outputs, "outputs", text.length),
  };
  const isOneOfAKind = EVER_DIFFERENT.some((name) => plan.parameters?.[name] !== undefined);
  if (plan.outputs.isShareable && !isOneOfAKind) responseCache.put(text, plan);
  return plan;
}

/** Parameters that are others with each response: such a header never comes again. */
const EVER_DIFFERENT = ["step", "traceparent"];

/** What is not of a parameter's types is left out: nothing here could have a meaning for it. */
function planParameters(value: unknown): Parameters | undefined {
  if (isAbsent(value)) return undefined;
  const entries = Object.entries(objectAt(value, "parameters"));
  return Object.fromEntries(
    entries.filter((entry): entry is [string, ParameterValue] =>
      ["string", "number", "bigint", "boolean"].includes(typeof entry[1]),
    ),
  );
}

/** Tensors by name, as callers want them. */
export function byName(tensors: readonly NamedTensor[]): Record<string, RawTensor> {
  // fromEntries defines own properties, so that a tensor may even be called "__proto__".
  return Object.fromEntries(tensors.map(({ name, ...tensor }) => [name, tensor]));
}
