import type { InputsOf, Types, ValuesOf } from "../types/index.js";
import type { CellDefinition } from "./cell.js";
import { type PipelineJson, pipelineToJson } from "./description.js";
import { pipelineToDot, renderSvg } from "./drawing.js";
import type { Edge, NestedPipeline, PipelineGraph, PipelineInput, PipelineOutput } from "./graph.js";

export type { NestedPipeline, PipelineGraph, PipelineInput, PipelineOutput } from "./graph.js";

/**
 * An acyclic graph of cells between a virtual source and a virtual sink. Immutable; made by `PipelineFactory.build`.
 *
 * ```ts
 * const add = factory.addCell("add", Add);
 * const pipeline = factory.declareInput("a", add.inputs.a).declareOutput("sum", add.outputs.sum).build();
 * pipeline.order; // ["add"]
 * await writeFile("pipeline.svg", await pipeline.toSVG());
 * ```
 *
 * @typeParam I The types of the declared inputs, by name.
 * @typeParam O The types of the declared outputs, by name.
 */
export class Pipeline<I extends Types = Types, O extends Types = Types> implements PipelineGraph {
  /** Never there: where the type system keeps the interface. */
  declare readonly interface?: { readonly inputs: I; readonly outputs: O };
  readonly name: string;
  readonly description: string | undefined;
  readonly cells: Readonly<Record<string, CellDefinition>>;
  readonly nested: Readonly<Record<string, NestedPipeline>>;
  readonly inputs: Readonly<Record<string, PipelineInput>>;
  readonly outputs: Readonly<Record<string, PipelineOutput>>;
  readonly edges: readonly Edge[];
  readonly order: readonly string[];

  constructor(graph: PipelineGraph) {
    this.name = graph.name;
    this.description = graph.description;
    this.cells = graph.cells;
    this.nested = graph.nested;
    this.inputs = graph.inputs;
    this.outputs = graph.outputs;
    this.edges = graph.edges;
    this.order = graph.order;
    Object.freeze(this);
  }

  /** The graph as plain data: what `JSON.stringify(pipeline)` writes. */
  toJSON(): PipelineJson {
    return pipelineToJson(this);
  }

  /** The graph in Graphviz' DOT language, virtual source and sink included. */
  toDot(): string {
    return pipelineToDot(this);
  }

  /** The graph as an SVG document. Loads Graphviz (WebAssembly) on first use. */
  async toSVG(): Promise<string> {
    return renderSvg(this.toDot());
  }
}

/** Declarations as plain statements leave no trace in the types: then any name may be passed, and is checked at run time. */
export type IfKnown<T, Values> = [keyof T] extends [never] ? Readonly<Record<string, unknown>> : Values;

/** What `predict` on a pipeline takes; inputs with a default may be left out. */
export type PipelineInputs<P> = P extends Pipeline<infer I, infer _O> ? IfKnown<I, InputsOf<I>> : never;

/** What `predict` on a pipeline gives. */
export type PipelineOutputs<P> = P extends Pipeline<infer _I, infer O> ? IfKnown<O, ValuesOf<O>> : never;
