import t from "tap";
import { defineCell, type OutputPort, onnxCell, PipelineFactory } from "../../src/pipeline/index.js";
import { Audio, Float, Integer, MODEL_TENSOR, Tensor, String as Text } from "../../src/types/index.js";

const Add = defineCell({
  name: "Add",
  inputs: { a: Integer(), b: Integer({ default: 1 }) },
  outputs: { sum: Integer() },
  call: ({ inputs }) => ({ sum: inputs.a + inputs.b }),
});
const Print = defineCell({
  name: "Print",
  inputs: { number: Float() },
  outputs: { text: Text() },
  call: ({ inputs }) => ({ text: `${inputs.number}` }),
});
const Model = onnxCell({ name: "model", model: "m.onnx", inputs: { x: "input" }, outputs: { y: "output" } });

const factory = () => new PipelineFactory({ name: "test" });
const invalid = (message: string | RegExp) => ({ code: "PIPELINE_INVALID", message });

t.test("a pipeline knows its cells, connections, interface and order", async (t) => {
  const pf = factory();
  const print = pf.addCell("print", Print);
  const add = pf.addCell("add", Add);
  pf.connect(add.outputs.sum, print.inputs.number);
  const pipeline = pf.declareInput("n", add.inputs.a).declareOutput("text", print.outputs.text).build();
  t.same(pipeline.order, ["add", "print"]);
  t.equal(pipeline.cells.add, Add);
  t.same(pipeline.edges, [{ from: { cell: "add", port: "sum" }, to: { cell: "print", port: "number" } }]);
  t.same(pipeline.inputs, { n: { type: Add.inputs.a, targets: [{ cell: "add", port: "a" }] } });
  t.same(pipeline.outputs, { text: { type: Print.outputs.text, source: { cell: "print", port: "text" } } });
  t.equal(pipeline.name, "test");
  t.ok([pipeline, pipeline.cells, pipeline.edges, pipeline.inputs, pipeline.outputs].every(Object.isFrozen));
});

t.test("as plain statements, and built twice, without changing what was built", async (t) => {
  const pf = factory();
  const add = pf.addCell("add", Add);
  pf.declareInput("a", add.inputs.a);
  pf.declareOutput("sum", add.outputs.sum);
  const first = pf.build();
  pf.declareInput("b", add.inputs.b);
  t.same(Object.keys(first.inputs), ["a"]);
  t.same(Object.keys(pf.build().inputs), ["a", "b"]);
});

t.test("a port is always the same object, by property or by name", async (t) => {
  const pf = factory();
  const [add, model] = [pf.addCell("add", Add), pf.addCell("model", Model)];
  t.equal(add.input("a"), add.inputs.a);
  t.equal(model.output("y"), model.outputs.y);
  t.equal(model.input("other"), model.input("other"));
  t.equal(model.input("other").type, MODEL_TENSOR);
  const { input } = pf.addCell("typo", Add) as { input(name: string): unknown };
  t.throws(() => input("c"), invalid('The cell "typo" has no input "c"; it has: a, b.'));
  t.throws(() => input("toString"), invalid(/has no input "toString"/));
});

t.test("a cycle is refused, with the cells in it and no others", async (t) => {
  const pf = factory();
  const [a, b, c] = [pf.addCell("a", Add), pf.addCell("b", Add), pf.addCell("c", Add)];
  pf.connect(a.outputs.sum, b.inputs.a);
  pf.connect(b.outputs.sum, a.inputs.a);
  pf.connect(b.outputs.sum, c.inputs.a);
  pf.declareOutput("sum", c.outputs.sum);
  t.throws(() => pf.build(), invalid(/^The cells (a -> b -> a|b -> a -> b) feed each other in a cycle; /));
  const self = factory();
  const own = self.addCell("own", Add);
  self.connect(own.outputs.sum, own.inputs.a).declareOutput("sum", own.outputs.sum);
  t.throws(() => self.build(), invalid(/^The cells own -> own feed/));
});

t.test("an input that nothing feeds is refused, unless it has a default", async (t) => {
  const pf = factory();
  const add = pf.addCell("add", Add);
  pf.declareOutput("sum", add.outputs.sum);
  t.throws(() => pf.build(), invalid(/^Nothing feeds add\.a \(Integer\)\. Connect an output to it, declare/));
  pf.declareInput("a", add.inputs.a);
  t.ok(pf.build());
  const model = factory();
  model.declareOutput("y", model.addCell("model", Model).outputs.y);
  t.throws(() => model.build(), invalid(/^Nothing feeds model\.x \(ModelTensor\)/));
});

