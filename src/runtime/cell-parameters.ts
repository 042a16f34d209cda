/** The parameters of a process's function cells: an immutable whole, so that each step sees one of them from end to end. */
import { InvalidArgumentError } from "../errors.js";
import type { Pipeline } from "../pipeline/index.js";
import { parseValues, type Types } from "../types/index.js";

type Values = Readonly<Record<string, unknown>>;

export class CellParameterSet {
  private readonly types = new Map<string, Types>();
  private values: ReadonlyMap<string, Values>;

  /** @throws InvalidArgumentError for a value that does not fit, with its path. */
  constructor(pipeline: Pipeline, given: Readonly<Record<string, Values>>) {
    for (const [ref, cell] of Object.entries(pipeline.cells)) {
      this.types.set(ref, cell.kind === "function" ? cell.parameters : {});
    }
    this.values = new Map(
      [...this.types].map(([ref, types]) => [ref, parseValues(types, given[ref] ?? {}, `parameters.${ref}`)]),
    );
  }

  /** Those of all cells, as a step keeps them. */
  get current(): ReadonlyMap<string, Values> {
    return this.values;
  }

  /** @throws InvalidArgumentError when there is no such cell. */
  of(ref: string): Values {
    const values = this.values.get(ref);
    if (values !== undefined) return values;
    const known = [...this.types.keys()].join(", ");
    throw new InvalidArgumentError(`there is no such cell; the pipeline's cells are ${known}`, {
      path: `parameters.${ref}`,
    });
  }

  /** Changes some parameters of a cell, all or none. @throws InvalidArgumentError for what does not fit. */
  change(ref: string, changes: Values): void {
    const changed = parseValues(this.types.get(ref) ?? {}, { ...this.of(ref), ...changes }, `parameters.${ref}`);
    this.values = new Map(this.values).set(ref, changed);
  }
}
