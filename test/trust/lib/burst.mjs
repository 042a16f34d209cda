// What the ways to step a served model have in common: bursts of steps, and what becomes of them on the wire.

/**
 * What one burst of steps is: rows of one state id, or of none, in order. `start` is of the first one, `end` of the last;
 * `aborted` is the index of one that is cancelled before it is submitted, where a way can do that.
 * @typedef {{ stateId: string | undefined, rows: Float32Array[], start: boolean, end: boolean, aborted?: number }} Burst
 *
 * Steps a burst; of each row its output, or the code of the error that it was answered with.
 * @typedef {(burst: Burst) => Promise<(Float32Array | string)[]>} Way
 */

/** An error that the server answered with. */
export function refused(code, text) {
  return Object.assign(new Error(`${code}: ${text}`), { code });
}

/** Of HTTP and of gRPC. */
export const CODES = { 400: "INVALID_ARGUMENT", 3: "INVALID_ARGUMENT" };

/** What comes of a step: its output, or the code of its error. */
export async function outcomeOf(step) {
  try {
    return await step;
  } catch (error) {
    if (error.code === undefined) throw error;
    return error.code;
  }
}

export const floats = (bytes) => new Float32Array(Uint8Array.from(bytes).buffer);
export const bytesOf = (row) => Buffer.from(row.buffer, row.byteOffset, row.byteLength);

/** The parameters of row `i` of a burst, as V2 has them. */
export function parameters({ stateId, rows, start, end }, i) {
  if (stateId === undefined) return {};
  const flags = { sequence_start: start && i === 0, sequence_end: end && i === rows.length - 1 };
  return { sequence_id: stateId, ...flags };
}

/** The options of row `i` of a burst, as plain JSON and `predict` have them. */
export function options({ stateId, rows, start, end }, i) {
  return stateId === undefined ? {} : { stateId, start: start && i === 0, end: end && i === rows.length - 1 };
}

export async function oneByOne(burst, step) {
  const outcomes = [];
  for (let i = 0; i < burst.rows.length; i++) outcomes.push(await outcomeOf(step(burst.rows[i], i)));
  return outcomes;
}

export function v2Json(row, parameters) {
  const inputs = [{ name: "input", datatype: "FP32", shape: [1, row.length], data: [...row] }];
  return JSON.stringify({ parameters, inputs });
}

export function v2Outputs(text) {
  const { error, code, outputs } = JSON.parse(text);
  if (error !== undefined) throw refused(code, error);
  return Float32Array.from(outputs[0].data);
}
