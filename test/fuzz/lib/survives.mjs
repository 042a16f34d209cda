// What a decoder may do with anything: understand it, or throw its own error.

/**
 * @template T
 * @param {() => T} decode
 * @param {readonly string[]} codes of the errors that are an answer
 * @returns {T | undefined} undefined: it was refused
 */
export function survives(decode, codes = ["INVALID_ARGUMENT", "UNIMPLEMENTED", "PAYLOAD_TOO_LARGE"]) {
  try {
    return decode();
  } catch (error) {
    if (codes.includes(error?.code)) return undefined;
    throw error;
  }
}

/** @param {boolean} holds @param {string} what */
export function demand(holds, what) {
  if (!holds) throw new Error(`does not hold: ${what}`);
}
