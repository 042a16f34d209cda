/** A function cell of an inference process: loaded once, stepped, closed once. */
import { bug, HeadraceError, InvalidArgumentError } from "../errors.js";
import type { Logger } from "../log.js";
import type { CellContext, FunctionCell } from "../pipeline/index.js";
import { parseValues, type Types } from "../types/index.js";
import type { Cancellation } from "./cancellation.js";
import { FunctionBatches } from "./function-batches.js";

type Values = Readonly<Record<string, unknown>>;

/** What a step of a function cell needs besides the resources. */
export interface StepContext extends Omit<CellContext<Types, Types, Types>, "resources" | "signal"> {
  readonly cancellation: Cancellation;
}

/** What a step came to. */
export interface Done {
  readonly outputs: Values;
  /** Its own: nobody else holds it. */
  readonly state: Record<string, unknown>;
}

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
   * One step, which may assign to the fields of `state`; a promise where the cell gives one. Throws CELL_FAILED, or
   * INVALID_ARGUMENT where the cell itself says that its inputs are at fault.
   */
  run(step: StepContext): Done | Promise<Done> {
    let called: unknown;
    try {
      called = this.called(step);
    } catch (error) {
      return this.fail(error);
    }
    if (!isThenable(called)) return this.checked(called, step);
    return Promise.resolve(called).then(
      (outputs) => this.checked(outputs, step),
      (error) => this.fail(error),
    );
  }

  /** Throws CELL_FAILED with what the cell's own `close` threw. */
  async close(): Promise<void> {
    try {
      await this.cell.close(this.resources);
    } catch (error) {
      throw cellFailed(this.ref, error, "failed to close");
    }
  }

  private checked(outputs: unknown, step: StepContext): Done {
    try {
      return {
        outputs: parseValues(this.cell.outputs, outputs, `${this.ref}.outputs`),
        state: parseValues(this.cell.state, step.state, `${this.ref}.state`),
      };
    } catch (error) {
      // What the cell gave is its own fault, and nobody else's argument.
      throw cellFailed(this.ref, error, "failed");
    }
  }

  private fail(error: unknown): never {
    if (!(error instanceof InvalidArgumentError)) throw cellFailed(this.ref, error, "failed");
    throw new InvalidArgumentError(`cell '${this.ref}' refused its input: ${error.message}`, { cause: error });
  }

  private called(context: StepContext): unknown {
    const { inputs, parameters, state, stateId, end, cancellation } = context;
    const step: CellContext<Types, Types, Types> = {
      inputs,
      parameters,
      state,
      resources: this.resources,
      stateId,
      end,
      // Looked at by few cells, and not for nothing.
      get signal() {
        return cancellation.signal;
      },
    };
    if (this.batches !== undefined) return this.batches.run(step, cancellation);
    if (this.cell.call === undefined) throw bug(`Cell '${this.ref}' has neither call nor batch`);
    return this.cell.call(step);
  }
}

/** Not `instanceof`: promises come from libraries and other realms too. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

function cellFailed(ref: string, error: unknown, what: string): HeadraceError {
  const message = error instanceof Error ? error.message : String(error);
  return new HeadraceError("CELL_FAILED", `cell '${ref}' ${what}: ${message}`, { cause: error });
}
