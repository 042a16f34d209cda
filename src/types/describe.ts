import { InvalidArgumentError } from "../errors.js";

/** Longer strings are cut in messages: a value may be megabytes. */
const SHOWN = 40;

/** What a value is, in the words of an error message: `1.5`, `"abc"`, `null`, `an array of 3`, `a Float32Array of 512`. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") {
    return value.length <= SHOWN ? JSON.stringify(value) : `${JSON.stringify(value.slice(0, SHOWN))}…`;
  }
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const name = typedArrayName(value);
  if (name !== undefined) return `a ${name} of ${(value as Uint8Array).length}`;
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

export function expected(what: string, value: unknown, path: string): InvalidArgumentError {
  return new InvalidArgumentError(`expected ${what}, got ${describe(value)}`, { path });
}

/** `path.name`, or `path["odd name"]`. */
export function pathTo(path: string, name: string): string {
  if (!/^[\w$-]+$/.test(name)) return `${path}[${JSON.stringify(name)}]`;
  return path === "" ? name : `${path}.${name}`;
}

const tagOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get;

/**
 * The class name of a typed array, undefined for anything else. Unlike `instanceof` it also knows the arrays of other
 * realms (test runners and `node:vm` have their own), and a subclass such as Buffer has the name of its base.
 */
export function typedArrayName(value: unknown): string | undefined {
  return tagOf?.call(value) as string | undefined;
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
