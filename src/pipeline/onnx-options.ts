import type { TypedArray } from "../datatype.js";
import type { AnyValueType, Types } from "../types/index.js";

/** A port of an ONNX cell: the tensor's name in the model, or that and its type. */
export type OnnxPortOption =
  | string
  | {
      /** The tensor's name in the model. Default: the name of the port. */
      readonly tensor?: string;
      /** The type, narrower than the model's own: for symbolic dimensions that are fixed in truth. Default: the model's. */
      readonly type?: AnyValueType;
    };

/** Ports of an ONNX cell by the names that the pipeline knows them by. */
export type OnnxPortOptions = Readonly<Record<string, OnnxPortOption>>;

/** A pair of tensors that carries recurrent state from one step of a state id to the next. */
export interface OnnxStateOption {
  /** The model's input that takes the state. */
  readonly input: string;
  /** The model's output that gives the next state. */
  readonly output: string;
  /** The axis along which states of several state ids are put together. Default: found from the model's dimensions. */
  readonly batchAxis?: number;
  /** What a new state id starts with. Default and only choice: "zeros". */
  readonly initial?: "zeros";
}

/** Elements kept from step to step and put before the next step's input. */
export interface OnnxContextOption {
  /** How many elements along `axis`. */
  readonly size: number;
  /** The axis, counted like the port's shape, the batch axis included. Default: the last one. */
  readonly axis?: number;
}

/** How steps of different state ids share one run of the model. */
export interface OnnxBatchingOption {
  /**
   * The most steps in one run of the model; 1 turns batching off. More raises throughput under load, and the time of each
   * run. Default: measured when the model is loaded, at most 64.
   */
  readonly maxSize?: number;
  /**
   * Microseconds that a run waits for more steps to arrive. Costs each step up to this much latency. Default: 0, a run
   * takes what arrived while the model was busy.
   */
  readonly maxDelayMicros?: number;
}

/**
 * The value of a model's input that is always the same. A number, bigint, boolean or string fills the whole tensor, converted to
 * its datatype; a typed array has its elements, in its datatype. One that does not fit is MODEL_INVALID when the model is loaded.
 */
export type OnnxConstant = number | bigint | boolean | string | TypedArray;

