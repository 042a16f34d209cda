// The recurrent model of the benchmarks, served by Headrace and run by onnxruntime-node alone.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { deserialize } from "node:v8";
import ort from "onnxruntime-node";
import { Inference, onnxCell, PipelineFactory } from "../../../dist/index.js";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
export const GRU = join(ROOT, "bench", "models", "gru512.onnx");
export const WIDTH = 512;
export const OUTPUTS = 8;
const STATE = 64;
/** "HRPS" and a version are before the record of an exported state. */
const EXPORT_HEAD = 8;

/**
 * The model as an inference of one cell, `gru`, in a pipeline of that name.
 * @param {object} [cell]  options of the cell
 * @param {object} [inference]  options of the inference
 */
export function gruInference(cell = {}, inference = {}) {
  const factory = new PipelineFactory({ name: "gru" });
  const handle = factory.addCell("gru", onnxCell({ name: "gru", model: GRU, ...cell }));
  factory.declareInput("input", handle.input("input")).declareOutput("output", handle.output("output"));
  return new Inference({ pipeline: factory.build(), ...inference });
}

/**
 * The floats of an exported state, of a pipeline with one model: the last of the bytes that the engine gave.
 * @param {Uint8Array} exported
 */
export function stateFloats(exported, count = STATE) {
  const [bytes] = deserialize(exported.subarray(EXPORT_HEAD)).models.values();
  return new Float32Array(Uint8Array.from(bytes.subarray(bytes.length - count * 4)).buffer);
}

export const initialState = () => new Float32Array(STATE);

/** The model without Headrace, one row at a time. */
export class GruReference {
  #session;

  /** @param {ort.InferenceSession} session */
  constructor(session) {
    this.#session = session;
  }

  static async load() {
    return new GruReference(await ort.InferenceSession.create(GRU, { intraOpNumThreads: 1 }));
  }

  width = WIDTH;
  initial = initialState;

  /**
   * One step from a state, which stays as it is.
   * @param {Float32Array} input @param {Float32Array} state
   * @returns {Promise<{ output: Float32Array, state: Float32Array }>}
   */
  async step(input, state) {
    const feeds = {
      input: new ort.Tensor("float32", input, [1, WIDTH]),
      state: new ort.Tensor("float32", state, [1, STATE]),
    };
    const { output, stateN } = await this.#session.run(feeds);
    return { output: output.data.slice(), state: stateN.data.slice() };
  }

  release() {
    return this.#session.release();
  }
}

/** One input, in -1 to 1. @param {ReturnType<import("./random.mjs").randomOf>} random */
export function rowOf(random, length = WIDTH) {
  return Float32Array.from({ length }, () => random.next() * 2 - 1);
}

/** How far apart two rows are; infinitely where they cannot be compared. @param {ArrayLike<number>} found */
export function distance(found, wanted) {
  if (found.length !== wanted.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < wanted.length; i++) {
    const apart = Object.is(found[i], wanted[i]) ? 0 : Math.abs(found[i] - wanted[i]);
    if (!(apart <= worst)) worst = Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart;
  }
  return worst;
}
