/** What a command is pointed at, a model file or a module, as an Inference. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { pipelineOfCell } from "../config/index.js";
import { InvalidArgumentError } from "../errors.js";
import { loadModule } from "../plugins/index.js";
import { Inference } from "../runtime/index.js";
import { bareCell, type ModelOptions, refuseModelOptions } from "./model-options.js";

export function isModelFile(target: string): boolean {
  return target.toLowerCase().endsWith(".onnx");
}

function isDirectory(target: string): boolean {
  return statSync(target, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

export async function inferenceOf(target: string, options: ModelOptions): Promise<Inference> {
  if (isModelFile(target)) return new Inference({ pipeline: await pipelineOfCell("model", bareCell(target, options)) });
  if (isDirectory(target)) {
    const remedy = `headrace serve --models ${target} serves a directory of models`;
    throw new InvalidArgumentError(`is a directory, expected a model file or a module; ${remedy}`, { path: target });
  }
  refuseModelOptions(options);
  return loadModule("pipelines", resolve(target), "default", target);
}
