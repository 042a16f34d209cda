/** V2's part of the server's description: models, inference, the repository. */
import { HEADER_LENGTH_FIELD } from "../../protocol/index.js";
import type { RestrictedInferenceProcess } from "../../runtime/index.js";
import { answer, body, content, errors, type JsonObject, operation, PREDICTION_ERRORS } from "./openapi-operation.js";
import type { Examples } from "./openapi-schemas.js";

export function v2Paths(inference: RestrictedInferenceProcess, shown: Examples | undefined): JsonObject {
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
  };
}

/** Loading and unloading are there where the models come from a directory. */
export function repositoryPaths(hasRepository: boolean): JsonObject {
  const change = (action: "load" | "unload", summary: string): JsonObject => ({
    post: operation({
      id: `v2Repository${action === "load" ? "Load" : "Unload"}`,
      tag: "v2",
      summary,
      parameters: [{ name: "model", in: "path", required: true, schema: { type: "string", minLength: 1 } }],
      body: { required: false, content: content(action === "load" ? "V2RepositoryLoad" : "V2RepositoryUnload") },
      answers: {
        200: { description: "Done.", content: { "application/json": { schema: { type: "object" } } } },
        ...errors("V2Error", ["INVALID_ARGUMENT", "MODEL_NOT_FOUND", "MODEL_INVALID", "UNIMPLEMENTED", "UNAVAILABLE"]),
      },
    }),
  });
  const changes = {
    "/v2/repository/models/{model}/load": change("load", "Load a model, or load it again"),
    "/v2/repository/models/{model}/unload": change("unload", "Serve a model no longer"),
  };
  return {
    "/v2/repository/index": {
      post: operation({
        id: "v2RepositoryIndex",
        tag: "v2",
        summary: "All models that could be served",
        body: { required: false, content: content("V2RepositoryQuestion") },
        answers: {
          200: answer("Versions of models, and their states.", "V2RepositoryIndex"),
          ...errors("V2Error", ["INVALID_ARGUMENT", "UNAVAILABLE"]),
        },
      }),
    },
    ...(hasRepository ? changes : {}),
  };
}

function modelPaths(path: string, id: string, parameters: JsonObject[], shown: Examples | undefined): JsonObject {
  const missing = errors("V2Error", ["MODEL_NOT_FOUND"]);
  const read = (name: string, summary: string, answers: JsonObject): JsonObject => ({
    get: operation({ id: `${id}${name}`, tag: "v2", summary, parameters, answers: { ...answers, ...missing } }),
  });
  return {
    [path]: read("Metadata", "The model's tensors", { 200: answer("The model.", "V2ModelMetadata") }),
    [`${path}/ready`]: read("Ready", "Whether the model takes predictions", {
      200: answer("It does.", "V2ModelReady"),
      503: answer("The server is stopping, or the model makes no progress.", "V2ModelReady"),
    }),
    [`${path}/config`]: read("Config", "The model's configuration, as Triton has it", {
      200: answer("The configuration, complete.", "V2ModelConfig"),
    }),
    [`${path}/stats`]: read("Statistics", "What the model has done", {
      200: answer("Its counters; without a version in the path those of each of its versions.", "V2Statistics"),
    }),
    ...predictionPaths(path, id, parameters, shown),
  };
}

function predictionPaths(path: string, id: string, parameters: JsonObject[], shown: Examples | undefined): JsonObject {
  // No parameter of the operation: with a body of plain JSON the header would be wrong, and OpenAPI cannot say so.
  const description = `JSON, then the tensors' bytes; the header \`${HEADER_LENGTH_FIELD}\` has the bytes of JSON.`;
  const octets = { "application/octet-stream": { schema: { description, type: "string", format: "binary" } } };
  const failures = errors("V2Error", [...PREDICTION_ERRORS, "MODEL_NOT_FOUND", "UNIMPLEMENTED"]);
  const predict = (name: string, summary: string, request: JsonObject, answered: JsonObject): JsonObject => ({
    post: operation({
      ...{ id: `${id}${name}`, tag: "v2", summary, parameters, body: request },
      answers: { 200: { description: "The outputs.", content: answered }, ...failures },
    }),
  });
  const tensors = { required: true, content: { ...content("V2InferRequest", shown?.v2Request), ...octets } };
  const event = { type: "object", properties: { data: { type: "string", description: "The answer's JSON." } } };
  const events = { "text/event-stream": { schema: event } };
  return {
    [`${path}/infer`]: predict("Infer", "Infer with tensors", tensors, {
      ...content("V2InferAnswer", shown?.v2Answer),
      ...octets,
    }),
    [`${path}/generate`]: predict(
      "Generate",
      "Infer with one flat object",
      body("V2GenerateRequest", shown?.v2Generate),
      content("V2GenerateAnswer"),
    ),
    [`${path}/generate_stream`]: predict(
      "GenerateStream",
      "Infer with one flat object, the answer an event",
      body("V2GenerateRequest", shown?.v2Generate),
      events,
    ),
  };
}
