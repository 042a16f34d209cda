/** Following the steps of a state id from inside the process. */
import t from "tap";
import { defineCell, onnxCell, PipelineFactory } from "../../src/pipeline/index.js";
import { Inference, PipelineDriver, type RestrictedInferenceProcess } from "../../src/runtime/index.js";
import { Integer } from "../../src/types/index.js";
import { deferred } from "../support/cells.js";
import { fixture } from "../support/paths.js";
import { modelPipeline, start } from "../support/serve.js";

/** Keeps what it is told of the state id "s": outputs, and why the state is gone. */
class Follower extends PipelineDriver {
  readonly told: (number | string)[] = [];
  private readonly over = deferred();

  override run(inference: RestrictedInferenceProcess): Promise<void> {
    const stepped = ({ outputs }: { readonly outputs: readonly { readonly data: ArrayLike<unknown> }[] }): void => {
      this.told.push(Number(outputs[0]?.data[0]));
    };
    inference.subscribe("s", { stepped, ended: (reason) => this.told.push(reason) });
    return this.over.promise;
  }

  override async stop(): Promise<void> {
    this.over.resolve();
  }
}

t.test(
  "steps are told, and answered, in their order, also where a cell gives promises only now and then",
  async (t) => {
    const cell = defineCell({
      name: "Sometimes",
      inputs: { x: Integer() },
      outputs: { y: Integer() },
      state: { steps: Integer({ default: 0 }) },
      call({ inputs, state }) {
        state.steps += 1;
        const outputs = { y: inputs.x };
        return inputs.x % 2 === 0 ? outputs : Promise.resolve(outputs);
      },
    });
    const factory = new PipelineFactory({ name: "sometimes" });
    const handle = factory.addCell("cell", cell);
    const pipeline = factory.declareInput("x", handle.inputs.x).declareOutput("y", handle.outputs.y).build();
    const process = await start(t, pipeline);
    const follower = new Follower({});
    await process.addDriver("follower", () => follower);
    const numbers = [1, 2, 3, 4, 5, 7, 8, 10];
    const answered: number[] = [];
    await Promise.all(
      numbers.map(async (x) => {
        await process.predict({ x }, { stateId: "s" });
        answered.push(x);
      }),
    );
    t.same(follower.told, numbers);
    t.same(answered, numbers);
  },
);

t.test("an eviction is told before the steps that came after it", async (t) => {
  const cell = defineCell({
    name: "Count",
    inputs: { x: Integer() },
    outputs: { y: Integer() },
    state: { steps: Integer({ default: 0 }) },
    call({ state }) {
      state.steps += 1;
      return { y: state.steps };
    },
  });
  const factory = new PipelineFactory({ name: "count" });
  const handle = factory.addCell("cell", cell);
  const pipeline = factory.declareInput("x", handle.inputs.x).declareOutput("y", handle.outputs.y).build();
  const model = await modelPipeline(
    onnxCell({ name: "sum", model: fixture("accumulator"), maxStates: 1, evict: "lru" }),
  );
  for (const [inference, x] of [
    [new Inference({ pipeline, maxStates: 1, evict: "lru" }), 1],
    [new Inference({ pipeline: model }), [[1, 1, 1, 1]]],
  ] as const) {
    const process = await start(t, inference as Inference);
    const follower = new Follower({});
    await process.addDriver("follower", () => follower);
    for (const stateId of ["s", "s", "other", "s", "s"]) await process.predict({ x }, { stateId });
    t.same(follower.told, [1, 2, "lru", 1, 2]);
  }
});
