/** Models run by onnxruntime-node, one step of one stream at a time: what every other way to run them must equal. */
import { InferenceSession, Tensor } from "onnxruntime-node";
import { GRU, SILERO } from "./paths.js";

/** Equal means this close: batches may add up in another order. */
export const TOLERANCE = 1e-5;

/** One stream: its own state, from the initial one on. */
export interface ReferenceStream {
  step(input: Float32Array): Promise<Float32Array>;
  reset(): void;
}

function floats(outputs: InferenceSession.OnnxValueMapType, name: string): Float32Array {
  const data = outputs[name]?.data;
  if (data instanceof Float32Array) return data;
  throw new Error(`the reference gave no FP32 '${name}'`);
}

/** input [N, 512], state [N, 64] -> output [N, 8], stateN. */
export class GruReference {
  private constructor(private readonly session: InferenceSession) {}

  static async load(): Promise<GruReference> {
    return new GruReference(await InferenceSession.create(GRU, { intraOpNumThreads: 1 }));
  }

  stream(): ReferenceStream {
    let state = new Float32Array(64);
    return {
      step: async (input) => {
        const feeds = { input: new Tensor("float32", input, [1, 512]), state: new Tensor("float32", state, [1, 64]) };
        const outputs = await this.session.run(feeds);
        state = floats(outputs, "stateN").slice();
        return floats(outputs, "output").slice();
      },
      reset: () => {
        state = new Float32Array(64);
      },
    };
  }
}

const CONTEXT = 64;
export const VAD_STEP = 512;

/** input [1, 576]: the 64 samples before the step and its 512; state [2, 1, 128], sr -> output [1, 1], stateN. */
export class VadReference {
  private constructor(private readonly session: InferenceSession) {}

  static async load(): Promise<VadReference> {
    return new VadReference(await InferenceSession.create(SILERO, { intraOpNumThreads: 1 }));
  }

  /** The probability of speech of each whole step of 512 samples. */
  async probabilities(samples: Float32Array): Promise<number[]> {
    let state = new Float32Array(2 * 128);
    const input = new Float32Array(CONTEXT + VAD_STEP);
    const sr = new Tensor("int64", BigInt64Array.of(16_000n), []);
    const probabilities: number[] = [];
    for (const step of vadSteps(samples)) {
      input.copyWithin(0, VAD_STEP);
      input.set(step, CONTEXT);
      const outputs = await this.session.run({
        input: new Tensor("float32", input.slice(), [1, CONTEXT + VAD_STEP]),
        state: new Tensor("float32", state, [2, 1, 128]),
        sr,
      });
      state = floats(outputs, "stateN").slice();
      probabilities.push(floats(outputs, "output")[0] ?? Number.NaN);
    }
    return probabilities;
  }
}

/** The whole steps of a recording. */
export function vadSteps(samples: Float32Array): Float32Array[] {
  const count = Math.floor(samples.length / VAD_STEP);
  return Array.from({ length: count }, (_, i) => samples.slice(i * VAD_STEP, (i + 1) * VAD_STEP));
}

/** The largest difference between two rows of numbers; NaN or a different length is infinitely far. */
export function distance(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  if (found.length !== wanted.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < wanted.length; i++) {
    const apart = Math.abs((found[i] as number) - (wanted[i] as number));
    if (!(apart <= worst)) worst = Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart;
  }
  return worst;
}
