/** The schemas and examples of the server's own description, from the types of its pipeline. */
import { DATATYPES } from "../../datatype.js";
import { ERROR_CODES } from "../../errors.js";
import { encodeInferRequest, encodeInferResponse, MAX_SEQUENCE_ID_LENGTH, utf8Text } from "../../protocol/index.js";
import type { RestrictedInferenceProcess } from "../../runtime/index.js";
import { fakeValues, type JsonSchema, Random, type Types, valuesSchema, valuesToJson } from "../../types/index.js";

/** The same examples at each start, so that a description that is kept somewhere does not change for nothing. */
const SEED = 7;
/** An example is to be read by people; a type may have millions of elements. */
const MAX_EXAMPLE_ELEMENTS = 4096;
const MAX_EXAMPLE_CHARACTERS = 64 << 10;

export const reference = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });

const object = (properties: Readonly<Record<string, JsonSchema>>, optional: readonly string[] = []): JsonSchema => ({
  type: "object",
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
});

const text = (description: string): JsonSchema => ({ type: "string", description });
/** Where null is the same as nothing. */
export const nullable = (schema: JsonSchema): JsonSchema => ({ ...schema, type: [schema.type as string, "null"] });
const flag = (description: string): JsonSchema => ({ type: "boolean", description });
const TASK_ID = text("The task's id.");
const count: JsonSchema = { type: "integer", minimum: 0 };
const durations = (...names: string[]): Record<string, JsonSchema> =>
  Object.fromEntries(names.map((name) => [name, reference("V2Duration")]));
const COMPUTE = ["compute_input", "compute_infer", "compute_output"];
const statistics: JsonSchema = object({
  name: text("The model."),
  version: text("Its version."),
  last_inference: { ...count, description: "Milliseconds since 1970; 0: never." },
  inference_count: { ...count, description: "Rows that gave outputs." },
  execution_count: { ...count, description: "Runs of the model that they took." },
  inference_stats: object(durations("success", "fail", "queue", ...COMPUTE, "cache_hit", "cache_miss")),
  batch_stats: { type: "array", items: object({ batch_size: count, ...durations(...COMPUTE) }) },
});

/** All that the description refers to. */
export function schemas(inference: RestrictedInferenceProcess): Record<string, JsonSchema> {
  return { ...restSchemas(inference), ...v2Schemas(inference) };
}

export function taskSchema(outputs: JsonSchema): JsonSchema {
  return {
    oneOf: [
      object({ taskId: TASK_ID, status: { const: "pending" } }),
      object({ taskId: TASK_ID, status: { const: "done" }, outputs }),
      object({ taskId: TASK_ID, status: { const: "failed" }, error: reference("ErrorDetails") }),
    ],
  };
}

function restSchemas({ inputs, outputs }: RestrictedInferenceProcess): Record<string, JsonSchema> {
  return {
    Inputs: { ...valuesSchema(inputs), description: "The pipeline's inputs, by name." },
    Outputs: { ...valuesSchema(outputs), description: "The pipeline's outputs, by name." },
    PredictRequest: { ...object(stepProperties(), STEP_OPTIONS), additionalProperties: false, ...STREAMS_ONLY },
    PredictAnswer: object({ outputs: reference("Outputs") }),
    TaskAccepted: object({ taskId: TASK_ID }),
    Task: taskSchema(reference("Outputs")),
    Error: object({ error: reference("ErrorDetails") }),
    ErrorDetails: object(
      {
        code: {
          type: "string",
          enum: Object.keys(ERROR_CODES),
          description: Object.entries(ERROR_CODES)
            .map(([code, { http, meaning }]) => `- \`${code}\` (${http}): ${meaning}`)
            .join("\n"),
        },
        message: text("What was wrong, and what to do."),
        path: text("Where in the request the offending value is, e.g. `inputs.audio[3]`."),
        requestId: text("The request's `x-request-id`, where it has one."),
      },
      ["path", "requestId"],
    ),
    Live: object({ live: { type: "boolean" } }),
    Ready: object({ ready: { type: "boolean" } }),
    V2Duration: object({ count, ns: count }),
    V2Statistics: object({ model_stats: { type: "array", items: statistics } }),
  };
}

const STEP_OPTIONS = ["stateId", "start", "end", "timeoutMs", "priority"];

/** `start` and `end` are a stream's. */
const STREAMS_ONLY: JsonSchema = {
  if: {
    anyOf: ["start", "end"].map((name) => ({ properties: { [name]: { const: true } }, required: [name] })),
  },
  // biome-ignore lint/suspicious/noThenProperty: JSON Schema's word.
  then: { required: ["stateId"], properties: { stateId: { not: { enum: [null, 0, ""] } } } },
};

