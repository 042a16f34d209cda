/** The `pipeline`, `parameters` and state options of headrace.yaml as an Inference. */
import { basename, resolve } from "node:path";
import { InvalidArgumentError } from "../errors.js";
import { onnxCell, type Pipeline } from "../pipeline/index.js";
import { loadModule, loadPlugin, type Plugin } from "../plugins/index.js";
import { Inference } from "../runtime/index.js";
import { parseValues } from "../types/index.js";
import type { HeadraceConfig, ModelConfig } from "./config.js";
import { pipelineOfCell } from "./pipeline.js";
import type { ConfigPath, ConfigSource } from "./source.js";

/** A file's values and where they stand. */
export interface Where {
  readonly source: ConfigSource;
  /** The file's folder: relative paths begin there. */
  readonly folder: string;
  readonly plugins: readonly Plugin[];
}

/** Runs what may throw about the value at a path, and says where that is. */
export async function at<T>(
  { source }: Where,
  path: ConfigPath,
  work: () => T | Promise<T>,
  prefix?: string,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw source.located(path, error, prefix);
  }
}

function modelPipeline(model: ModelConfig, config: HeadraceConfig, where: Where): Promise<Pipeline> {
  const { model: file, name = basename(file).replace(/\.onnx$/i, ""), ...options } = model;
  const { stateTtlSeconds, maxStates, evict } = config;
  const state = {
    ...(stateTtlSeconds === undefined ? {} : { stateTtlSeconds }),
    ...(maxStates === undefined ? {} : { maxStates }),
    ...(evict === undefined ? {} : { evict }),
  };
  const cell = () => onnxCell({ ...options, ...state, name, model: resolve(where.folder, file) });
  return at(where, ["pipeline"], () => pipelineOfCell("model", cell()), name);
}

/** What the pipeline is, with the parameters and options that its module may have given it. */
async function base(config: HeadraceConfig, where: Where): Promise<Inference> {
  const { pipeline } = config;
  if (typeof pipeline !== "string") {
    if ("model" in pipeline) return new Inference({ pipeline: await modelPipeline(pipeline, config, where) });
    if ("use" in pipeline) {
      return at(where, ["pipeline", "use"], () => loadPlugin(where.plugins, "pipelines", pipeline.use));
    }
    return at(where, ["pipeline", "cell"], async () => {
      const cell = await loadPlugin(where.plugins, "cells", pipeline.cell);
      return new Inference({ pipeline: await pipelineOfCell("cell", cell) });
    });
  }
  return at(where, ["pipeline"], () => {
    if (pipeline.toLowerCase().endsWith(".onnx")) {
      throw new InvalidArgumentError(`a model file goes under a key of its own: { model: ${pipeline} }`);
    }
    return loadModule("pipelines", resolve(where.folder, pipeline), "default", pipeline);
  });
}

/** The module's parameters, and over them the file's. */
function merged(inference: Inference, config: HeadraceConfig): Inference["parameters"] {
  const parameters = { ...inference.parameters };
  for (const [ref, values] of Object.entries(config.parameters ?? {})) {
    parameters[ref] = { ...parameters[ref], ...values };
  }
  return parameters;
}

/** What to run. Throws with the place of the value that does not fit. */
export async function inferenceOf(config: HeadraceConfig, where: Where): Promise<Inference> {
  const own = await base(config, where);
  const inference = await at(where, [], () => {
    return new Inference({
      // What the file has no key for stays as the module has it.
      ...own,
      parameters: merged(own, config),
      stateTtlSeconds: config.stateTtlSeconds ?? own.stateTtlSeconds,
      maxStates: config.maxStates ?? own.maxStates,
      evict: config.evict ?? own.evict,
      stallSeconds: config.stallSeconds ?? own.stallSeconds,
    });
  });
  for (const [ref, cell] of Object.entries(inference.pipeline.cells)) {
    const types = cell.kind === "function" ? cell.parameters : {};
    // The process does the same when it starts, but does not know the file.
    await at(where, ["parameters", ref], () => parseValues(types, inference.parameters[ref] ?? {}, ""));
  }
  return inference;
}
