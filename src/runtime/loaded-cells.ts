/** The cells of one inference process, loaded: it owns them, from the load of the first to the close of the last. */
import { makeLogger } from "../log.js";
import { CellParameterSet } from "./cell-parameters.js";
import { FunctionStep } from "./function-step.js";
import type { Inference } from "./inference.js";
import { ModelCell } from "./model-cell.js";

export class LoadedCells {
  readonly models = new Map<string, ModelCell>();
  readonly functions = new Map<string, FunctionStep>();
  readonly parameters: CellParameterSet;

  private constructor(private readonly inference: Inference) {
    this.parameters = new CellParameterSet(inference.pipeline, inference.parameters);
  }

  /** Loads all of them, one after the other. When it rejects, those that were loaded have been closed. */
  static async load(inference: Inference, mode: "debug" | "local"): Promise<LoadedCells> {
    const cells = new LoadedCells(inference);
    try {
      for (const ref of inference.pipeline.order) await cells.loadCell(ref, mode);
      return cells;
    } catch (error) {
      await cells.close(false).catch(() => {}); // what failed first is what counts
      throw error;
    }
  }

  private async loadCell(ref: string, mode: "debug" | "local"): Promise<void> {
    const { pipeline, modelPath } = this.inference;
    const cell = pipeline.cells[ref];
    if (cell?.kind === "onnx") {
      this.models.set(ref, await ModelCell.load(ref, cell, mode === "debug" ? "inline" : undefined));
    } else if (cell?.kind === "function") {
      const log = makeLogger(`cell:${ref}`, mode === "debug" ? "debug" : "warn");
      this.functions.set(ref, await FunctionStep.load(ref, cell, this.parameters.of(ref), modelPath, log));
    }
  }

  /** Closes all of them, whatever fails on the way; then throws what failed first. Models finish what is queued (`drain`). */
  async close(drain: boolean): Promise<void> {
    const models = [...this.models.values()].map((cell) => cell.close(drain));
    const functions = [...this.functions.values()].map((cell) => cell.close());
    const outcomes = await Promise.allSettled([...models, ...functions]);
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }
}
