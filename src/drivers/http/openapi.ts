/** The server's own description in OpenAPI 3.1, from the types of its pipeline. */
import { HEADER_LENGTH_FIELD } from "../../protocol/index.js";
import type { RestrictedInferenceProcess } from "../../runtime/index.js";
import { METRIC_TYPES } from "../../serving/metric-text.js";
import type { JsonSchema } from "../../types/index.js";
import { VERSION } from "../../version.js";
import { modelExtensionPaths, modelExtensionSchemas, repositoryPaths } from "./openapi-models-v2.js";
import { answer, body, content, errors, operation, PREDICTION_ERRORS } from "./openapi-operation.js";
import { type Examples, examples, schemas } from "./openapi-schemas.js";
import { MAX_WAIT_MS } from "./rest-routes.js";

type JsonObject = JsonSchema;

/** The document that GET /openapi.json answers. Operation ids are stable: generated clients have them as names. */
export function openApi(inference: RestrictedInferenceProcess): JsonObject {
  const shown = examples(inference);
  return {
    openapi: "3.1.0",
    info: { title: inference.name, version: VERSION, description: introduction(inference) },
    // Relative to this document: below a proxy's path too.
    servers: [{ url: "." }],
    tags: [
      { name: "predictions", description: "Plain JSON, for people." },
      { name: "health", description: "For probes and dashboards." },
      { name: "v2", description: "The Open Inference Protocol, which Triton and KServe speak." },
    ],
    paths: { ...predictionPaths(shown), ...healthPaths(), ...v2Paths(inference, shown) },
    components: { schemas: { ...schemas(inference), ...modelExtensionSchemas(inference) } },
  };
}

function introduction({ name }: RestrictedInferenceProcess): string {
  return [
    `The pipeline \`${name}\`, served by Headrace.`,
    `Streams of steps go over WebSocket at \`/v2/models/${name}/stream\`, and what others step can be followed at \`/v2/models/${name}/subscribe\`: OpenAPI has no words for either.`,
    "A request may have an `x-request-id` (at most 128 printable ASCII characters), which its answer then has too.",
  ].join("\n\n");
}

function predictionPaths(shown: Examples | undefined): JsonObject {
  const request = shown && { inputs: shown.inputs };
  const taskId = { name: "taskId", in: "path", required: true, schema: { type: "string" } };
  const waitMs = {
    name: "waitMs",
    in: "query",
    description: "Milliseconds that a pending task may take to finish before it is answered as pending.",
    schema: { type: "integer", minimum: 0, maximum: MAX_WAIT_MS, default: 0 },
  };
  const location = { description: "Where the task is.", schema: { type: "string" } };
  return {
    "/predict": {
      post: operation({
        id: "predict",
        tag: "predictions",
        summary: "Predict",
        body: body("PredictRequest", request),
        answers: {
          200: answer("The outputs.", "PredictAnswer", shown && { outputs: shown.outputs }),
          ...errors("Error", PREDICTION_ERRORS),
        },
      }),
    },
    "/tasks": {
      post: operation({
        id: "submitTask",
        tag: "predictions",
        summary: "Start a prediction and come back for it",
        body: body("PredictRequest", request),
        answers: {
          202: { ...answer("The task has been started.", "TaskAccepted"), headers: { Location: location } },
          ...errors("Error", ["INVALID_ARGUMENT", "PAYLOAD_TOO_LARGE", "RESOURCE_EXHAUSTED", "UNAVAILABLE"]),
        },
      }),
    },
    "/tasks/{taskId}": {
      get: operation({
        id: "getTask",
        tag: "predictions",
        summary: "What became of a task",
        parameters: [taskId, waitMs],
        answers: {
          200: answer("The task: pending, done or failed.", "Task"),
          ...errors("Error", ["INVALID_ARGUMENT", "NOT_FOUND"]),
        },
      }),
      delete: operation({
        id: "deleteTask",
        tag: "predictions",
        summary: "Cancel a pending task, forget a finished one",
        parameters: [taskId],
        answers: { 204: { description: "It is gone." }, ...errors("Error", ["NOT_FOUND"]) },
      }),
    },
  };
}

