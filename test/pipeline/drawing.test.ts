import t from "tap";
import { defineCell, onnxCell, PipelineFactory } from "../../src/pipeline/index.js";
import { Integer, Tensor } from "../../src/types/index.js";

const NASTY = `</TD> & "quoted" 'single' \\N \u0001`;
const Count = defineCell({
  name: NASTY,
  inputs: { [NASTY]: Integer() },
  outputs: { count: Integer() },
  state: { total: Integer({ default: 0 }) },
  call: () => ({ count: 1 }),
});
const Vad = onnxCell({
  name: "vad",
  model: "/models/silero.onnx",
  outputs: { speech: { tensor: "output", type: Tensor("FP32", [-1, 1]) } },
  context: { audio: 64 },
});

function example() {
  const pf = new PipelineFactory({ name: NASTY });
  const count = pf.addCell("a\\", Count);
  const vad = pf.addCell("vad", Vad);
  return pf
    .declareInput(NASTY, count.input(NASTY))
    .declareInput("audio", vad.input("audio"))
    .declareOutput("count", count.outputs.count)
    .declareOutput("speech", vad.outputs.speech)
    .build();
}

function unescaped(xml: string): string {
  const named: Record<string, string> = { "&quot;": '"', "&lt;": "<", "&gt;": ">", "&amp;": "&" };
  return xml
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
    .replace(/&\w+;/g, (entity) => named[entity] ?? entity);
}

t.test("the drawing has cells, types, states, and the virtual source and sink", async (t) => {
  const dot = example().toDot();
  for (const text of ["source", "sink", "Integer", "Tensor FP32[-1,1]", "ModelTensor", "ONNX · silero.onnx"]) {
    t.ok(dot.includes(text), text);
  }
  t.ok(dot.includes("state: total"));
  t.ok(dot.includes("state: last 64 of audio"));
  for (const edge of ["source:out0:e -> cell0:in0:w", "source:out1:e -> cell1:in0:w", "cell1:out0:e -> sink:in1:w"]) {
    t.ok(dot.includes(edge), edge);
  }
});

t.test("names of any kind come out as they are", async (t) => {
  const svg = await example().toSVG();
  const named = unescaped(svg).split(`</TD> & "quoted" 'single' \\N \ufffd`).length - 1;
  t.equal(named, 4, "the pipeline's title, its input, the cell's definition and its port");
  t.notOk(svg.includes("</TD>"));
});

t.test("a cell without inputs or a pipeline without any can be drawn", async (t) => {
  const pf = new PipelineFactory({ name: "none" });
  const Zero = defineCell({ name: "Zero", inputs: {}, outputs: { zero: Integer() }, call: () => ({ zero: 0 }) });
  const svg = await pf.declareOutput("zero", pf.addCell("zero", Zero).outputs.zero).build().toSVG();
  t.match(svg, /<svg[^>]*>/);
});
