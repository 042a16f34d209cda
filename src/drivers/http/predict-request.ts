import { InvalidArgumentError } from "../../errors.js";
import { canonicalSequenceId } from "../../protocol/index.js";
import type { PredictOptions } from "../../runtime/index.js";

const PREDICT_FIELDS = ["inputs", "stateId", "start", "end", "timeoutMs", "priority"];

/** The body of POST /predict, checked. */
export function predictRequest(body: unknown): { inputs: Record<string, unknown>; options: PredictOptions } {
  if (!isObject(body)) throw new InvalidArgumentError('expected an object, e.g. {"inputs": {…}}', { path: "body" });
  for (const name of Object.keys(body)) {
    if (PREDICT_FIELDS.includes(name)) continue;
    throw new InvalidArgumentError(`is not a known field; there are ${PREDICT_FIELDS.join(", ")}`, { path: name });
  }
  const { inputs } = body;
  if (!isObject(inputs)) throw new InvalidArgumentError("expected an object of named values", { path: "inputs" });
  const options: PredictOptions = {};
  const stateId = canonicalSequenceId(body.stateId, "stateId");
  if (stateId !== undefined) options.stateId = stateId;
  for (const name of ["start", "end"] as const) {
    const value = body[name];
    if (value === undefined) continue;
    if (typeof value !== "boolean") throw new InvalidArgumentError("expected true or false", { path: name });
    options[name] = value;
  }
  for (const name of ["timeoutMs", "priority"] as const) {
    const value = body[name];
    if (value === undefined) continue;
    if (typeof value !== "number") throw new InvalidArgumentError("expected a number", { path: name });
    options[name] = value;
  }
  return { inputs, options };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
