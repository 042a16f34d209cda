import { setTimeout as sleep } from "node:timers/promises";
import { InvalidArgumentError, PipelineDriver, type RestrictedInferenceProcess } from "headrace";

export interface WaveParameters {
  /** How many steps to make; the driver ends then. Default: 10. */
  count: number;
  /** Milliseconds between steps. Default: 100. */
  intervalMs: number;
  /** The stream that the steps belong to. Default: "wave". */
  stateId: string;
}

const DEFAULTS: WaveParameters = { count: 10, intervalMs: 100, stateId: "wave" };

/** Steps the pipeline with a noisy wave as its input `value`, and prints what comes out, a JSON object a line. */
export class WaveDriver extends PipelineDriver<WaveParameters> {
  private readonly parameters: WaveParameters;
  private readonly stopped = new AbortController();

  /** Validates and opens nothing: `headrace run --check` makes a driver only to see whether its options fit. */
  constructor(options: Partial<WaveParameters> = {}) {
    super(options);
    for (const name of Object.keys(options)) {
      if (Object.hasOwn(DEFAULTS, name)) continue;
      throw new InvalidArgumentError(`there is no such parameter; there are ${Object.keys(DEFAULTS)}`, { path: name });
    }
    this.parameters = { ...DEFAULTS, ...options };
    for (const path of ["count", "intervalMs"] as const) {
      const value = this.parameters[path];
      if (Number.isInteger(value) && value >= 0) continue;
      throw new InvalidArgumentError(`expected an integer of at least 0, got ${JSON.stringify(value)}`, { path });
    }
  }

  /** Until all steps are made, or `stop` is called. Whatever is thrown here makes the driver fail. */
  override async run(inference: RestrictedInferenceProcess): Promise<void> {
    const { count, intervalMs, stateId } = this.parameters;
    const { signal } = this.stopped;
    for (let step = 0; step < count && !signal.aborted; step++) {
      const value = Math.sin(step / 5) + (Math.random() - 0.5) / 5;
      // Not given the signal: a step that was begun is finished.
      const outputs = await inference.predict({ value }, { stateId, start: step === 0, end: step === count - 1 });
      process.stdout.write(`${JSON.stringify({ step, value, ...outputs })}\n`);
      // Rejects when it is interrupted, which is how the loop ends.
      await sleep(intervalMs, undefined, { signal }).catch(() => {});
    }
  }

  override async stop(): Promise<void> {
    this.stopped.abort();
  }

  override getParameters(): WaveParameters {
    return { ...this.parameters };
  }
}
