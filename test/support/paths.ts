/** Where the files that tests use lie. */
import { fileURLToPath } from "node:url";

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const ROOT = at("");
/** The command as users run it; `npm test` builds it first. */
export const CLI = at("dist/cli/main.js");
export const GRU = at("bench/models/gru512.onnx");
export const SILERO = at("examples/vad/silero_vad_16k_op15.onnx");
export const VAD_MODULE = at("examples/vad/vad.mjs");
export const RECORDINGS = [
  at("examples/vad/sense_and_sensibility_01_austen_64kb-0870.wav"),
  at("examples/vad/sense_and_sensibility_01_austen_64kb-0920.wav"),
] as const;

/** One of the small models of test/fixtures/models, by its name. */
export const fixture = (name: string): string => at(`test/fixtures/models/${name}.onnx`);
