/**
 * A pipeline that is one ONNX cell, as drivers use it to step the engine without JavaScript values in between: which
 * wire tensor is which input of the engine, and how many bytes a row has.
 */
import type { Datatype } from "../datatype.js";
import type { Engine } from "../engine/engine.js";
import type { TensorDescription } from "../engine/surface.js";
import type { Pipeline } from "../pipeline/index.js";
import type { ModelCell } from "./model-cell.js";
import { shapeOfOne, withBatch } from "./rows.js";

/** An input or output of a `DirectModel`. */
export interface DirectTensor {
  /** The pipeline's name for it, as on the wire. */
  readonly name: string;
  /** Its index in the engine. */
  readonly index: number;
  readonly datatype: Datatype;
  /** V2 shape: with the batch axis as -1 where there is one. */
  readonly shape: readonly number[];
  /** Of a tensor of one row: the same array every time. */
  readonly oneRow: readonly number[];
  /** Without it; -1 is open. */
  readonly rowShape: readonly number[];
  /** -1: none. */
  readonly batchAxis: number;
  readonly fixed: boolean;
  /** 0 unless fixed. */
  readonly rowBytes: number;
}

/**
 * A pipeline that is one ONNX cell, seen past JavaScript values: which wire tensor is which of the engine's, and how many bytes
 * a row of it has.
 */
export interface DirectModel {
  /**
   * The engine that steps it.
   *
   * @internal
   */
  readonly engine: Engine;
  /** In the engine's order. */
  readonly inputs: readonly DirectTensor[];
  /** In the pipeline's order. */
  readonly outputs: readonly DirectTensor[];
}

function directTensor(name: string, index: number, tensor: TensorDescription): DirectTensor {
  const { datatype, rowShape, batchAxis, fixed, rowBytes } = tensor;
  const oneRow = shapeOfOne(rowShape, batchAxis);
  return { name, index, datatype, shape: withBatch(tensor), oneRow, rowShape, batchAxis, fixed, rowBytes };
}

/** The direct way, or undefined where the pipeline is more than one ONNX cell with every input fed by one of its own. */
export function directModel(pipeline: Pipeline, cells: ReadonlyMap<string, ModelCell>): DirectModel | undefined {
  const [ref, ...others] = pipeline.order;
  const cell = ref === undefined ? undefined : cells.get(ref);
  if (cell === undefined || others.length > 0) return undefined;
  const { description } = cell.engine;
  const inputs: DirectTensor[] = [];
  for (const [name, { targets }] of Object.entries(pipeline.inputs)) {
    for (const target of targets) {
      const index = cell.inputIndex(target.port);
      const tensor = description.inputs[index];
      if (tensor === undefined || targets.length > 1) return undefined;
      inputs[index] = directTensor(name, index, tensor);
    }
  }
  if (Object.keys(inputs).length !== description.inputs.length) return undefined;
  const outputs = Object.entries(pipeline.outputs).map(([name, { source }]) => {
    const index = cell.outputIndex(source.port);
    const tensor = description.outputs[index];
    return tensor === undefined ? undefined : directTensor(name, index, tensor);
  });
  if (outputs.includes(undefined)) return undefined;
  return { engine: cell.engine, inputs, outputs: outputs.filter((output) => output !== undefined) };
}