t.test("an input is fed once", async (t) => {
  const pf = factory();
  const [a, b] = [pf.addCell("a", Add), pf.addCell("b", Add)];
  pf.connect(a.outputs.sum, b.inputs.a);
  t.throws(
    () => pf.connect(a.outputs.sum, b.inputs.a),
    invalid("a.sum (Integer) cannot feed b.a (Integer): a.sum (Integer) feeds it already. An input has one source."),
  );
  t.throws(
    () => pf.declareInput("n", [a.inputs.a, b.inputs.a]),
    invalid(/^The input "n" cannot feed b\.a \(Integer\): a\.sum \(Integer\) feeds it already/),
  );
  pf.declareInput("n", a.inputs.a);
  t.throws(() => pf.declareInput("m", a.inputs.a), invalid(/the input "n" feeds it already/));
});

t.test("types that do not fit are refused, with both ends", async (t) => {
  const pf = factory();
  const [add, print, model] = [pf.addCell("add", Add), pf.addCell("print", Print), pf.addCell("model", Model)];
  const text = print.outputs.text as unknown as OutputPort<(typeof add.inputs.a)["type"]>;
  t.throws(
    () => pf.connect(text, add.inputs.a),
    invalid(
      /^print\.text \(String\) cannot feed add\.a \(Integer\): String is not Integer\. Connect ports of the same/,
    ),
  );
  t.throws(
    () => pf.connect(model.outputs.y, add.inputs.a),
    invalid(/^model\.y \(ModelTensor\) cannot feed add\.a \(Integer\): ModelTensor is not Integer/),
  );
  t.ok(pf.connect(add.outputs.sum, print.inputs.number), "an integer is a float");
});

t.test("an input for several ports has the narrowest of their types", async (t) => {
  const takes = (type: ReturnType<typeof Tensor<"FP32">>) =>
    defineCell({ name: "Take", inputs: { x: type }, outputs: { x: type }, call: ({ inputs }) => ({ x: inputs.x }) });
  const pf = factory();
  const wide = pf.addCell("wide", takes(Tensor("FP32", [-1, -1])));
  const narrow = pf.addCell("narrow", takes(Tensor("FP32", [-1, 512])));
  const slow = pf.addCell("slow", takes(Audio({ sampleRate: 8000, samples: 512 })));
  const fast = pf.addCell("fast", takes(Audio({ sampleRate: 16_000, samples: 512 })));
  pf.declareOutput("x", wide.outputs.x);
  t.throws(
    () => pf.declareInput("x", [slow.inputs.x, fast.inputs.x]),
    invalid(
      /^The input "x" cannot feed both slow\.x \(Audio FP32\[-1,512\]\) and fast\.x \(Audio FP32\[-1,512\]\): 8000 Hz/,
    ),
  );
  t.throws(() => pf.declareInput("x", []), invalid(/has to feed at least one port/));
  pf.declareInput("x", [wide.inputs.x, narrow.inputs.x])
    .declareInput("y", slow.inputs.x)
    .declareInput("z", fast.inputs.x);
  t.equal(pf.build().inputs.x?.type, narrow.inputs.x.type);
});

t.test("names are unique, and there is an output", async (t) => {
  const pf = factory();
  const add = pf.addCell("add", Add);
  t.throws(() => pf.addCell("add", Print), invalid(/^A cell "add" is in the pipeline already/));
  t.throws(() => pf.build(), invalid(/has no outputs; declare one/));
  pf.declareInput("n", add.inputs.a).declareOutput("n", add.outputs.sum);
  t.throws(() => pf.declareInput("n", add.inputs.b), invalid('The input "n" is declared already.'));
  t.throws(() => pf.declareOutput("n", add.outputs.sum), invalid('The output "n" is declared already.'));
  t.throws(() => pf.addCell("__proto__", Add), { code: "INVALID_ARGUMENT" });
  t.throws(() => new PipelineFactory({ name: "" }), { code: "INVALID_ARGUMENT" });
});

t.test("only ports of this factory's cells are taken", async (t) => {
  const [pf, other] = [factory(), factory()];
  const [own, foreign] = [pf.addCell("own", Add), other.addCell("foreign", Add)];
  t.throws(
    () => pf.connect(foreign.outputs.sum, own.inputs.a),
    invalid("foreign.sum is a port of another factory; use an output of a cell that was added to this factory."),
  );
  t.throws(() => pf.declareInput("x", foreign.inputs.a), invalid(/another factory/));
  t.throws(() => pf.declareOutput("x", own.inputs.a as never), invalid(/^own\.a is an input; use an output/));
  t.throws(() => pf.declareOutput("x", {} as never), invalid(/^Expected an output port of a cell/));
});
