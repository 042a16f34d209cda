/** Steps on their way into the `batch` of a function cell. */
import type { BatchResults, CellContext } from "../pipeline/index.js";
import type { Types } from "../types/index.js";
import type { Cancellation } from "./cancellation.js";

type Step = CellContext<Types, Types, Types>;
type Result = Readonly<Record<string, unknown>>;

interface Waiting {
  readonly step: Step;
  readonly cancellation: Cancellation;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * One batch at a time: what arrives while one runs goes into the next, and a first step waits for the others of its turn of
 * the event loop only. No two steps of a state id are ever here at once: a stream's next step begins when this one has ended.
 */
export class FunctionBatches {
  private waiting: Waiting[] = [];
  private isRunning = false;

  constructor(
    private readonly batch: (steps: readonly Step[]) => BatchResults<Types> | Promise<BatchResults<Types>>,
    private readonly maxBatch: number,
  ) {}

  run(step: Step, cancellation: Cancellation): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ step, cancellation, resolve, reject });
      if (this.isRunning) return;
      this.isRunning = true;
      setImmediate(() => void this.runAll());
    });
  }

  private async runAll(): Promise<void> {
    while (this.waiting.length > 0) await this.runBatch(this.take());
    this.isRunning = false;
  }

  /** The next batch, without those that were given up meanwhile. */
  private take(): Waiting[] {
    const live: Waiting[] = [];
    const left: Waiting[] = [];
    for (const waiting of this.waiting) {
      const { reason } = waiting.cancellation;
      if (reason !== undefined) waiting.reject(reason);
      else (live.length < this.maxBatch ? live : left).push(waiting);
    }
    this.waiting = left;
    return live;
  }

  private async runBatch(batch: readonly Waiting[]): Promise<void> {
    if (batch.length === 0) return;
    try {
      const results = await this.batch(batch.map(({ step }) => step));
      if (!Array.isArray(results) || results.length !== batch.length) {
        throw new Error(
          `its batch gave ${Array.isArray(results) ? results.length : "no"} results for ${batch.length} steps`,
        );
      }
      for (const [index, { resolve, reject }] of batch.entries()) {
        const result = results[index];
        if (result instanceof Error) reject(result);
        else resolve(result);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
