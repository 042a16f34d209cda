/** headrace.yaml: a pipeline and its drivers, declared. */
export type {
  ComponentConfig,
  DriverConfig,
  HeadraceConfig,
  ModelConfig,
  PipelineConfig,
  StateConfig,
} from "./config.js";
export type { Environment } from "./environment.js";
export { pipelineOfCell } from "./pipeline.js";
export { type LoadOptions, loadConfig } from "./read.js";
export type { ResolvedConfig, ResolvedDriver } from "./resolve.js";
export { ConfigInvalidError, type ConfigProblem } from "./source.js";
