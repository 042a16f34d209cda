/** Compiled, not run: `predict` knows the names and types of its pipeline. */
import { defineCell, PipelineFactory } from "../../src/pipeline/index.js";
import { Inference, type InferenceProcess, init } from "../../src/runtime/index.js";
import { Float, Integer, Tensor, type TensorValue } from "../../src/types/index.js";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const prove = <T extends true>(): T | undefined => undefined;

const Cell = defineCell({
  name: "Cell",
  inputs: { integer: Integer(), gain: Float({ default: 1 }), row: Tensor("FP32", [-1, 4]) },
  outputs: { sum: Float(), row: Tensor("INT64", [-1, 4]) },
  call: () => ({ sum: 1, row: new BigInt64Array(4) }),
});

const factory = new PipelineFactory({ name: "typed" });
const { inputs, outputs } = factory.addCell("cell", Cell);
const pipeline = factory
  .declareInput("number", inputs.integer)
  .declareInput("gain", inputs.gain)
  .declareInput("row", inputs.row)
  .declareOutput("sum", outputs.sum)
  .declareOutput("ids", outputs.row)
  .build();

const runtime = await init("debug");
const proc = await runtime.startInference(new Inference({ pipeline, parameters: { cell: {} } }));
const row = new Float32Array(4);

const answer = await proc.predict({ number: 1, row });
prove<Equal<typeof answer.sum, number>>();
prove<Equal<typeof answer.ids, TensorValue<"INT64">>>();
// @ts-expect-error no such output
answer.total;

await proc.predict({ number: 1, gain: 0.5, row: [[1, 2, 3, 4]] }, { stateId: "s", start: true, timeoutMs: 5 });
// @ts-expect-error an input is missing
await proc.predict({ number: 1 });
// @ts-expect-error an input has another name
await proc.predict({ integer: 1, row });
// @ts-expect-error no such input
await proc.predict({ number: 1, row, other: 1 });
// @ts-expect-error a number is no string
await proc.predict({ number: "1", row });
// @ts-expect-error FP32 is no Float64Array
await proc.predict({ number: 1, row: new Float64Array(4) });
// @ts-expect-error a state id is a string
await proc.predict({ number: 1, row }, { stateId: 7 });
// @ts-expect-error no such option
await proc.predict({ number: 1, row }, { sequenceId: "s" });

// A pipeline whose names are not known takes any, and checks them when it runs.
declare const unknown: InferenceProcess;
const values = await unknown.predict({ anything: [1, 2] });
prove<Equal<(typeof values)[string], unknown>>();

// @ts-expect-error not a mode
await init("turbo");
// @ts-expect-error an inference, not a pipeline
await runtime.startInference(pipeline);