function healthPaths(): JsonObject {
  const read = (id: string, summary: string, schema: string, extra: JsonObject = {}): JsonObject => ({
    get: operation({ id, tag: "health", summary, answers: { 200: answer(`${summary}.`, schema), ...extra } }),
  });
  const stopping = { 503: answer("It is stopping, or a model makes no progress.", "Ready") };
  return {
    "/health/live": read("live", "Whether the server runs", "Live"),
    "/health/ready": read("ready", "Whether it takes predictions", "Ready", stopping),
    "/v2/health/live": read("v2Live", "Whether the server runs, for V2", "Live"),
    "/v2/health/ready": read("v2Ready", "Whether it takes predictions, for V2", "Ready", stopping),
    "/metrics": {
      get: operation({
        id: "metrics",
        tag: "health",
        summary: "Metrics of the models and their drivers, for Prometheus",
        answers: {
          200: {
            description: "In the text format that Accept asks for.",
            content: Object.fromEntries(
              Object.values(METRIC_TYPES).map((type) => [type.split(";")[0], { schema: { type: "string" } }]),
            ),
          },
        },
      }),
    },
  };
}

function v2Paths(inference: RestrictedInferenceProcess, shown: Examples | undefined): JsonObject {
  const constant = (name: string, value: string): JsonObject => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string", enum: [value], default: value },
  });
  const model = constant("model", inference.name);
  const version = constant("version", inference.version);
  const server = operation({
    id: "v2ServerMetadata",
    tag: "v2",
    summary: "The server",
    answers: { 200: answer("The server.", "V2ServerMetadata") },
  });
  return {
    "/v2": { get: server },
    "/v2/models/stats": {
      get: operation({
        id: "v2Statistics",
        tag: "v2",
        summary: "What all models have done",
        answers: { 200: answer("The counters of each version of each model.", "V2Statistics") },
      }),
    },
    ...modelPaths("/v2/models/{model}", "v2Model", [model], shown),
    ...modelPaths("/v2/models/{model}/versions/{version}", "v2ModelVersion", [model, version], shown),
    ...repositoryPaths(inference.repository !== undefined),
  };
}

function modelPaths(path: string, id: string, parameters: JsonObject[], shown: Examples | undefined): JsonObject {
  const missing = errors("V2Error", ["MODEL_NOT_FOUND"]);
  // No parameter of the operation: with a body of plain JSON the header would be wrong, and OpenAPI cannot say so.
  const description = `JSON, then the tensors' bytes; the header \`${HEADER_LENGTH_FIELD}\` has the bytes of JSON.`;
  const binary = { description, type: "string", format: "binary" };
  const octets = { "application/octet-stream": { schema: binary } };
  return {
    [path]: {
      get: operation({
        id: `${id}Metadata`,
        tag: "v2",
        summary: "The model's tensors",
        parameters,
        answers: { 200: answer("The model.", "V2ModelMetadata"), ...missing },
      }),
    },
    [`${path}/ready`]: {
      get: operation({
        id: `${id}Ready`,
        tag: "v2",
        summary: "Whether the model takes predictions",
        parameters,
        answers: {
          200: answer("It does.", "V2ModelReady"),
          503: answer("The server is stopping, or the model makes no progress.", "V2ModelReady"),
          ...missing,
        },
      }),
    },
    [`${path}/stats`]: {
      get: operation({
        id: `${id}Statistics`,
        tag: "v2",
        summary: "What the model has done",
        parameters,
        answers: {
          200: answer("Its counters; without a version in the path those of each of its versions.", "V2Statistics"),
          ...missing,
        },
      }),
    },
    [`${path}/infer`]: {
      post: operation({
        id: `${id}Infer`,
        tag: "v2",
        summary: "Infer with tensors",
        parameters,
        body: { required: true, content: { ...content("V2InferRequest", shown?.v2Request), ...octets } },
        answers: {
          200: {
            description: "The outputs.",
            content: { ...content("V2InferAnswer", shown?.v2Answer), ...octets },
          },
          ...errors("V2Error", [...PREDICTION_ERRORS, "MODEL_NOT_FOUND", "UNIMPLEMENTED"]),
        },
      }),
    },
    ...modelExtensionPaths(path, id, parameters, shown),
  };
}
