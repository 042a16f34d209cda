/**
 * Voice activity detection, one state per stream: `headrace serve examples/vad/vad.mjs`.
 *
 * A step takes 512 samples at 16 kHz (32 ms) in -1..1 and gives the probability that somebody speaks. The model's
 * recurrent state and the 64 samples before each step stay in the engine, per state id.
 */
import { Inference, onnxCell, PipelineFactory, Tensor } from "headrace";

const vad = onnxCell({
  name: "silero-vad",
  model: "silero_vad_16k_op15.onnx",
  baseUrl: import.meta.url,
  inputs: { audio: { tensor: "input", type: Tensor("FP32", [-1, 512]) } },
  outputs: { speech: { tensor: "output", type: Tensor("FP32", [-1, 1]) } },
  constants: { sr: 16000n },
  state: [{ input: "state", output: "stateN" }],
  context: { audio: 64 },
});

const factory = new PipelineFactory({ name: "silero-vad" });
const cell = factory.addCell("vad", vad);
const pipeline = factory.declareInput("audio", cell.inputs.audio).declareOutput("speech", cell.outputs.speech).build();

export default new Inference({ pipeline });
