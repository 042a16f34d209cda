/** The description of a server with several models: what each has of its own under the model's name, the rest once. */
import type { RestrictedInferenceProcess } from "../../runtime/index.js";
import type { Json, JsonSchema } from "../../types/index.js";
import { VERSION } from "../../version.js";
import { openApi } from "./openapi.js";
import { taskSchema } from "./openapi-schemas.js";

type JsonObject = JsonSchema;

/** Schemas that are the same whatever the model is. */
const SHARED_SCHEMAS = new Set([
  "Error",
  "ErrorDetails",
  "Live",
  "Ready",
  "Task",
  "TaskAccepted",
  "V2Error",
  "V2Duration",
  "V2Nothing",
  "V2RepositoryIndex",
  "V2RepositoryIndexRequest",
  "V2RepositoryLoad",
  "V2RepositoryUnload",
  "V2ServerMetadata",
  "V2Statistics",
]);
/** Where any model's tasks are. */
const Task = taskSchema({ type: "object", description: "The outputs of the task's model, by name." });
const REFERENCE = "#/components/schemas/";

/** The document for these models; for a single one that of `openApi`. */
export function openApiOf(models: readonly RestrictedInferenceProcess[]): JsonObject {
  const [only, ...others] = models;
  if (only !== undefined && others.length === 0) return openApi(only);
  const parts = models.map(partOf);
  const names = models.map(({ name, version }) => `\`${name}\` (version ${version})`).join(", ") || "none yet";
  return {
    openapi: "3.1.0",
    info: { title: "headrace", version: VERSION, description: `Models served by Headrace: ${names}.` },
    servers: [{ url: "." }],
    paths: Object.assign({}, ...parts.map(({ paths }) => paths)),
    components: { schemas: Object.assign({}, ...parts.map(({ schemas }) => schemas), { Task }) },
  };
}

function partOf(model: RestrictedInferenceProcess): { paths: JsonObject; schemas: JsonObject } {
  const key = `${model.name.replace(/[^\w.-]/g, "_")}.v${model.version}`;
  const own = (text: string): string => (SHARED_SCHEMAS.has(text) ? text : `${key}.${text}`);
  const visit = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(visit);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value).map(([field, inner]): [string, Json] => {
        if (field === "$ref" && typeof inner === "string" && inner.startsWith(REFERENCE)) {
          return [field, `${REFERENCE}${own(inner.slice(REFERENCE.length))}`];
        }
        return [field, visit(inner)];
      }),
    );
  };
  const { paths, components } = openApi(model) as { paths: JsonObject; components: { schemas: JsonObject } };
  const schemas = Object.entries(components.schemas as Record<string, Json>).map(([name, schema]) => [
    own(name),
    visit(schema),
  ]);
  const moved = Object.entries(paths as Record<string, Json>).map(([path, item]) =>
    movedPath(path, visit(item), model, key),
  );
  return { paths: Object.fromEntries(moved), schemas: Object.fromEntries(schemas) as JsonObject };
}

/** A path with the model's name in it, where it is about the model. */
function movedPath(
  path: string,
  item: Json,
  { name, version }: RestrictedInferenceProcess,
  key: string,
): [string, Json] {
  const encoded = encodeURIComponent(name);
  const isPlain = path === "/predict" || path === "/tasks";
  if (isPlain) return [`/models/${encoded}/versions/${version}${path}`, withoutModel(item, key)];
  if (!path.startsWith("/v2/models/{model}")) return [path, item];
  const place = path.includes("{version}") ? path : path.replace("{model}", "{model}/versions/{version}");
  return [place.replace("{model}", encoded).replace("{version}", version), withoutModel(item, key)];
}

/** Operations whose path says which model they are for. */
function withoutModel(item: Json, key: string): Json {
  const operations = Object.entries(item as Record<string, JsonObject>).map(([method, operation]) => {
    const { parameters, operationId } = operation as { parameters?: { name: string }[]; operationId: string };
    const left = parameters?.filter((parameter) => parameter.name !== "model" && parameter.name !== "version");
    const named = { ...operation, operationId: `${operationId}_${key}` };
    return [method, left === undefined ? named : { ...named, parameters: left }];
  });
  return Object.fromEntries(operations) as Json;
}
