/** Function cells that several tests use. */
import { defineCell, PipelineFactory } from "../../src/pipeline/index.js";
import { Integer } from "../../src/types/index.js";

/** Adds its parameter and counts the steps of its state id. */
export const MyCell = defineCell({
  name: "MyCell",
  inputs: { integer: Integer({ title: "Dummy input", description: "Some dummy input" }) },
  outputs: { integer: Integer(), counter: Integer({ description: "Prediction counter" }) },
  parameters: { adder: Integer({ default: 1, title: "Adder" }) },
  state: { counter: Integer({ default: 0 }) },
  call({ inputs, parameters, state }) {
    state.counter += 1;
    return { integer: inputs.integer + parameters.adder, counter: state.counter };
  },
});

export function myPipeline() {
  const pf = new PipelineFactory({ name: "MyPipeline" });
  const myCell = pf.addCell("my-cell", MyCell);
  return pf
    .declareInput("input", myCell.inputs.integer)
    .declareOutput("output", myCell.outputs.integer)
    .declareOutput("counter", myCell.outputs.counter)
    .build();
}

/** A promise and what settles it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
