/** A function cell of an inference process: loaded once, stepped, closed once. */
import { bug, HeadraceError } from "../errors.js";
import type { Logger } from "../log.js";
import type { CellContext, FunctionCell } from "../pipeline/index.js";
import { parseValues, type Types } from "../types/index.js";
import { FunctionBatches } from "./function-batches.js";

type Values = Readonly<Record<string, unknown>>;

/** What a step of a function cell needs besides the resources. */
export type StepContext = Omit<CellContext<Types, Types, Types>, "resources">;

export class FunctionStep {
  private readonly batches: FunctionBatches | undefined;

  private constructor(
    readonly ref: string,
    readonly cell: FunctionCell,
    private readonly resources: unknown,
  ) {
    this.batches = cell.batch && new FunctionBatches(cell.batch.bind(cell), cell.maxBatch);
  }

  /** Throws CELL_FAILED with what the cell's own `load` threw. */
  static async load(
    ref: string,
    cell: FunctionCell,
    parameters: Values,
    modelPath: string,
    log: Logger,
  ): Promise<FunctionStep> {
    try {
      const resources = await cell.load({ ref, parameters, log, device: "cpu", modelPath });
      return new FunctionStep(ref, cell, resources);
    } catch (error) {
      throw cellFailed(ref, error, "failed to load");
    }
  }

  /**
   * One step, which may assign to the fields of `state`. It gives up as soon as the signal is aborted; what the cell still
   * does then is lost.
   */
  async run(step: StepContext): Promise<{ readonly outputs: Values; readonly state: Values }> {
    try {
      const outputs = parseValues(this.cell.outputs, await this.called(step), `${this.ref}.outputs`);
      return { outputs, state: parseValues(this.cell.state, step.state, `${this.ref}.state`) };
    } catch (error) {
      throw cellFailed(this.ref, error, "failed");
    }
  }

  /** Throws CELL_FAILED with what the cell's own `close` threw. */
  async close(): Promise<void> {
    try {
      await this.cell.close(this.resources);
    } catch (error) {
      throw cellFailed(this.ref, error, "failed to close");
    }
  }

  private called(context: StepContext): unknown {
    const step = { ...context, resources: this.resources };
    if (this.batches !== undefined) return this.batches.run(step);
    if (this.cell.call === undefined) throw bug(`Cell '${this.ref}' has neither call nor batch`);
    return this.cell.call(step);
  }
}

function cellFailed(ref: string, error: unknown, what: string): HeadraceError {
  const message = error instanceof Error ? error.message : String(error);
  return new HeadraceError("CELL_FAILED", `cell '${ref}' ${what}: ${message}`, { cause: error });
}
