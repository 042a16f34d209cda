/** The server's own description in OpenAPI 3.1, from the types of its pipeline. */
import type { RestrictedInferenceProcess } from "../../runtime/index.js";
import { METRIC_TYPES } from "../../serving/metric-text.js";
import { VERSION } from "../../version.js";
import { answer, body, errors, type JsonObject, operation, PREDICTION_ERRORS } from "./openapi-operation.js";
import { type Examples, examples, schemas } from "./openapi-schemas.js";
import { repositoryPaths, v2Paths } from "./openapi-v2.js";
import { MAX_WAIT_MS } from "./rest-routes.js";

/** The document that GET /openapi.json answers. Operation ids are stable: generated clients have them as names. */
export function openApi(inference: RestrictedInferenceProcess, hasRepository: boolean): JsonObject {
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
    paths: {
      ...predictionPaths(shown),
      ...healthPaths(),
      ...v2Paths(inference, shown),
      ...repositoryPaths(hasRepository),
    },
    components: { schemas: schemas(inference) },
  };
}

function introduction({ name }: RestrictedInferenceProcess): string {
  return [
    `The pipeline \`${name}\`, served by Headrace.`,
    `Streams of steps go over WebSocket at \`/v2/models/${name}/stream\`, which OpenAPI has no words for.`,
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
