/** What options a prediction may have. */
import { InvalidArgumentError } from "../errors.js";
import { shown } from "../shown.js";
import { isWellFormed } from "../types/index.js";
import type { PredictOptions } from "./restricted.js";

const OPTION_NAMES = new Set(["stateId", "start", "end", "timeoutMs", "signal", "priority"]);

/**
 * Refuses options that `predict` would refuse, for those who answer before they predict.
 *
 * @throws InvalidArgumentError with the name of the option as its path.
 */
export function checkPredictOptions(options: PredictOptions): void {
  // A misspelt stateId would be a prediction without one, and nobody would notice.
  for (const name in options) {
    if (OPTION_NAMES.has(name)) continue;
    throw new InvalidArgumentError(`is not an option; there are ${[...OPTION_NAMES].join(", ")}`, { path: name });
  }
  const { timeoutMs, priority, stateId, start, end } = options;
  if (timeoutMs !== undefined && !(timeoutMs > 0 && timeoutMs < 2 ** 31)) {
    throw new InvalidArgumentError(`expected milliseconds above 0, got ${shown(timeoutMs)}`, { path: "timeoutMs" });
  }
  if (priority !== undefined && !(Number.isInteger(priority) && priority >= 0 && priority <= 255)) {
    throw new InvalidArgumentError(`expected an integer from 0 to 255, got ${shown(priority)}`, { path: "priority" });
  }
  if (stateId !== undefined && (typeof stateId !== "string" || stateId === "")) {
    throw new InvalidArgumentError("expected a string that is not empty", { path: "stateId" });
  }
  if (stateId !== undefined && !isWellFormed(stateId)) {
    throw new InvalidArgumentError("has half of a surrogate pair", { path: "stateId" });
  }
  if (stateId === undefined && (start || end)) {
    throw new InvalidArgumentError("start and end need a stateId", { path: start ? "start" : "end" });
  }
}
