/**
 * The model configuration of Triton, as far as its fields are known here (model_config.proto of triton-inference-server/common).
 * Names with underscores are those of config.pbtxt. A field that is `ignored` changes nothing, and whoever loads the model is
 * told so; docs/repository.md lists them.
 */

export type ScalarKind = "string" | "bool" | "int32" | "uint32" | "int64" | "uint64" | "float";

/** What a field holds. */
export interface FieldSpec {
  readonly type: ScalarKind | { readonly choices: readonly string[] } | { readonly message: MessageSpec };
  readonly repeated?: true;
  /** From strings (or numbers) to what `type` says. */
  readonly map?: true;
}

/** A field whose content is not looked at. */
export interface IgnoredSpec {
  /** Why nothing follows from it. */
  readonly ignored: string;
}

/** A field that must be absent, empty or false: what it asks for is not there, and going on without it would answer wrongly. */
export interface RefusedSpec {
  /** What is not there. */
  readonly refused: string;
}

export interface MessageSpec {
  readonly [field: string]: FieldSpec | IgnoredSpec | RefusedSpec;
}

type One<T> = T extends "string"
  ? string
  : T extends "bool"
    ? boolean
    : T extends ScalarKind
      ? number
      : T extends { readonly choices: readonly (infer C)[] }
        ? C
        : T extends { readonly message: infer M extends MessageSpec }
          ? MessageValue<M>
          : never;

/** What a message is once it has been read: a field that was not given is not there. */
export type MessageValue<M extends MessageSpec> = {
  readonly [K in keyof M as M[K] extends FieldSpec ? K : never]?: M[K] extends {
    readonly type: infer T;
    readonly map: true;
  }
    ? Readonly<Record<string, One<T>>>
    : M[K] extends { readonly type: infer T; readonly repeated: true }
      ? readonly One<T>[]
      : M[K] extends { readonly type: infer T }
        ? One<T>
        : never;
};

const STRING = { type: "string" } as const;
const BOOL = { type: "bool" } as const;
const INT32 = { type: "int32" } as const;
const UINT32 = { type: "uint32" } as const;
const UINT64 = { type: "uint64" } as const;
const INT64S = { type: "int64", repeated: true } as const;
const INT32S = { type: "int32", repeated: true } as const;

const DATA_TYPE = {
  // In the order of their numbers.
  type: {
    choices: [
      "TYPE_INVALID",
      "TYPE_BOOL",
      "TYPE_UINT8",
      "TYPE_UINT16",
      "TYPE_UINT32",
      "TYPE_UINT64",
      "TYPE_INT8",
      "TYPE_INT16",
      "TYPE_INT32",
      "TYPE_INT64",
      "TYPE_FP16",
      "TYPE_FP32",
      "TYPE_FP64",
      "TYPE_STRING",
      "TYPE_BF16",
    ],
  },
} as const;

const RESHAPE = { refused: "tensors are not reshaped; give dims as the model has them" } as const;
const SHAPE_TENSOR = { refused: "shape tensors are TensorRT's" } as const;
const NON_LINEAR = { refused: "such formats are TensorRT's" } as const;
const CLASSIFICATION = { ignored: "the classification extension is not supported" } as const;

const INPUT = {
  name: STRING,
  data_type: DATA_TYPE,
  format: { type: { choices: ["FORMAT_NONE", "FORMAT_NHWC", "FORMAT_NCHW"] } },
  dims: INT64S,
  reshape: RESHAPE,
  is_shape_tensor: SHAPE_TENSOR,
  allow_ragged_batch: { refused: "the rows of a run have the same shape" },
  optional: { refused: "ONNX Runtime needs every input" },
  is_non_linear_format_io: NON_LINEAR,
} as const;

const OUTPUT = {
  name: STRING,
  data_type: DATA_TYPE,
  dims: INT64S,
  reshape: RESHAPE,
  label_filename: CLASSIFICATION,
  is_shape_tensor: SHAPE_TENSOR,
  is_non_linear_format_io: NON_LINEAR,
} as const;

const VERSION_POLICY = {
  latest: { type: { message: { num_versions: UINT32 } } },
  all: { type: { message: {} } },
  specific: { type: { message: { versions: INT64S } } },
} as const;

const QUEUE_POLICY = {
  timeout_action: { type: { choices: ["REJECT", "DELAY"] } },
  default_timeout_microseconds: UINT64,
  allow_timeout_override: BOOL,
  max_queue_size: UINT32,
} as const;

const PREFERRED = { ignored: "a run takes what is there, up to the largest batch" } as const;
const ORDERED = {
  ignored: "steps of a sequence are always in order, and other answers go out when they are there",
} as const;

const DYNAMIC_BATCHING = {
  preferred_batch_size: INT32S,
  max_queue_delay_microseconds: UINT64,
  preserve_ordering: ORDERED,
  priority_levels: UINT64,
  default_priority_level: UINT64,
  default_queue_policy: { type: { message: QUEUE_POLICY } },
  priority_queue_policy: { ignored: "the default queue policy is that of every level" },
} as const;

