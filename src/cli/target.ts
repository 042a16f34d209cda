/** What a command is pointed at, a model file or a module, as an Inference. */
import { resolve } from "node:path";
import { pipelineOfCell } from "../config/index.js";
import { loadModule } from "../plugins/index.js";
import { Inference } from "../runtime/index.js";
import { bareCell, type ModelOptions, refuseModelOptions } from "./model-options.js";

export function isModelFile(target: string): boolean {
  return target.toLowerCase().endsWith(".onnx");
}

export async function inferenceOf(target: string, options: ModelOptions): Promise<Inference> {
  if (isModelFile(target)) return new Inference({ pipeline: await pipelineOfCell("model", bareCell(target, options)) });
  refuseModelOptions(options);
  return loadModule("pipelines", resolve(target), "default", target);
}
