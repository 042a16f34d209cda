/** What a command is pointed at, a model file or a module, as an Inference. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { HeadraceError, InvalidArgumentError } from "../errors.js";
import { Pipeline, PipelineFactory } from "../pipeline/index.js";
import { describeModel, Inference } from "../runtime/index.js";
import { bareCell, type ModelOptions, refuseModelOptions } from "./model-options.js";

export function isModelFile(target: string): boolean {
  return target.toLowerCase().endsWith(".onnx");
}

/** A bare model: every input and output that is not state or constant becomes one of the pipeline's. */
async function bareInference(file: string, options: ModelOptions): Promise<Inference> {
  const cell = bareCell(file, options);
  const { inputs, outputs } = await describeModel(cell);
  const factory = new PipelineFactory({ name: cell.name });
  const handle = factory.addCell("model", cell);
  for (const { name } of inputs) factory.declareInput(name, handle.input(name));
  for (const { name } of outputs) factory.declareOutput(name, handle.output(name));
  return new Inference({ pipeline: factory.build() as unknown as Pipeline });
}

async function moduleInference(file: string): Promise<Inference> {
  let exported: unknown;
  try {
    const loaded: { default?: unknown } = await import(pathToFileURL(resolve(file)).href);
    exported = typeof loaded.default === "function" ? await loaded.default() : loaded.default;
  } catch (cause) {
    if (cause instanceof HeadraceError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new InvalidArgumentError(`cannot load ${file}: ${message}`, { cause });
  }
  if (exported instanceof Inference) return exported;
  if (exported instanceof Pipeline) return new Inference({ pipeline: exported });
  throw new InvalidArgumentError(
    `${file} must default-export an Inference, a Pipeline or a function that returns one, made with this installation of headrace`,
  );
}

export async function inferenceOf(target: string, options: ModelOptions): Promise<Inference> {
  if (isModelFile(target)) return bareInference(target, options);
  refuseModelOptions(options);
  return moduleInference(target);
}
