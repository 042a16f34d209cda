/** Compiled, not run: what the type checker has to accept and to refuse. */
import {
  defineCell,
  onnxCell,
  PipelineFactory,
  type PipelineInputs,
  type PipelineOutputs,
} from "../../src/pipeline/index.js";
import { Audio, Boolean as Bool, Float, Integer, Tensor, type TensorValue } from "../../src/types/index.js";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const prove = <T extends true>(): T | undefined => undefined;

const MyCell = defineCell({
  name: "MyCell",
  inputs: { integer: Integer({ title: "Dummy input", description: "Some dummy input" }) },
  outputs: { integer: Integer(), counter: Integer({ description: "Prediction counter" }) },
  parameters: { adder: Integer({ default: 1, title: "Adder" }) },
  state: { counter: Integer({ default: 0 }) },
  call({ inputs, parameters, state, signal }) {
    prove<Equal<typeof inputs.integer, number>>();
    prove<Equal<typeof signal, AbortSignal>>();
    state.counter += 1;
    // @ts-expect-error inputs are read-only
    inputs.integer = 3;
    // @ts-expect-error no such input
    inputs.nothing;
    // @ts-expect-error no such parameter
    parameters.nothing;
    // @ts-expect-error the state is a number
    state.counter = "1";
    return { integer: inputs.integer + parameters.adder, counter: state.counter };
  },
});

const Loud = defineCell({
  name: "Loud",
  inputs: { audio: Audio({ sampleRate: 16_000 }), gain: Float({ default: 1 }) },
  outputs: { loud: Bool() },
  async call({ inputs }) {
    prove<Equal<typeof inputs.audio, TensorValue<"FP32">>>();
    return { loud: (inputs.audio[0] ?? 0) * inputs.gain > 1 };
  },
});

defineCell({
  name: "Wrong",
  inputs: {},
  outputs: { integer: Integer() },
  // @ts-expect-error an output is missing
  call: () => ({}),
});
defineCell({
  name: "Wrong",
  inputs: {},
  outputs: { integer: Integer() },
  // @ts-expect-error an output has the wrong type
  call: () => ({ integer: "1" }),
});
// A plain array is a value of a tensor output.
defineCell({ name: "Plain", inputs: {}, outputs: { tensor: Tensor("FP32", [2]) }, call: () => ({ tensor: [1, 2] }) });

const Vad = onnxCell({
  name: "vad",
  model: "vad.onnx",
  inputs: { audio: { tensor: "input", type: Tensor("FP32", [-1, 512]) }, mask: "mask" },
  outputs: { speech: "output" },
  constants: { sr: 16000n },
  state: [{ input: "state", output: "stateN" }],
  context: { audio: 64 },
});
// @ts-expect-error no such accelerator
onnxCell({ name: "vad", model: "vad.onnx", accelerator: "abacus" });
// @ts-expect-error no such option
onnxCell({ name: "vad", model: "vad.onnx", batch: 3 });

const pf = new PipelineFactory({ name: "MyPipeline" });
const myCell = pf.addCell("my-cell", MyCell);
const loud = pf.addCell("loud", Loud);
const vad = pf.addCell("vad", Vad);
// @ts-expect-error no such input
myCell.inputs.nothing;
// @ts-expect-error no such output
myCell.output("nothing");
// @ts-expect-error an integer is not audio
pf.connect(myCell.outputs.integer, loud.inputs.audio);
// @ts-expect-error an integer is not a tensor
pf.connect(myCell.outputs.integer, vad.inputs.mask);
// @ts-expect-error from an output to an input
pf.connect(myCell.inputs.integer, myCell.outputs.integer);
// @ts-expect-error an input feeds nothing
pf.declareInput("wrong", myCell.outputs.integer);
// @ts-expect-error an output is no input
pf.declareOutput("wrong", myCell.inputs.integer);
pf.connect(myCell.outputs.integer, loud.inputs.gain);
pf.connect(vad.outputs.speech, vad.input("a tensor of the model"));
pf.connect(vad.output("whatever the model says"), loud.inputs.audio);

const pipeline = pf
  .declareInput("input", myCell.inputs.integer)
  .declareInput("audio", [vad.inputs.audio, loud.inputs.audio])
  .declareInput("gain", loud.inputs.gain)
  .declareOutput("output", myCell.outputs.integer)
  .declareOutput("speech", vad.outputs.speech)
  .declareOutput("loud", loud.output("loud"))
  .build();

type Inputs = PipelineInputs<typeof pipeline>;
type Outputs = PipelineOutputs<typeof pipeline>;
prove<Equal<Outputs["output"], number>>();
prove<Equal<Outputs["loud"], boolean>>();
export const good: Inputs[] = [
  { input: 1, audio: new Float32Array(512) },
  { input: 1, audio: [[0.5, "NaN"]], gain: 2 },
];
export function anyBuffer(audio: Float32Array): Inputs {
  return { input: 1, audio };
}
// @ts-expect-error the input has another name
export const badName: Inputs = { inputs: 1, audio: [] };
// @ts-expect-error the input has another type
export const badType: Inputs = { input: "1", audio: [] };
// @ts-expect-error another array class
export const badArray: Inputs = { input: 1, audio: new Float64Array(512) };
// @ts-expect-error an input is missing
export const missing: Inputs = { input: 1 };
// @ts-expect-error there is no such output
export type NoOutput = Outputs["nothing"];

// Declared as plain statements, nothing is known, and nothing is in the way.
const plain = new PipelineFactory({ name: "plain" });
plain.declareInput("input", plain.addCell("cell", MyCell).inputs.integer);
const built = plain.build();
export const anything: PipelineInputs<typeof built> = { input: 1 };
prove<Equal<PipelineOutputs<typeof built>, Readonly<Record<string, unknown>>>>();