function stepProperties(): Record<string, JsonSchema> {
  return {
    inputs: reference("Inputs"),
    stateId: {
      // See `exactly` in docs-routes.ts.
      anyOf: [
        // U+0000 in front is how the server names streams of its own.
        { type: "string", maxLength: MAX_SEQUENCE_ID_LENGTH, pattern: "^([^\\u0000]|$)" },
        { type: "integer", minimum: 0, maximum: 2 ** 64 },
        { type: "null" },
      ],
      description: 'The stream that this is a step of. Without, null, 0 or "": a prediction on a fresh state.',
    },
    start: flag("Reset the state before this step."),
    end: flag("Free the state after this step."),
    timeoutMs: {
      type: "number",
      exclusiveMinimum: 0,
      exclusiveMaximum: 2 ** 31,
      description: "Milliseconds until DEADLINE_EXCEEDED; the state is then as it was.",
    },
    priority: { type: "integer", minimum: 0, maximum: 255, description: "1 is the highest; 0 is the default, 128." },
  };
}

function v2Schemas({ name, version, inputs, outputs }: RestrictedInferenceProcess): Record<string, JsonSchema> {
  const parameters: JsonSchema = {
    type: ["object", "null"],
    description: "`sequence_id`, `sequence_start`, `sequence_end`, `timeout` (microseconds), `priority` …",
  };
  const tensors = (types: Types): JsonSchema => ({ type: "array", items: tensor(types) });
  const metadata = (types: Types): JsonSchema => ({
    type: "array",
    items: object({ ...tensorHead(types), shape: { type: "array", items: { type: "integer", minimum: -1 } } }),
  });
  return {
    V2ServerMetadata: object({
      name: { type: "string" },
      version: { type: "string" },
      extensions: { type: "array", items: { type: "string" } },
    }),
    V2ModelMetadata: object({
      name: { const: name },
      versions: { type: "array", items: { type: "string" } },
      platform: { type: "string" },
      inputs: metadata(inputs),
      outputs: metadata(outputs),
    }),
    V2ModelReady: object({ name: { const: name }, ready: { type: "boolean" } }),
    V2InferRequest: object(
      {
        id: nullable(text("Echoed in the answer.")),
        parameters,
        inputs: tensors(inputs),
        outputs: {
          type: ["array", "null"],
          items: object({ name: { enum: Object.keys(outputs) }, parameters }, ["parameters"]),
          description: "The outputs wanted. Without: all.",
        },
      },
      ["id", "parameters", "outputs"],
    ),
    V2InferAnswer: object(
      {
        model_name: { const: name },
        model_version: { const: version },
        id: { type: "string" },
        outputs: tensors(outputs),
      },
      ["model_version", "id"],
    ),
    V2Error: object({ error: text("What was wrong. The status has to do for a code.") }),
  };
}

function tensorHead(types: Types): Record<string, JsonSchema> {
  const rows = Object.entries(types).map(([name, { datatype, shape }]) => `\`${name}\`: ${datatype} [${shape}]`);
  return {
    name: { enum: Object.keys(types), description: `${rows.join(", ")}. A dimension of -1 is free.` },
    datatype: { enum: [...Object.keys(DATATYPES), "BYTES"] },
  };
}

function tensor(types: Types): JsonSchema {
  return object(
    {
      ...tensorHead(types),
      shape: { type: "array", items: { type: "integer", minimum: 0 } },
      parameters: { type: ["object", "null"] },
      data: { description: "The elements, row-major, flat or nested by the shape.", type: "array" },
    },
    ["parameters", "data"],
  );
}

/** One value for each input and output, as the surfaces carry them. */
export interface Examples {
  readonly inputs: JsonSchema;
  readonly outputs: JsonSchema;
  readonly v2Request: JsonSchema;
  readonly v2Answer: JsonSchema;
}

/** Undefined where they would be too large to be read. */
export function examples({ name, version, inputs, outputs }: RestrictedInferenceProcess): Examples | undefined {
  const elements = [...Object.values(inputs), ...Object.values(outputs)]
    .map(({ shape }) => shape.reduce((product, size) => product * Math.max(1, size), 1))
    .reduce((sum, count) => sum + count, 0);
  if (elements > MAX_EXAMPLE_ELEMENTS) return undefined;
  const random = new Random(SEED);
  const given = fakeValues(inputs, random);
  const answered = fakeValues(outputs, random);
  const tensors = (types: Types, values: Readonly<Record<string, unknown>>) =>
    Object.entries(types).map(([port, type]) => [port, type.toTensor(values[port])] as const);
  const request = encodeInferRequest({ inputs: Object.fromEntries(tensors(inputs, given)) }, { binary: false });
  const named = tensors(outputs, answered).map(([port, data]) => ({ name: port, ...data }));
  const response = { modelName: name, modelVersion: version, outputs: named };
  const made = {
    inputs: valuesToJson(inputs, given),
    outputs: valuesToJson(outputs, answered),
    v2Request: JSON.parse(utf8Text(request.header, "example")) as JsonSchema,
    v2Answer: JSON.parse(utf8Text(encodeInferResponse(response, () => false).header, "example")) as JsonSchema,
  };
  return JSON.stringify(made).length > MAX_EXAMPLE_CHARACTERS ? undefined : made;
}
