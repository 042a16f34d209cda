/** A pipeline with state of its own, small values and parameters: what schemathesis can make many requests for. */
import { defineCell, FloatRange, Inference, Integer, PipelineFactory } from "headrace";

const Counter = defineCell({
  name: "Counter",
  inputs: { step: Integer(), weight: FloatRange({ min: 0, max: 1, default: 1 }) },
  outputs: { total: Integer(), steps: Integer() },
  state: { total: Integer({ default: 0 }), steps: Integer({ default: 0 }) },
  call({ inputs, state }) {
    state.total = Math.trunc((state.total + inputs.step * inputs.weight) % 2 ** 31);
    state.steps += 1;
    return { total: state.total, steps: state.steps };
  },
});

const factory = new PipelineFactory({ name: "counter" });
const cell = factory.addCell("counter", Counter);
const pipeline = factory
  .declareInput("step", cell.inputs.step)
  .declareInput("weight", cell.inputs.weight)
  .declareOutput("total", cell.outputs.total)
  .declareOutput("steps", cell.outputs.steps)
  .build();

export default new Inference({ pipeline });
