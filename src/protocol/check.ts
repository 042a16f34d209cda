/** The small checks that every decoder makes, with one way to say what is wrong and where. */
import { HeadraceError, InvalidArgumentError } from "../errors.js";

export function fail(path: string, message: string): never {
  throw new InvalidArgumentError(message, { path });
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `null` counts as absent: several V2 clients write their unset options so. */
export function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

export function objectAt(value: unknown, path: string): JsonObject {
  return isObject(value) ? value : fail(path, `expected an object, got ${show(value)}`);
}

export function arrayAt(value: unknown, path: string): readonly unknown[] {
  return Array.isArray(value) ? value : fail(path, `expected an array, got ${show(value)}`);
}

export function nameAt(value: unknown, path: string): string {
  if (typeof value === "string" && value !== "") return value;
  return fail(path, `expected a name, got ${show(value)}`);
}

export function optionalString(value: unknown, path: string): string | undefined {
  if (isAbsent(value)) return undefined;
  return typeof value === "string" ? value : fail(path, `expected a string, got ${show(value)}`);
}

export function optionalBoolean(value: unknown, path: string): boolean | undefined {
  if (isAbsent(value)) return undefined;
  return typeof value === "boolean" ? value : fail(path, `expected true or false, got ${show(value)}`);
}

/** A non-negative integer that a number holds exactly. */
export function optionalCount(value: unknown, path: string): number | undefined {
  if (isAbsent(value)) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  return fail(path, `expected an integer from 0 to 2^53 - 1, got ${show(value)}`);
}

/** Parts of V2 that Headrace has not: answering something else than what was asked for would be worse than refusing. */
export function refuseUnimplemented(parameters: JsonObject, path: string, names: readonly string[]): void {
  for (const name of names) {
    if (isAbsent(parameters[name])) continue;
    throw new HeadraceError("UNIMPLEMENTED", "not supported by this server", { path: `${path}.parameters.${name}` });
  }
}

/** A value in the words of an error message, never longer than a line. */
export function show(value: unknown): string {
  if (isAbsent(value)) return value === null ? "null" : "nothing";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object") return "an object";
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  return String(value);
}
