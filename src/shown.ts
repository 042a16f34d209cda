/** Values in error messages. */

/** Longer strings are cut in messages: a value may be megabytes. */
const SHOWN = 40;

/** What a value is, in the words of an error message: `1.5`, `"abc"`, `null`, `an array of 3`, `a Float32Array of 512`. */
export function shown(value: unknown): string {
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

const tagOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get;

/**
 * The class name of a typed array, undefined for anything else. Unlike `instanceof` it also knows the arrays of other
 * realms (test runners and `node:vm` have their own), and a subclass such as Buffer has the name of its base.
 */
export function typedArrayName(value: unknown): string | undefined {
  return tagOf?.call(value) as string | undefined;
}
