/** A pipeline used as a cell: one flat graph, whose parts keep names of their own. */
import t from "tap";
import { defineCell, PipelineFactory } from "../../src/pipeline/index.js";
import { Integer } from "../../src/types/index.js";
import { start } from "../support/serve.js";

const Count = defineCell({
  name: "Count",
  description: "Adds what it has seen.",
  inputs: { step: Integer(), weight: Integer({ default: 1 }) },
  outputs: { total: Integer() },
  parameters: { factor: Integer({ default: 1, title: "Factor" }) },
  state: { total: Integer({ default: 0 }) },
  call({ inputs, parameters, state }) {
    state.total += inputs.step * inputs.weight * parameters.factor;
    return { total: state.total };
  },
});

/** Two counters of the same steps; one input feeds both. */
function twice() {
  const pf = new PipelineFactory({ name: "Twice", description: "Two counters" });
  const [a, b] = [pf.addCell("a", Count), pf.addCell("b", Count)];
  return pf
    .declareInput("step", [a.inputs.step, b.inputs.step])
    .declareOutput("a", a.outputs.total)
    .declareOutput("b", b.outputs.total)
    .build();
}

/** Twice, its `a` counted by another Twice within a pipeline of its own. */
function nested() {
  const middle = new PipelineFactory({ name: "Middle" });
  const inner = middle.addCell("inner", twice());
  const chain = middle.declareInput("in", inner.inputs.step).declareOutput("out", inner.outputs.b).build();
  const pf = new PipelineFactory({ name: "Outer" });
  const [first, second] = [pf.addCell("first", twice()), pf.addCell("second", chain)];
  pf.connect(first.outputs.a, second.inputs.in);
  return pf
    .declareInput("step", first.inputs.step)
    .declareOutput("once", first.outputs.b)
    .declareOutput("sums", second.outputs.out)
    .build();
}

t.test("its cells are the pipeline's own, by their refs", async (t) => {
  const pipeline = nested();
  t.same(Object.keys(pipeline.cells), ["first/a", "first/b", "second/inner/a", "second/inner/b"]);
  t.same(pipeline.nested, {
    first: { name: "Twice", description: "Two counters" },
    second: { name: "Middle", description: undefined },
    "second/inner": { name: "Twice", description: "Two counters" },
  });
  t.same(pipeline.inputs.step?.targets, [
    { cell: "first/a", port: "step" },
    { cell: "first/b", port: "step" },
  ]);
  t.same(
    pipeline.edges.map(({ from, to }) => `${from.cell} -> ${to.cell}`),
    ["first/a -> second/inner/a", "first/a -> second/inner/b"],
  );
});

t.test("it predicts, keeps state, and takes parameters by its cells' refs", async (t) => {
  const { Inference } = await import("../../src/runtime/index.js");
  const parameters = { "second/inner/b": { factor: 10 } };
  const process = await start(t, new Inference({ pipeline: nested(), parameters }));
  t.same(await process.predict({ step: 2 }, { stateId: "s" }), { once: 2, sums: 20 });
  t.same(await process.predict({ step: 3 }, { stateId: "s" }), { once: 5, sums: 70 });
  t.same(await process.predict({ step: 3 }, { stateId: "other" }), { once: 3, sums: 30 });
});

t.test("what does not fit is refused with the names of both ends", async (t) => {
  const pf = new PipelineFactory({ name: "Outer" });
  const [one, two] = [pf.addCell("one", twice()), pf.addCell("two", twice())];
  pf.connect(one.outputs.a, two.inputs.step);
  const invalid = (message: string | RegExp) => ({ code: "PIPELINE_INVALID", message });
  t.throws(() => pf.connect(one.outputs.b, two.inputs.step), invalid(/one\.b \(Integer\) cannot feed two\.step/));
  t.throws(() => pf.addCell("one", Count), invalid(/"one" is in the pipeline already/));
  t.throws(() => pf.addCell("one/a", Count), invalid(/"one\/a" is in the pipeline already/));
  t.throws(() => pf.declareOutput("out", one.outputs.a).build(), invalid(/^Nothing feeds one\/a\.step \(Integer\)/));
  pf.addCell("late/b", Count);
  t.throws(() => pf.addCell("late", twice()), invalid(/"late\/b" is in the pipeline already/));
  t.throws(() => pf.addCell("late/a", Count) && pf.addCell("late/a", Count), invalid(/"late\/a"/));
  pf.connect(two.outputs.a, one.inputs.step);
  t.throws(() => pf.build(), invalid(/(one|two)\/[ab] -> (one|two)\/[ab] -> .* in a cycle/));
});

t.test("the drawing frames it, and JSON tells of it", async (t) => {
  const pipeline = nested();
  const dot = pipeline.toDot();
  t.match(dot, /subgraph cluster_0 \{[^}]*<B>first<\/B>/);
  t.match(
    dot,
    /subgraph cluster_1 \{[^}]*<B>second<\/B>[^}]*subgraph cluster_2 \{[^}]*<B>second&#47;inner|second\/inner/,
  );
  t.match(await pipeline.toSVG(), /<svg[^>]*>/);
  const json = JSON.parse(JSON.stringify(pipeline));
  t.match(json, {
    name: "Outer",
    inputs: { step: { type: "Integer", schema: { type: "integer" }, feeds: ["first/a.step", "first/b.step"] } },
    outputs: { once: { from: "first/b.total" } },
    nested: { "second/inner": { name: "Twice" } },
    connections: [{ from: "first/a.total", to: "second/inner/a.step" }, { to: "second/inner/b.step" }],
  });
  t.match(json.cells["first/a"], {
    kind: "function",
    name: "Count",
    description: "Adds what it has seen.",
    inputs: { weight: { schema: { default: 1 } } },
    outputs: { total: { type: "Integer" } },
    parameters: { factor: { schema: { title: "Factor", default: 1 } } },
    state: ["total"],
  });
});
