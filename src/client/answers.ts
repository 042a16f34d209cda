/** Reading what the server answers. A good status with a body that makes no sense is the server's fault: INTERNAL. */
import { HeadraceError, toHeadraceError } from "../errors.js";
import {
  byName,
  decodeInferResponse,
  errorOfRest,
  HEADER_LENGTH_FIELD,
  parseHeaderLength,
  parseJson,
  utf8Text,
} from "../protocol/index.js";
import type { HttpAnswer } from "./http.js";
import type { InferAnswer, StepOptions, Values } from "./options.js";
import { valuesJson } from "./values.js";

/** The body of POST /predict and POST /tasks. Options that are not set are not sent. */
export function predictBody(inputs: Readonly<Values>, { stateId, start, end, timeoutMs }: StepOptions): string {
  return valuesJson({ inputs, stateId, start, end, timeoutMs: timeoutMs === Infinity ? undefined : timeoutMs });
}

export function jsonOf(answer: HttpAnswer): unknown {
  return readable(() => parseJson(utf8Text(answer.body, "body"), "body"));
}

export function jsonField(json: unknown, name: string): unknown {
  const value = typeof json === "object" && json !== null ? (json as Record<string, unknown>)[name] : undefined;
  if (value === undefined) throw new HeadraceError("INTERNAL", `the server's answer has no "${name}"`);
  return value;
}

export function inferAnswer({ headers, body }: HttpAnswer): InferAnswer {
  return readable(() => {
    const response = decodeInferResponse(body, parseHeaderLength(headers.get(HEADER_LENGTH_FIELD) ?? ""));
    const { modelName, modelVersion, id, outputs } = response;
    return { modelName, modelVersion, id, outputs: byName(outputs) };
  });
}

/** The error of a failed task. */
export function taskError(error: unknown): HeadraceError {
  return (
    errorOfRest(error, "INTERNAL") ?? new HeadraceError("INTERNAL", "the server's answer has an error without text")
  );
}

/** A deadline's error with what went wrong last, which is what somebody will want to know. */
export function explained(reason: HeadraceError, last: unknown): HeadraceError {
  if (last === undefined || reason.code !== "DEADLINE_EXCEEDED") return reason;
  return new HeadraceError(reason.code, `${reason.message}; last: ${toHeadraceError(last).message}`, { cause: last });
}

function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    const cause = toHeadraceError(error);
    throw new HeadraceError("INTERNAL", `the server's answer cannot be read: ${cause.message}`, { cause });
  }
}
