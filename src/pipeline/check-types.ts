import { bug, PipelineInvalidError } from "../errors.js";
import type { AnyValueType, Types } from "../types/index.js";
import { checkEdge, checkFed, commonType, portKey, type TypedEnd } from "./graph.js";
import type { Pipeline } from "./pipeline.js";
import { type PortRef, portText } from "./ports.js";

/** All ports of a cell, their types known. */
export interface CellPorts {
  readonly inputs: Types;
  readonly outputs: Types;
}

/**
 * What a pipeline takes and gives, checked again with the types that the models brought: every port exists, every
 * connection fits, every input is fed.
 *
 * ```ts
 * const ports = { inputs: { audio: Tensor("FP32", [-1, 512]) }, outputs: { speech: Tensor("FP32", [-1, 1]) } };
 * const { inputs } = checkTypes(pipeline, new Map([["vad", ports]]));
 * console.log(inputs.audio?.label); // Tensor FP32[-1,512]
 * ```
 *
 * @param resolved The ports of each ONNX cell by ref, by port name: without constants and states, a type fixed in the cell's
 *   description in place of the model's. Function cells know theirs.
 * @returns The types of the pipeline's inputs and outputs, by name.
 * @throws PipelineInvalidError that names the ends that do not fit, or the port that the model does not have.
 */
export function checkTypes(pipeline: Pipeline, resolved: ReadonlyMap<string, CellPorts>): CellPorts {
  const fed = new Set<string>();
  const output = (ref: PortRef) => resolve(pipeline, resolved, ref, "outputs");
  const input = (ref: PortRef) => {
    fed.add(portKey(ref));
    return resolve(pipeline, resolved, ref, "inputs");
  };
  for (const { from, to } of pipeline.edges) checkEdge(output(from), input(to));
  const inputs = Object.entries(pipeline.inputs).map(
    ([name, { targets }]) => [name, commonType(name, targets.map(input))] as const,
  );
  const outputs = Object.entries(pipeline.outputs).map(([name, { source }]) => [name, output(source).type] as const);
  for (const ref of pipeline.order) {
    checkFed(ref, portsOf(pipeline, resolved, ref).inputs, (port) => fed.has(portKey(port)));
  }
  return { inputs: Object.fromEntries(inputs), outputs: Object.fromEntries(outputs) };
}

function portsOf(pipeline: Pipeline, resolved: ReadonlyMap<string, CellPorts>, ref: string): CellPorts {
  const definition = pipeline.cells[ref];
  const ports = definition?.kind === "function" ? definition : resolved.get(ref);
  if (ports === undefined) throw bug(`The cell "${ref}" has not been resolved`);
  return ports;
}

function resolve(
  pipeline: Pipeline,
  resolved: ReadonlyMap<string, CellPorts>,
  ref: PortRef,
  side: "inputs" | "outputs",
): TypedEnd {
  const types = portsOf(pipeline, resolved, ref.cell)[side];
  const type: AnyValueType | undefined = Object.hasOwn(types, ref.port) ? types[ref.port] : undefined;
  if (type !== undefined) return { ref, type };
  const names = Object.keys(types).join(", ") || "none";
  throw new PipelineInvalidError(`There is no ${portText(ref)}: the model's ${side} are: ${names}.`);
}
