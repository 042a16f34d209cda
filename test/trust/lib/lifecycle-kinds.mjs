// What the lifecycle torture starts: three kinds of processes, three kinds of drivers.

import { GrpcDriver } from "../../../dist/drivers/grpc/index.js";
import { HttpDriver } from "../../../dist/drivers/http/index.js";
import { SourceSinkDriver } from "../../../dist/drivers/source-sink/index.js";
import { defineCell, Inference, Integer, PipelineFactory } from "../../../dist/index.js";
import { DummySink } from "../../../dist/sinks/dummy.js";
import { DummySource } from "../../../dist/sources/dummy.js";
import { gruInference, WIDTH } from "./gru.mjs";

const Counter = defineCell({
  name: "Counter",
  inputs: { input: Integer() },
  outputs: { count: Integer() },
  parameters: { step: Integer({ default: 1 }) },
  state: { count: Integer({ default: 0 }) },
  async call({ state, parameters }) {
    state.count += parameters.step;
    return { count: state.count };
  },
});

function counterInference() {
  const factory = new PipelineFactory({ name: "counter" });
  const cell = factory.addCell("counter", Counter);
  factory.declareInput("input", cell.inputs.input).declareOutput("count", cell.outputs.count);
  return new Inference({ pipeline: factory.build() });
}

/** What can be started, and what it is given. */
export const KINDS = {
  inline: { make: () => gruInference({ execution: "inline" }), input: () => [new Float32Array(WIDTH)] },
  lanes: { make: () => gruInference({ execution: "lanes", lanes: 2 }), input: () => [new Float32Array(WIDTH)] },
  counter: { make: counterInference, input: () => 1 },
};

export const DRIVERS = {
  http: [HttpDriver, () => ({ port: 0 })],
  grpc: [GrpcDriver, () => ({ port: 0 })],
  flow: [
    SourceSinkDriver,
    () => ({
      sources: { one: { source: () => new DummySource({ count: 20, seed: 1 }) } },
      sinks: { out: { sink: () => new DummySink() } },
    }),
  ],
};

/** How often what is done, of a hundred. @type {[number, string][]} */
const WEIGHTS = [
  [10, "start"],
  [5, "stop"],
  [5, "stopUnderLoad"],
  [3, "stopWhileStarting"],
  [4, "stopWhileAdding"],
  [18, "addDriver"],
  [12, "removeDriver"],
  [6, "setReplicas"],
  [8, "setParameters"],
  [15, "predict"],
  [13, "request"],
  [1, "restart"],
];

/** Their names, each as often as its weight. */
export const OPERATIONS = WEIGHTS.flatMap(([weight, what]) => Array(weight).fill(what));
