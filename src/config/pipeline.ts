/** Pipelines without code: of a single cell, each of its ports under its own name. */
import { type CellDefinition, type OnnxPort, type Pipeline, PipelineFactory } from "../pipeline/index.js";
import { describeModel } from "../runtime/index.js";

/** The names of a model's ports: what the cell calls its tensors, else the tensors' own names. */
function portNames(
  tensors: readonly { readonly name: string }[],
  named: Readonly<Record<string, OnnxPort>> = {},
): string[] {
  return tensors.map(({ name }) => Object.entries(named).find(([, port]) => port.tensor === name)?.[0] ?? name);
}

/**
 * A pipeline of one cell. Every input and output that is not state or constant becomes one of the pipeline's.
 *
 * @param ref The cell's ref, which parameters and statistics go by.
 * @throws MODEL_NOT_FOUND, MODEL_INVALID: a model is loaded, to see what it has.
 */
export async function pipelineOfCell(ref: string, cell: CellDefinition): Promise<Pipeline> {
  const factory = new PipelineFactory({ name: cell.name });
  if (cell.kind === "function") {
    const { inputs, outputs } = factory.addCell(ref, cell);
    for (const [name, port] of Object.entries(inputs)) factory.declareInput(name, port);
    for (const [name, port] of Object.entries(outputs)) factory.declareOutput(name, port);
  } else {
    const { inputs, outputs } = await describeModel(cell);
    const handle = factory.addCell(ref, cell);
    for (const name of portNames(inputs, cell.inputs)) factory.declareInput(name, handle.input(name));
    for (const name of portNames(outputs, cell.outputs)) factory.declareOutput(name, handle.output(name));
  }
  return factory.build() as unknown as Pipeline;
}