/** What `onnxCell` takes. Tensor names are those of the model; port names are yours. */
export interface OnnxCellOptions<I extends OnnxPortOptions, O extends OnnxPortOptions> {
  /** The name in drawings, logs and metrics. */
  readonly name: string;
  /** What the model does, for people. Default: none. */
  readonly description?: string;
  /** The model file: a path or a `file:` URL. It is read when an inference starts, not before. */
  readonly model: string | URL;
  /** What a relative `model` is relative to: a file or a directory ending in "/", e.g. `import.meta.url`. Default: the working directory. */
  readonly baseUrl?: string | URL;
  /** Inputs that get another name or a narrower type. Default: each of the model's inputs is a port of its own name. */
  readonly inputs?: I;
  /** Outputs that get another name or a narrower type. Default: each of the model's outputs is a port of its own name. */
  readonly outputs?: O;
  /** Inputs of the model that always have the same value, by tensor name; they are no ports. Default: none. */
  readonly constants?: Readonly<Record<string, OnnxConstant>>;
  /** The recurrent state; its tensors are no ports. Default: pairs are recognised in the model; `[]` means there are none. */
  readonly state?: readonly OnnxStateOption[];
  /** Per input port, how many elements of a step go before the next one's input, along the last axis or `axis`. Default: none. */
  readonly context?: Readonly<Record<string, number | OnnxContextOption>>;
  /** How steps of different state ids share runs. Default: as many as arrived, without waiting. */
  readonly batching?: OnnxBatchingOption;
  /**
   * Where the model runs. Default: "auto", the best that this build has, which is the CPU; "cuda" and "tensorrt" are refused
   * with UNIMPLEMENTED until a build has them.
   */
  readonly accelerator?: "auto" | "cpu" | "cuda" | "tensorrt";
  /**
   * Which threads run the model. "inline": the JavaScript thread that submits, at the end of its turn; the least latency and
   * the most throughput for tiny models, but a long run holds up the event loop. "lanes": threads of the engine's own.
   * Default: "auto", chosen by timing the model when it is loaded.
   */
  readonly execution?: "auto" | "inline" | "lanes";
  /**
   * Threads that run the model side by side over one shared session. Default: one for each core that the process may use, divided
   * by `intraOpThreads`.
   */
  readonly lanes?: number;
  /**
   * Threads that share the work within one run, from 1 to 256: a large model answers sooner with several, where cores are idle;
   * a busy server does more with one each. Default: 1.
   */
  readonly intraOpThreads?: number;
  /** Steps that may wait; a further one is refused with RESOURCE_EXHAUSTED. Each costs its input's memory. Default: 4096. */
  readonly queueSize?: number;
  /**
   * Bytes of inputs that may wait, where they have no row in a batch yet: steps behind others of their state id, steps whose shapes
   * differ, large ones. What comes on top is refused with RESOURCE_EXHAUSTED; a step that is alone never is. Default: 1 GiB.
   */
  readonly queueBytes?: number;
  /** Seconds that an unused state is kept after its last step. Default: 60. */
  readonly stateTtlSeconds?: number;
  /** States kept at the same time; each costs the size of its tensors. Default: 10000. */
  readonly maxStates?: number;
  /** What happens at `maxStates`: "refuse" the new state id, or drop the least recently used state. Default: "refuse". */
  readonly evict?: "refuse" | "lru";
}

/** A port as the cell keeps it. `type` is MODEL_TENSOR where the model decides. */
export interface OnnxPort {
  readonly tensor: string;
  readonly type: AnyValueType;
}

/**
 * A cell that runs a model in the engine: a description only, complete with defaults, which the runtime resolves against
 * the model when it starts. Immutable; may be added to many pipelines.
 *
 * @typeParam I The types of the named input ports, known to the type system only.
 */
export interface OnnxCell<I extends Types = Types, O extends Types = Types> {
  readonly kind: "onnx";
  readonly name: string;
  readonly description: string | undefined;
  /** The absolute path of the model file. */
  readonly model: string;
  /** The ports that were named, by port name; undefined: none. Tensors not named here are ports of their own name. */
  readonly inputs: Readonly<Record<string, OnnxPort>> | undefined;
  readonly outputs: Readonly<Record<string, OnnxPort>> | undefined;
  readonly constants: Readonly<Record<string, OnnxConstant>>;
  /** Undefined: to be recognised in the model. */
  readonly state: readonly OnnxStatePlan[] | undefined;
  /** By port name; the axis is undefined for the last one. */
  readonly context: Readonly<Record<string, { readonly size: number; readonly axis: number | undefined }>>;
  readonly batching: { readonly maxSize: number | undefined; readonly maxDelayMicros: number };
  readonly accelerator: "auto" | "cpu" | "cuda" | "tensorrt";
  readonly execution: "auto" | "inline" | "lanes";
  readonly lanes: number | undefined;
  readonly intraOpThreads: number;
  readonly queueSize: number;
  readonly queueBytes: number;
  readonly stateTtlSeconds: number;
  readonly maxStates: number;
  readonly evict: "refuse" | "lru";
  /** Never there: where the type system keeps what the ports are. */
  readonly ports?: { readonly inputs: I; readonly outputs: O };
}

/** A pair of state tensors as the cell keeps it, defaults filled in. See `OnnxStateOption`. */
export interface OnnxStatePlan {
  readonly input: string;
  readonly output: string;
  /** Undefined: to be found from the model's dimensions. */
  readonly batchAxis: number | undefined;
  readonly initial: "zeros";
}
