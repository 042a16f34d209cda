/** The public face of Headrace: what `import … from "headrace"` gives. */
export {
  type ComponentConfig,
  ConfigInvalidError,
  type ConfigProblem,
  type DriverConfig,
  type Environment,
  type HeadraceConfig,
  type LoadOptions,
  loadConfig,
  type ModelConfig,
  type PipelineConfig,
  type ResolvedConfig,
  type ResolvedDriver,
  type StateConfig,
} from "./config/index.js";
export type { ArrayOf, Datatype, FixedDatatype, RawTensor, TypedArray } from "./datatype.js";
export type { Durations, ModelDescription, NativeStats, RunTotals, TensorDescription } from "./engine/surface.js";
export * from "./errors.js";
export * from "./pipeline/index.js";
export {
  type ComponentClass,
  discoverPlugins,
  findPlugin,
  loadPlugin,
  PLUGIN_KINDS,
  type Plugin,
  type PluginEntry,
  type PluginKind,
  type PluginProblem,
  type PluginValues,
} from "./plugins/index.js";
export * from "./runtime/index.js";
export { Sink, type SinkContext, type SinkItem } from "./sinks/sink.js";
export { Source, type SourceContext, type SourceItem } from "./sources/source.js";
export * from "./types/index.js";
