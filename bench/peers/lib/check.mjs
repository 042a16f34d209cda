// Nobody is measured doing less work: before a server's load the first steps of some streams, several streams at a time,
// must give what ONNX Runtime gives for the same steps one by one.

import { InferenceSession, Tensor } from "onnxruntime-node";
import { GRU_MODEL } from "../../lib/paths.mjs";

const STREAMS = 16;
const STEPS = 5;
const TOLERANCE = 1e-5;
const TIMEOUT_MS = 30_000;

/**
 * @typedef {(client: import("./forms.mjs").Client, firstStream: number) => Promise<number>} Check
 *   resolves with the largest difference; rejects when it is more than 1e-5
 */

/**
 * Runs the model once for all servers.
 * @returns {Promise<Check>}
 */
export async function prepareCheck() {
  const inputs = Array.from({ length: STREAMS }, (_, stream) =>
    Array.from({ length: STEPS }, (_, step) => noise(1 + stream * STEPS + step)),
  );
  const expected = await Promise.all(inputs.map(expectedOutputs));
  return async (client, firstStream) => {
    const differences = await withTimeout(
      Promise.all(inputs.map((steps, index) => follow(client, firstStream + index, steps, expected[index]))),
    );
    return Math.max(...differences);
  };
}

async function follow(client, stream, steps, expected) {
  let largest = 0;
  for (const [index, input] of steps.entries()) {
    const output = await client.step(stream, input);
    if (output.length !== expected[index].length) {
      throw new Error(`an answer of ${output.length} numbers, not ${expected[index].length}`);
    }
    for (const [place, value] of output.entries()) {
      const difference = Math.abs(value - expected[index][place]);
      // Written so that NaN is refused too.
      if (!(difference <= TOLERANCE)) {
        throw new Error(
          `wrong answer: step ${index + 1} of stream ${stream} has ${value} at ${place}, not ${expected[index][place]}`,
        );
      }
      largest = Math.max(largest, difference);
    }
  }
  return largest;
}

async function expectedOutputs(steps) {
  const session = await InferenceSession.create(GRU_MODEL, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const outputs = [];
  let state = new Float32Array(64);
  for (const input of steps) {
    const results = await session.run({
      input: new Tensor("float32", input, [1, input.length]),
      state: new Tensor("float32", state, [1, state.length]),
    });
    outputs.push(results.output.data);
    state = results.stateN.data;
  }
  await session.release();
  return outputs;
}

/** As large as the generator's, and the same in every run. */
function noise(seed) {
  let random = seed >>> 0;
  return Float32Array.from({ length: 512 }, () => {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    return (random / 2 ** 32 - 0.5) / 5;
  });
}

async function withTimeout(promise) {
  let timer;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`no answers to the first steps within ${TIMEOUT_MS / 1000} s`)),
      TIMEOUT_MS,
    );
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
