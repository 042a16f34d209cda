/** V2's model configuration, as `GET …/config` and gRPC's ModelConfig give it: what load generators and clients read of it. */
import type { Datatype } from "../datatype.js";
import type { RestrictedInferenceProcess } from "../runtime/index.js";
import type { AnyValueType } from "../types/index.js";

/** A tensor in a model configuration. */
export interface ConfigTensorJson {
  readonly name: string;
  /** Such as TYPE_FP32; TYPE_STRING for BYTES. */
  readonly data_type: string;
  /** Without the batch dimension where `max_batch_size` is above 0. */
  readonly dims: readonly number[];
}

/**
 * The message ModelConfig of Triton's model_config.proto, as its JSON: names with underscores, enums by name, integers as
 * numbers.
 */
export interface ModelConfigJson {
  readonly name: string;
  readonly platform: string;
  readonly backend: string;
  readonly version_policy: object;
  /** 0: the shapes have no batch dimension in front. */
  readonly max_batch_size: number;
  readonly input: readonly (ConfigTensorJson & { readonly format: string })[];
  readonly output: readonly ConfigTensorJson[];
  readonly instance_group: readonly object[];
  /** Where steps of requests share runs of the model and have no state. */
  readonly dynamic_batching?: object;
  /** Where a sequence has state. */
  readonly sequence_batching?: object;
  readonly default_model_filename: string;
  readonly parameters: Readonly<Record<string, { readonly string_value: string }>>;
  readonly model_transaction_policy: { readonly decoupled: false };
}

/** What the runtime was told of the configuration with the inference. */
type Given = Partial<Omit<ModelConfigJson, "input" | "output">> & {
  /** Of inputs, by name. */
  readonly formats?: Readonly<Record<string, string>>;
};

/** The platform in a model's metadata and configuration. */
export function platformOf({ direct, modelConfig }: RestrictedInferenceProcess): string {
  const { platform } = modelConfig as Given;
  return platform ?? (direct === undefined ? "headrace_pipeline" : "onnxruntime_onnx");
}

/** Of any model that is served, whether or not it has a configuration of its own. */
export function modelConfig(inference: RestrictedInferenceProcess): ModelConfigJson {
  const given = inference.modelConfig as Given;
  const { direct, name, inputs, outputs } = inference;
  const max_batch_size = given.max_batch_size ?? largestBatch(inference);
  const tensor = ([tensorName, { datatype, shape }]: [string, AnyValueType]): ConfigTensorJson => {
    return { name: tensorName, data_type: dataType(datatype), dims: max_batch_size > 0 ? shape.slice(1) : shape };
  };
  return {
    name,
    platform: platformOf(inference),
    backend: given.backend ?? (direct === undefined ? "headrace" : "onnxruntime"),
    version_policy: given.version_policy ?? { latest: { num_versions: 1 } },
    max_batch_size,
    input: Object.entries(inputs).map((entry) => ({
      ...tensor(entry),
      format: given.formats?.[entry[0]] ?? "FORMAT_NONE",
    })),
    output: Object.entries(outputs).map(tensor),
    instance_group: given.instance_group ?? [
      { name: `${name}_0`, kind: "KIND_CPU", count: lanesOf(inference), gpus: [], profile: [] },
    ],
    ...scheduling(inference, given, max_batch_size),
    default_model_filename: given.default_model_filename ?? "",
    parameters: given.parameters ?? {},
    model_transaction_policy: { decoupled: false },
  };
}

function dataType(datatype: Datatype): string {
  return datatype === "BYTES" ? "TYPE_STRING" : `TYPE_${datatype}`;
}

function lanesOf({ direct }: RestrictedInferenceProcess): number {
  const description = direct?.engine.description;
  return description?.execution === "lanes" ? description.lanes : 1;
}

/** The most rows of one run, where every tensor has its rows in front; else 0. */
function largestBatch({ direct, inputs, outputs, stats }: RestrictedInferenceProcess): number {
  const hasRowsInFront =
    direct === undefined
      ? [...Object.values(inputs), ...Object.values(outputs)].every(({ shape }) => shape[0] === -1)
      : [...direct.inputs, ...direct.outputs].every(({ batchAxis }) => batchAxis === 0);
  // The counters of runs by their rows end at the largest.
  const largest = Object.values(stats()).map(({ batchSizes }) => batchSizes.length - 1);
  return hasRowsInFront && largest.length > 0 ? Math.min(...largest) : 0;
}

function scheduling(
  { direct, stateful }: RestrictedInferenceProcess,
  given: Given,
  maxBatchSize: number,
): Pick<ModelConfigJson, "dynamic_batching" | "sequence_batching"> {
  if (stateful) {
    // Load generators send sequences where they see this.
    const states = (direct?.engine.description.states ?? []).map((state) => ({
      input_name: state.name,
      output_name: state.output,
      data_type: dataType(state.datatype),
      dims: state.rowShape,
    }));
    return { sequence_batching: { state: states, ...given.sequence_batching } };
  }
  if (given.sequence_batching !== undefined) return { sequence_batching: given.sequence_batching };
  return maxBatchSize > 1 || given.dynamic_batching !== undefined
    ? { dynamic_batching: given.dynamic_batching ?? {} }
    : {};
}
