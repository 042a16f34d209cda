/** What headrace.yaml says, once it has been checked. `schema/headrace.schema.json` is the same for editors. */
import type { OnnxBatchingOption, OnnxStateOption } from "../pipeline/index.js";
import type { RestartOptions } from "../runtime/index.js";

/** Something by name, and what its constructor takes. */
export interface ComponentConfig {
  /** A built-in name, or `package/entry` of a plugin. */
  readonly use: string;
  /** Default: none. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/** A driver and what happens when it fails. */
export interface DriverConfig extends ComponentConfig, RestartOptions {}

/** A bare model. The options are those of `onnxCell`; the file's state options are the model's. */
export interface ModelConfig {
  /** The path of the model file. */
  readonly model: string;
  /** Default: the file's name without `.onnx`. */
  readonly name?: string;
  readonly inputs?: Readonly<Record<string, string>>;
  readonly outputs?: Readonly<Record<string, string>>;
  readonly constants?: Readonly<Record<string, number | boolean | string>>;
  readonly state?: readonly OnnxStateOption[];
  readonly context?: Readonly<Record<string, number>>;
  readonly batching?: OnnxBatchingOption;
  readonly accelerator?: "auto" | "cpu" | "cuda" | "tensorrt";
  readonly execution?: "auto" | "inline" | "lanes";
  readonly lanes?: number;
  readonly intraOpThreads?: number;
  readonly queueSize?: number;
  readonly queueBytes?: number;
}

/** The path of a module, a plugin's pipeline, a plugin's cell, or a model. */
export type PipelineConfig = string | { readonly use: string } | { readonly cell: string } | ModelConfig;

/** The options of an `Inference`, or of the model where the pipeline is one. */
export interface StateConfig {
  readonly stateTtlSeconds?: number;
  readonly maxStates?: number;
  readonly evict?: "refuse" | "lru";
}

/** The whole file. */
export interface HeadraceConfig extends StateConfig {
  readonly version: 1;
  readonly pipeline: PipelineConfig;
  /** Values of cells' parameters, by cell ref and parameter name. Default: none given. */
  readonly parameters?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** By a name of the user's. Started in this order. */
  readonly drivers: Readonly<Record<string, DriverConfig>>;
  /** Seconds without the end of any batch, while steps are in a model's engine, after which it is not ready. Default: 30. */
  readonly stallSeconds?: number;
}
