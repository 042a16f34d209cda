/** A pipeline whose predictions wait until the test lets them go, so that nothing has to be timed. */
import { defineCell, PipelineFactory } from "../../src/pipeline/index.js";
import { Integer } from "../../src/types/index.js";
import { type Deferred, deferred } from "./cells.js";

/** Doubles its input, one call at a time as the test says, and counts the steps of its state id. */
export class Gate {
  /** The calls that wait, in the order in which they came. */
  private readonly waiting: Deferred<void>[] = [];
  private readonly arrivals: { readonly count: number; readonly seen: Deferred<void> }[] = [];
  private calls = 0;

  pipeline() {
    const gate = this;
    const cell = defineCell({
      name: "Gate",
      inputs: { x: Integer() },
      outputs: { y: Integer(), steps: Integer() },
      state: { steps: Integer({ default: 0 }) },
      async call({ inputs, state }) {
        await gate.wait();
        state.steps += 1;
        return { y: inputs.x * 2, steps: state.steps };
      },
    });
    const factory = new PipelineFactory({ name: "gate" });
    const handle = factory.addCell("gate", cell);
    return factory
      .declareInput("x", handle.inputs.x)
      .declareOutput("y", handle.outputs.y)
      .declareOutput("steps", handle.outputs.steps)
      .build();
  }

  /** Resolves when `count` calls have come, all in all. */
  async arrived(count: number): Promise<void> {
    if (this.calls >= count) return;
    const seen = deferred();
    this.arrivals.push({ count, seen });
    await seen.promise;
  }

  /** Lets the call that has waited longest go on. */
  release(): void {
    this.waiting.shift()?.resolve();
  }

  /** Lets it fail. */
  fail(message: string): void {
    this.waiting.shift()?.reject(new Error(message));
  }

  private wait(): Promise<void> {
    const turn = deferred();
    this.waiting.push(turn);
    this.calls += 1;
    for (const { count, seen } of this.arrivals) if (this.calls >= count) seen.resolve();
    return turn.promise;
  }
}
