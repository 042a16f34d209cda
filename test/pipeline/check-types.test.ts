import t from "tap";
import { type CellPorts, checkTypes, defineCell, onnxCell, PipelineFactory } from "../../src/pipeline/index.js";
import { Tensor } from "../../src/types/index.js";

const rows = Tensor("FP32", [-1, 512]);
const probability = Tensor("FP32", [-1, 1]);
const Sum = defineCell({
  name: "Sum",
  inputs: { x: probability },
  outputs: { x: probability },
  call: ({ inputs }) => ({ x: inputs.x }),
});

function example() {
  const pf = new PipelineFactory({ name: "test" });
  const vad = pf.addCell("vad", onnxCell({ name: "vad", model: "vad.onnx" }));
  const sum = pf.addCell("sum", Sum);
  pf.connect(vad.output("speech"), sum.inputs.x);
  return pf
    .declareInput("audio", vad.input("audio"))
    .declareOutput("x", sum.outputs.x)
    .declareOutput("speech", vad.output("speech"))
    .build();
}

const resolved = (ports: CellPorts) => new Map([["vad", ports]]);

t.test("the interface has the types that the model brought", async (t) => {
  const pipeline = example();
  t.equal(pipeline.inputs.audio?.type.kind, "ModelTensor");
  const types = checkTypes(pipeline, resolved({ inputs: { audio: rows }, outputs: { speech: probability } }));
  t.equal(types.inputs.audio, rows);
  t.equal(types.outputs.speech, probability);
  t.equal(types.outputs.x, probability);
});

t.test("what does not fit the model is refused, with the ends", async (t) => {
  const refused = (ports: CellPorts, message: string | RegExp) =>
    t.throws(() => checkTypes(example(), resolved(ports)), { code: "PIPELINE_INVALID", message });
  refused(
    { inputs: { audio: rows }, outputs: { speech: Tensor("FP16", [-1, 1]) } },
    /^vad\.speech \(Tensor FP16\[-1,1\]\) cannot feed sum\.x \(Tensor FP32\[-1,1\]\): FP16 is not FP32/,
  );
  refused(
    { inputs: { input: rows }, outputs: { speech: probability } },
    "There is no vad.audio: the model's inputs are: input.",
  );
  refused({ inputs: { audio: rows }, outputs: {} }, "There is no vad.speech: the model's outputs are: none.");
  refused(
    { inputs: { audio: rows, mask: rows }, outputs: { speech: probability } },
    /^Nothing feeds vad\.mask \(Tensor FP32\[-1,512\]\)/,
  );
  t.throws(() => checkTypes(example(), new Map()), { code: "INTERNAL" });
});
