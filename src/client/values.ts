/** Values of the plain REST routes as JSON, with what JSON lacks written as V2's JSON form writes it. */

/**
 * Typed arrays become arrays; an integer beyond 2^53 a decimal string; NaN and the infinities the strings "NaN",
 * "Infinity" and "-Infinity".
 */
export function valuesJson(value: unknown): string {
  return JSON.stringify(value, function replace(this: Record<string, unknown>, key: string, seen: unknown): unknown {
    // Node's Buffer has a toJSON of its own, which has already run for `seen`.
    const original = this[key];
    if (ArrayBuffer.isView(original) && !(original instanceof DataView)) return Array.from(original as Uint8Array);
    if (typeof seen === "bigint") return isSafe(seen) ? Number(seen) : String(seen);
    if (typeof seen === "number" && !Number.isFinite(seen)) return String(seen);
    return seen;
  });
}

function isSafe(integer: bigint): boolean {
  return integer >= BigInt(Number.MIN_SAFE_INTEGER) && integer <= BigInt(Number.MAX_SAFE_INTEGER);
}
