// A pipeline of one function cell: what the SDK costs when there is next to nothing to compute.
import { defineCell, Inference, Integer, PipelineFactory } from "../../dist/index.js";

const Counter = defineCell({
  name: "Counter",
  inputs: { integer: Integer() },
  outputs: { integer: Integer(), counter: Integer() },
  parameters: { adder: Integer({ default: 1 }) },
  state: { counter: Integer({ default: 0 }) },
  call({ inputs, parameters, state }) {
    state.counter += 1;
    return { integer: inputs.integer + parameters.adder, counter: state.counter };
  },
});

const factory = new PipelineFactory({ name: "counter" });
const cell = factory.addCell("counter", Counter);
factory.declareInput("input", cell.inputs.integer);
factory.declareOutput("output", cell.outputs.integer);
factory.declareOutput("counter", cell.outputs.counter);

export default new Inference({ pipeline: factory.build() });