const CONTROL = {
  // In the order of their numbers.
  kind: {
    type: {
      choices: ["CONTROL_SEQUENCE_START", "CONTROL_SEQUENCE_READY", "CONTROL_SEQUENCE_END", "CONTROL_SEQUENCE_CORRID"],
    },
  },
  int32_false_true: INT32S,
  fp32_false_true: { type: "float", repeated: true },
  bool_false_true: { type: "bool", repeated: true },
  data_type: DATA_TYPE,
} as const;

const CONTROL_INPUT = { name: STRING, control: { type: { message: CONTROL }, repeated: true } } as const;

const INITIAL_STATE = { data_type: DATA_TYPE, dims: INT64S, zero_data: BOOL, data_file: STRING, name: STRING } as const;

const BUFFERS = { ignored: "the engine keeps states in buffers of its own" } as const;

const STATE = {
  input_name: STRING,
  output_name: STRING,
  data_type: DATA_TYPE,
  dims: INT64S,
  initial_state: { type: { message: INITIAL_STATE }, repeated: true },
  use_same_buffer_for_input_output: BUFFERS,
  use_growable_memory: BUFFERS,
} as const;

const SEQUENCE_BATCHING = {
  direct: {
    type: {
      message: { max_queue_delay_microseconds: UINT64, minimum_slot_utilization: { type: "float" } },
    },
  },
  oldest: {
    type: {
      message: {
        max_candidate_sequences: INT32,
        preferred_batch_size: PREFERRED,
        max_queue_delay_microseconds: UINT64,
        preserve_ordering: ORDERED,
      },
    },
  },
  max_sequence_idle_microseconds: UINT64,
  control_input: { type: { message: CONTROL_INPUT }, repeated: true },
  state: { type: { message: STATE }, repeated: true },
  iterative_sequence: { refused: "a request is one step" },
} as const;

const INSTANCE_GROUP = {
  name: STRING,
  kind: { type: { choices: ["KIND_AUTO", "KIND_GPU", "KIND_CPU", "KIND_MODEL"] } },
  count: INT32,
  gpus: INT32S,
  passive: { refused: "every instance takes requests" },
  rate_limiter: { ignored: "there is no rate limiter between models" },
  secondary_devices: { ignored: "models run on the CPU" },
  profile: { ignored: "it is TensorRT's" },
  host_policy: { ignored: "there are no host policies" },
} as const;

/** The message `ModelConfig`. */
export const MODEL_CONFIG = {
  name: STRING,
  platform: STRING,
  backend: STRING,
  runtime: { ignored: "there is one ONNX Runtime" },
  version_policy: { type: { message: VERSION_POLICY } },
  max_batch_size: INT32,
  input: { type: { message: INPUT }, repeated: true },
  output: { type: { message: OUTPUT }, repeated: true },
  batch_input: { refused: "the rows of a run have the same shape" },
  batch_output: { refused: "the rows of a run have the same shape" },
  optimization: { ignored: "ONNX Runtime's own defaults apply" },
  dynamic_batching: { type: { message: DYNAMIC_BATCHING } },
  sequence_batching: { type: { message: SEQUENCE_BATCHING } },
  ensemble_scheduling: { refused: "there are no ensembles; make a pipeline, and serve that" },
  instance_group: { type: { message: INSTANCE_GROUP }, repeated: true },
  default_model_filename: STRING,
  cc_model_filenames: { ignored: "models run on the CPU" },
  metric_tags: { ignored: "metrics have no labels of a model's own" },
  parameters: { type: { message: { string_value: STRING } }, map: true },
  model_warmup: { ignored: "a model is timed when it is loaded, which warms it up" },
  model_operations: { refused: "libraries of custom operators are not loaded" },
  model_transaction_policy: { type: { message: { decoupled: { refused: "a request has one response" } } } },
  model_repository_agents: { refused: "there are no agents, and leaving out a check is no way to pass it" },
  response_cache: { ignored: "answers are not cached" },
  model_metrics: { ignored: "the buckets of histograms are fixed" },
} as const satisfies MessageSpec;

/** Fields of which a message may have one. */
export const ONE_OF: readonly (readonly string[])[] = [
  ["dynamic_batching", "sequence_batching", "ensemble_scheduling"],
  ["latest", "all", "specific"],
  ["direct", "oldest"],
  ["zero_data", "data_file"],
];

/** A model's configuration as it was read. */
export type TritonConfig = MessageValue<typeof MODEL_CONFIG>;
export type TritonInput = MessageValue<typeof INPUT>;
export type TritonOutput = MessageValue<typeof OUTPUT>;
export type TritonControl = MessageValue<typeof CONTROL>;
export type TritonState = MessageValue<typeof STATE>;
export type TritonVersionPolicy = MessageValue<typeof VERSION_POLICY>;
export type TritonDataType = (typeof DATA_TYPE.type.choices)[number];
