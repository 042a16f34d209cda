/** Codes and errors of the addon as errors of ours. */
import { HeadraceError, isErrorCode } from "../errors.js";
import { NATIVE_CODES, type NativeDone } from "./surface.js";

/** An error thrown by the addon, which carries its code. */
export function fromNative(error: unknown): HeadraceError {
  if (error instanceof HeadraceError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return new HeadraceError(isErrorCode(code) ? code : "INTERNAL", message, { cause: error });
}

/** What the addon is done with later, as a promise. Rejects with HeadraceError. */
export function fromNativeDone<Value>(begin: (done: NativeDone<Value>) => void): Promise<Value> {
  return new Promise<Value>((resolve, reject) => {
    begin((error, value) => {
      if (error === undefined) resolve(value);
      else reject(error);
    });
  }).catch((error: unknown) => {
    throw fromNative(error);
  });
}

/** What a step's negative or completion code stands for; `message` says it in words. */
export function stepError(code: number, message: string): HeadraceError {
  const name = NATIVE_CODES[Math.abs(code)] ?? "INTERNAL";
  if (name === "OK" || !isErrorCode(name)) return new HeadraceError("INTERNAL", "a step ended without an outcome");
  return new HeadraceError(name, message);
}

/** Why a state was not exported or imported. */
export function stateError(code: number, stateId: string): HeadraceError {
  const name = NATIVE_CODES[code];
  if (name === "NOT_FOUND") return new HeadraceError("NOT_FOUND", `there is no state '${stateId}'`);
  if (name === "UNAVAILABLE")
    return new HeadraceError("UNAVAILABLE", `state '${stateId}' has a step under way; try between steps`);
  if (name === "RESOURCE_EXHAUSTED") return new HeadraceError("RESOURCE_EXHAUSTED", "the table of states is full");
  return new HeadraceError("INVALID_ARGUMENT", "not a state of this model (other model, shape or version)", {
    path: "state",
  });
}
