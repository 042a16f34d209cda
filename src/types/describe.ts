import { InvalidArgumentError } from "../errors.js";
import { shown as describe, typedArrayName } from "../shown.js";

export { describe, typedArrayName };

export function expected(what: string, value: unknown, path: string): InvalidArgumentError {
  return new InvalidArgumentError(`expected ${what}, got ${describe(value)}`, { path });
}

/** `path.name`, or `path["odd name"]`. */
export function pathTo(path: string, name: string): string {
  if (!/^[\w$-]+$/.test(name)) return `${path}[${JSON.stringify(name)}]`;
  return path === "" ? name : `${path}.${name}`;
}

/** A record of any kind but an array: what a JSON object becomes. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

/**
 * Whether a string can be UTF-8: no half of a surrogate pair, which would become some other string on the way.
 *
 * ```ts
 * isWellFormed("naïve"); // true
 * isWellFormed("\ud83d"); // false
 * ```
 */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
