/** A pipeline as plain data, for tools and people: what there is and how it is connected, not what it does. */
import { basename } from "node:path";
import type { AnyValueType, JsonSchema, Types } from "../types/index.js";
import type { CellDefinition } from "./cell.js";
import type { NestedPipeline, PipelineGraph } from "./graph.js";
import { namedPorts, type PortRef, portText } from "./ports.js";

/** A port in `PipelineJson`. */
export interface PortJson {
  /** The type in words, such as `Tensor FP32[-1,512]`. */
  readonly type: string;
  /** What plain REST sends and receives; of a tensor that only the model knows, nothing. */
  readonly schema: JsonSchema;
}

/** A cell in `PipelineJson`. */
export interface CellJson {
  readonly kind: "function" | "onnx";
  readonly name: string;
  readonly description?: string;
  /** The model's file name, of an ONNX cell. */
  readonly model?: string;
  /** The ports that the cell names, by name. */
  readonly inputs: Readonly<Record<string, PortJson>>;
  readonly outputs: Readonly<Record<string, PortJson>>;
  readonly parameters: Readonly<Record<string, PortJson>>;
  /** What is kept from step to step, as far as the description tells. */
  readonly state: readonly string[];
}

/** What `pipeline.toJSON()` gives. Ports are written `cell.port`. */
export interface PipelineJson {
  readonly name: string;
  readonly description?: string;
  readonly inputs: Readonly<Record<string, PortJson & { readonly feeds: readonly string[] }>>;
  readonly outputs: Readonly<Record<string, PortJson & { readonly from: string }>>;
  readonly cells: Readonly<Record<string, CellJson>>;
  readonly nested: Readonly<Record<string, NestedPipeline>>;
  readonly connections: readonly { readonly from: string; readonly to: string }[];
}

export function pipelineToJson(graph: PipelineGraph): PipelineJson {
  const { name, description, inputs, outputs, cells, nested, edges } = graph;
  return {
    name,
    ...(description === undefined ? {} : { description }),
    inputs: mapped(inputs, ({ type, targets }) => ({ ...portJson(type), feeds: targets.map(portText) })),
    outputs: mapped(outputs, ({ type, source }) => ({ ...portJson(type), from: portText(source) })),
    cells: mapped(cells, cellJson),
    nested,
    connections: edges.map(({ from, to }: { from: PortRef; to: PortRef }) => ({
      from: portText(from),
      to: portText(to),
    })),
  };
}

/** What a cell remembers from step to step, as far as its description tells. */
export function stateOf(cell: CellDefinition): string[] {
  if (cell.kind === "function") return Object.keys(cell.state);
  const recurrent = (cell.state ?? []).map(({ input }) => input);
  return [...recurrent, ...Object.entries(cell.context).map(([port, { size }]) => `last ${size} of ${port}`)];
}

function cellJson(cell: CellDefinition): CellJson {
  const { inputs, outputs } = namedPorts(cell);
  const ports = (types: Types) => mapped(types, portJson);
  return {
    kind: cell.kind,
    name: cell.name,
    ...(cell.description === undefined ? {} : { description: cell.description }),
    ...(cell.kind === "onnx" ? { model: basename(cell.model) } : {}),
    inputs: ports(inputs),
    outputs: ports(outputs),
    parameters: ports(cell.kind === "function" ? cell.parameters : {}),
    state: stateOf(cell),
  };
}

function portJson(type: AnyValueType): PortJson {
  return { type: type.label, schema: type.jsonSchema() };
}

function mapped<V, R>(record: Readonly<Record<string, V>>, change: (value: V) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
