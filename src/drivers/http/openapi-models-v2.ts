/** V2's extensions in the server's own description: configurations, generate and the repository. */
import type { RestrictedInferenceProcess } from "../../runtime/index.js";
import type { Json, JsonSchema } from "../../types/index.js";
import { answer, body, content, errors, operation, PREDICTION_ERRORS } from "./openapi-operation.js";
import { type Examples, nullable } from "./openapi-schemas.js";

type JsonObject = JsonSchema;

/** What `path`, that of a model, has besides metadata, readiness and inferring. */
export function modelExtensionPaths(
  path: string,
  id: string,
  parameters: readonly JsonObject[],
  shown: Examples | undefined,
): JsonObject {
  const wrong = errors("V2Error", [...PREDICTION_ERRORS, "MODEL_NOT_FOUND"]);
  const request = body("V2GenerateRequest", shown && generateExample(shown));
  const event = { type: "object", properties: { data: { type: "string", description: "The answer's JSON." } } };
  const events = { "text/event-stream": { schema: event } };
  return {
    [`${path}/config`]: {
      get: operation({
        id: `${id}Config`,
        tag: "v2",
        summary: "The model's configuration",
        parameters,
        answers: {
          200: answer("A ModelConfig as Triton has it.", "V2ModelConfig"),
          ...errors("V2Error", ["MODEL_NOT_FOUND"]),
        },
      }),
    },
    [`${path}/generate`]: {
      post: operation({
        id: `${id}Generate`,
        tag: "v2",
        summary: "Infer with flat JSON",
        parameters,
        body: request,
        answers: { 200: answer("The outputs, by name.", "V2GenerateAnswer"), ...wrong },
      }),
    },
    [`${path}/generate_stream`]: {
      post: operation({
        id: `${id}GenerateStream`,
        tag: "v2",
        summary: "Infer with flat JSON, answered as an event",
        parameters,
        body: request,
        answers: { 200: { description: "What generate answers, as an event.", content: events }, ...wrong },
      }),
    },
  };
}

/** @param canLoad Whether there is a model directory. */
export function repositoryPaths(canLoad: boolean): JsonObject {
  const optional = (schema: string): JsonObject => ({ required: false, content: content(schema) });
  const model = { name: "model", in: "path", required: true, schema: { type: "string" } };
  const control = (action: "load" | "unload", summary: string): JsonObject => ({
    post: operation({
      id: action === "load" ? "v2RepositoryLoad" : "v2RepositoryUnload",
      tag: "v2",
      summary,
      parameters: [model],
      body: optional(action === "load" ? "V2RepositoryLoad" : "V2RepositoryUnload"),
      answers: {
        200: answer("Done.", "V2Nothing"),
        ...errors("V2Error", ["INVALID_ARGUMENT", "MODEL_NOT_FOUND", "MODEL_INVALID", "UNIMPLEMENTED", "UNAVAILABLE"]),
      },
    }),
  });
  const index = operation({
    id: "v2RepositoryIndex",
    tag: "v2",
    summary: "All models that could be served, and their states",
    body: optional("V2RepositoryIndexRequest"),
    answers: {
      200: answer("The models.", "V2RepositoryIndex"),
      ...errors("V2Error", ["INVALID_ARGUMENT", "UNAVAILABLE"]),
    },
  });
  return {
    "/v2/repository/index": { post: index },
    ...(canLoad
      ? {
          "/v2/repository/models/{model}/load": control("load", "Load a model, or load it again"),
          "/v2/repository/models/{model}/unload": control("unload", "Serve a model no longer"),
        }
      : {}),
  };
}

/** The schemas that those operations refer to. */
export function modelExtensionSchemas({ name, version, inputs, outputs }: RestrictedInferenceProcess): JsonObject {
  const object = (properties: JsonObject, required = Object.keys(properties)): JsonObject => ({
    type: "object",
    properties,
    required,
  });
  const string: JsonObject = { type: "string" };
  const tensors: JsonObject = {
    type: "array",
    items: object({ name: string, data_type: string, dims: { type: "array", items: { type: "integer" } } }),
  };
  const ports = (names: readonly string[]): JsonObject =>
    Object.fromEntries(
      names.map((port) => [
        port,
        { type: ["number", "string", "boolean", "array"], description: "One value, or a list of them." },
      ]),
    );
  const state = { enum: ["READY", "LOADING", "UNLOADING", "UNAVAILABLE", "UNKNOWN"] };
  const parameters: JsonObject = { type: ["object", "null"] };
  // A body that may be left out, whose parameters are these.
  const change = (known: JsonObject): JsonObject =>
    nullable(object({ parameters: { ...nullable(object(known, [])), additionalProperties: false } }, []));
  return {
    V2ModelConfig: object({
      name: { const: name },
      platform: string,
      backend: string,
      max_batch_size: { type: "integer", minimum: 0 },
      input: tensors,
      output: tensors,
    }),
    V2GenerateRequest: {
      ...object({ id: nullable(string), parameters, ...ports(Object.keys(inputs)) }, Object.keys(inputs)),
      description: "Inputs by name; what is no input is a parameter, such as `sequence_id`.",
    },
    V2GenerateAnswer: object(
      { model_name: { const: name }, model_version: { const: version }, ...ports(Object.keys(outputs)) },
      ["model_name", "model_version"],
    ),
    V2RepositoryIndexRequest: nullable(object({ ready: { type: "boolean" } }, [])),
    V2RepositoryIndex: { type: "array", items: object({ name: string, version: string, state, reason: string }) },
    V2RepositoryLoad: change({
      config: { type: "string", description: "A ModelConfig in JSON, in place of the directory's config.pbtxt." },
    }),
    V2RepositoryUnload: change({ unload_dependents: { type: "boolean" } }),
    V2Nothing: { type: "object", maxProperties: 0 },
  };
}

/** The tensors of the infer example, flat. */
function generateExample({ v2Request }: Examples): Json {
  const { inputs } = v2Request as { inputs: readonly { name: string; data: Json }[] };
  return Object.fromEntries(inputs.map(({ name, data }) => [name, data]));
}
