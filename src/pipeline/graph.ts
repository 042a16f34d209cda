import { PipelineInvalidError } from "../errors.js";
import { type AnyValueType, assignable, type Types } from "../types/index.js";
import type { CellDefinition } from "./cell.js";
import { endText, type PortRef } from "./ports.js";

/** A connection between two cells. */
export interface Edge {
  readonly from: PortRef;
  readonly to: PortRef;
}

/** An input of the pipeline: it leaves the virtual source and feeds these ports. */
export interface PipelineInput {
  /** What `predict` takes; a ModelTensor until the model has been read. */
  readonly type: AnyValueType;
  readonly targets: readonly PortRef[];
}

/** An output of the pipeline: it comes from this port and ends in the virtual sink. */
export interface PipelineOutput {
  /** What `predict` gives; a ModelTensor until the model has been read. */
  readonly type: AnyValueType;
  readonly source: PortRef;
}

/** A pipeline that was added to another: its cells are in that one's graph, their refs behind its own and a slash. */
export interface NestedPipeline {
  readonly name: string;
  readonly description: string | undefined;
}

/** The graph of a pipeline, as the factory hands it over: checked and frozen. */
export interface PipelineGraph {
  readonly name: string;
  readonly description: string | undefined;
  /** The cells by their refs; those of nested pipelines as `nested/cell`. */
  readonly cells: Readonly<Record<string, CellDefinition>>;
  /** The nested pipelines by their refs, those within them too, as `outer/inner`. */
  readonly nested: Readonly<Record<string, NestedPipeline>>;
  readonly inputs: Readonly<Record<string, PipelineInput>>;
  readonly outputs: Readonly<Record<string, PipelineOutput>>;
  readonly edges: readonly Edge[];
  /** The refs of all cells, each after those that feed it. */
  readonly order: readonly string[];
}

/** One end of a connection with what it is known to carry. */
export interface TypedEnd {
  readonly ref: PortRef;
  readonly type: AnyValueType;
}

/**
 * The refs so that each comes after all that feed it; among equals in the order given.
 *
 * @throws PipelineInvalidError that names the cells of a cycle.
 */
export function topologicalOrder(refs: readonly string[], edges: readonly Edge[]): string[] {
  const order: string[] = [];
  const waiting = new Set(refs);
  const feeders = (ref: string) => edges.filter((edge) => edge.to.cell === ref).map((edge) => edge.from.cell);
  while (waiting.size > 0) {
    const ready = [...waiting].find((ref) => !feeders(ref).some((feeder) => waiting.has(feeder)));
    if (ready === undefined) throw cycleError(waiting, feeders);
    order.push(ready);
    waiting.delete(ready);
  }
  return order;
}

/** Every waiting cell has a waiting feeder: walking from feeder to feeder must come back to a cell already seen. */
function cycleError(waiting: ReadonlySet<string>, feeders: (ref: string) => string[]): PipelineInvalidError {
  const walked: string[] = [];
  let ref = [...waiting][0] ?? "";
  while (!walked.includes(ref)) {
    walked.push(ref);
    ref = feeders(ref).find((feeder) => waiting.has(feeder)) ?? ref;
  }
  const cycle = [...walked.slice(walked.indexOf(ref)), ref].reverse();
  return new PipelineInvalidError(
    `The cells ${cycle.join(" -> ")} feed each other in a cycle; remove one of these connections. What a cell has to remember from step to step is its state.`,
  );
}

/** @throws PipelineInvalidError that names both ends, when what comes from one cannot go into the other. */
export function checkEdge(from: TypedEnd, to: TypedEnd): void {
  const reason = assignable(from.type, to.type);
  if (reason === undefined) return;
  throw new PipelineInvalidError(
    `${endText(from.ref, from.type)} cannot feed ${endText(to.ref, to.type)}: ${reason}. Connect ports of the same type, or put a function cell between them that converts.`,
  );
}

/**
 * The type of a declared input: the narrowest of the types of the ports it feeds, which has to fit all of them.
 *
 * @throws PipelineInvalidError that names two ports that no common value fits.
 */
export function commonType(name: string, targets: readonly TypedEnd[]): AnyValueType {
  const fitsAll = targets.filter(({ type }) => targets.every((other) => assignable(type, other.type) === undefined));
  const [narrowest] = fitsAll.sort((a, b) => looseness(a.type) - looseness(b.type));
  if (narrowest !== undefined) return narrowest.type;
  const [a, b] = conflict(targets);
  throw new PipelineInvalidError(
    `The input "${name}" cannot feed both ${endText(a.ref, a.type)} and ${endText(b.ref, b.type)}: ${assignable(a.type, b.type)}. Declare two inputs.`,
  );
}

/** More free dimensions are looser; a model's tensor that is not known yet is the loosest. */
function looseness(type: AnyValueType): number {
  if (type.kind === "ModelTensor") return Number.POSITIVE_INFINITY;
  return type.shape.filter((dimension) => dimension === -1).length;
}

/** Two ends that do not fit each other: where no type fits all, each has another end that it does not fit. */
function conflict(targets: readonly TypedEnd[]): readonly [TypedEnd, TypedEnd] {
  for (const a of targets) {
    const b = targets.find((other) => assignable(a.type, other.type) !== undefined);
    if (b !== undefined) return [a, b];
  }
  throw new PipelineInvalidError("An input has to feed at least one port.");
}

/**
 * @param isFed Whether something feeds an input of this cell.
 * @throws PipelineInvalidError that names an input that nothing feeds and that has no default.
 */
export function checkFed(cell: string, inputs: Types, isFed: (port: PortRef) => boolean): void {
  for (const [port, type] of Object.entries(inputs)) {
    if (isFed({ cell, port }) || type.default !== undefined) continue;
    const end = endText({ cell, port }, type);
    throw new PipelineInvalidError(
      `Nothing feeds ${end}. Connect an output to it, declare a pipeline input for it, or give its type a default.`,
    );
  }
}

/** Unique for each port, whatever characters the names have. */
export function portKey(ref: PortRef): string {
  return JSON.stringify([ref.cell, ref.port]);
}
