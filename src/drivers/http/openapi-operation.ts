/** Operations of the server's own description in OpenAPI 3.1, and what they are put together from. */
import { ERROR_CODES, type ErrorCode } from "../../errors.js";
import type { Json, JsonSchema } from "../../types/index.js";
import { reference } from "./openapi-schemas.js";

type JsonObject = JsonSchema;

export const PREDICTION_ERRORS = [
  "INVALID_ARGUMENT",
  "PAYLOAD_TOO_LARGE",
  "RESOURCE_EXHAUSTED",
  "DEADLINE_EXCEEDED",
  "UNAVAILABLE",
  "CELL_FAILED",
  "INTERNAL",
] as const;

export interface Operation {
  readonly id: string;
  readonly tag: "predictions" | "health" | "v2";
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly JsonObject[];
  readonly body?: JsonObject;
  readonly answers: JsonObject;
}

export function operation({ id, tag, summary, description, parameters, body, answers }: Operation): JsonObject {
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: answers,
  };
}

export function content(schema: string, example?: Json): JsonObject {
  return { "application/json": { schema: reference(schema), ...(example === undefined ? {} : { example }) } };
}

export function body(schema: string, example?: Json): JsonObject {
  return { required: true, content: content(schema, example) };
}

export function answer(description: string, schema: string, example?: Json): JsonObject {
  return { description, content: content(schema, example) };
}

/** Answers outside 2xx, the codes of each status together. */
export function errors(schema: "Error" | "V2Error", codes: readonly ErrorCode[]): JsonObject {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes)
    byStatus.set(ERROR_CODES[code].http, [...(byStatus.get(ERROR_CODES[code].http) ?? []), code]);
  const answers = [...byStatus].map(([status, found]): [string, JsonObject] => {
    const description = found.map((code) => `${code}: ${ERROR_CODES[code].meaning}`).join(" ");
    const headers = found.includes("RESOURCE_EXHAUSTED") ? { headers: { "Retry-After": RETRY_AFTER } } : {};
    return [String(status), { ...answer(description, schema), ...headers }];
  });
  return Object.fromEntries(answers);
}

const RETRY_AFTER: JsonObject = {
  description: "Seconds after which another attempt may succeed.",
  schema: { type: "integer" },
};
