/** Sources, sinks and pipelines whose every step waits for its test. */
import {
  SourceSinkDriver,
  type SourceSinkParameters,
  type SourceSinkStatistics,
} from "../../../src/drivers/source-sink/index.js";
import { defineCell, PipelineFactory } from "../../../src/pipeline/index.js";
import type { DriverProcess } from "../../../src/runtime/index.js";
import { Sink, type SinkItem } from "../../../src/sinks/sink.js";
import { Source, type SourceContext, type SourceItem } from "../../../src/sources/source.js";
import { Integer } from "../../../src/types/index.js";
import { type Deferred, deferred } from "../../support/cells.js";

/** Gives what its test gives it. */
export class HandSource extends Source {
  readonly calls: string[] = [];
  context: SourceContext | undefined;
  private readonly items: SourceItem[] = [];
  private over: "no" | "ended" | Error = "no";
  private wake: () => void = () => {};

  constructor(...numbers: number[]) {
    super();
    this.give(...numbers);
  }

  give(...numbers: number[]): this {
    for (const input of numbers) this.items.push({ inputs: { input } });
    this.wake();
    return this;
  }

  end(): this {
    this.over = "ended";
    this.wake();
    return this;
  }

  fail(error: Error): this {
    this.over = error;
    this.wake();
    return this;
  }

  override async open(context: SourceContext): Promise<void> {
    this.context = context;
    this.calls.push("open");
  }

  override async *read(signal: AbortSignal): AsyncGenerator<SourceItem> {
    this.calls.push("read");
    for (;;) {
      if (signal.aborted) return;
      const item = this.items.shift();
      if (item !== undefined) {
        yield item;
        continue;
      }
      if (this.over instanceof Error) throw this.over;
      if (this.over === "ended") return;
      const woken = deferred();
      this.wake = woken.resolve;
      signal.addEventListener("abort", this.wake, { once: true });
      await woken.promise;
      signal.removeEventListener("abort", this.wake);
    }
  }

  override async close(): Promise<void> {
    this.calls.push("close");
  }
}

/** Keeps everything; a write waits while there is a gate, and fails as its test wants. */
export class HandSink extends Sink {
  readonly calls: string[] = [];
  readonly items: SinkItem[] = [];
  readonly failures: (Error | undefined)[] = [];
  gate: Deferred<void> | undefined;
  isWriting = false;

  override async open(): Promise<void> {
    this.calls.push("open");
  }

  override async write(item: SinkItem, signal: AbortSignal): Promise<void> {
    if (this.isWriting) throw new Error("two writes at a time");
    this.isWriting = true;
    try {
      if (this.gate !== undefined) await Promise.race([this.gate.promise, aborted(signal)]);
      if (signal.aborted) throw new Error("cancelled");
      const failure = this.failures.shift();
      if (failure !== undefined) throw failure;
      this.items.push(item);
    } finally {
      this.isWriting = false;
    }
  }

  override async close(): Promise<void> {
    this.calls.push("close");
  }

  get outputs(): unknown[] {
    return this.items.map(({ outputs }) => outputs.output);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** A pipeline whose cell counts the steps of its state id, fails for negative inputs, and waits for its gate. */
export function gatedPipeline() {
  const gates: Deferred<void>[] = [];
  const control = { isGated: false, seen: [] as number[], gates };
  const Gated = defineCell({
    name: "Gated",
    inputs: { input: Integer() },
    outputs: { output: Integer(), counter: Integer() },
    state: { counter: Integer({ default: 0 }) },
    async call({ inputs, state }) {
      control.seen.push(inputs.input);
      if (control.isGated) {
        const gate = deferred();
        gates.push(gate);
        await gate.promise;
      }
      if (inputs.input < 0) throw new Error("negative");
      state.counter += 1;
      return { output: inputs.input, counter: state.counter };
    },
  });
  const factory = new PipelineFactory({ name: "gated" });
  const cell = factory.addCell("gated", Gated);
  const pipeline = factory
    .declareInput("input", cell.inputs.input)
    .declareOutput("output", cell.outputs.output)
    .declareOutput("counter", cell.outputs.counter)
    .build();
  return { pipeline, control };
}

export type Cams = DriverProcess<SourceSinkParameters>;
export { SourceSinkDriver };

export function statisticsOf(driver: Cams): SourceSinkStatistics {
  return driver.statistics() as SourceSinkStatistics;
}

/** Waits, a turn of the event loop at a time, until it is so; the test's timeout is the limit. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets everything that can go on go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export async function ended(driver: Cams): Promise<void> {
  await until(() => driver.status === "stopped" || driver.status === "failed");
}
