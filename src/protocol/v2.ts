/**
 * The JSON messages of V2 (Open Inference Protocol), as they stand on the wire, and what a request becomes once it is
 * checked. Names with underscores are the protocol's; ours are in camel case.
 */
import type { Datatype, FixedDatatype, RawTensor } from "../datatype.js";
import type { TraceContext } from "./trace-context.js";

/** A V2 parameter. A `bigint` stands for an integer above 2^53 and is written as a plain JSON integer. */
export type ParameterValue = string | number | bigint | boolean;

export type Parameters = Readonly<Record<string, ParameterValue>>;

/** An input of a request or an output of a response. */
export interface TensorJson {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** `binary_data_size`: bytes of this tensor after the JSON header; then there is no `data`. */
  readonly parameters?: Parameters;
  /** Row-major elements, flat or nested as the shape says. */
  readonly data?: unknown;
}

/** An output that a request asks for. `parameters.binary_data` overrides the request's `binary_data_output`. */
export interface RequestedOutputJson {
  readonly name: string;
  readonly parameters?: Parameters;
}

export interface InferRequestJson {
  readonly id?: string;
  readonly parameters?: Parameters;
  readonly inputs: readonly TensorJson[];
  readonly outputs?: readonly RequestedOutputJson[];
}

export interface InferResponseJson {
  readonly model_name: string;
  readonly model_version?: string;
  /** Echoed exactly when the request had one. */
  readonly id?: string;
  readonly parameters?: Parameters;
  readonly outputs: readonly TensorJson[];
}

/** The whole body of a V2 answer outside 2xx. */
export interface ErrorJson {
  readonly error: string;
}

/** An input or output of a model; -1 is a dimension of any size, a leading -1 the batch. */
export interface TensorMetadata {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions?: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

export interface ServerMetadata {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}

/**
 * A checked input. `bytes` and `byteStrings` are views into the body where it was binary: they live as long as the
 * body's buffer does, and start at any alignment (`toRawTensor` takes care of that).
 */
export type DecodedInput =
  | {
      readonly name: string;
      readonly datatype: FixedDatatype;
      readonly shape: readonly number[];
      /** Little-endian, row-major; exactly element count × element size bytes. */
      readonly bytes: Uint8Array;
    }
  | {
      readonly name: string;
      readonly datatype: "BYTES";
      readonly shape: readonly number[];
      readonly byteStrings: readonly Uint8Array[];
    };

export interface WantedOutput {
  readonly name: string;
  /** Whether the client wants this output after the JSON header; already decided from all three places that say so. */
  readonly binary: boolean;
}

/** A request whose form is right. Whether the model has such inputs, types and shapes is the server's to check. */
export interface DecodedRequest {
  readonly id: string | undefined;
  /** The canonical name of the sequence: 42 and "42" are the same. Undefined for none (absent, 0 or ""). */
  readonly sequenceId: string | undefined;
  readonly sequenceStart: boolean;
  readonly sequenceEnd: boolean;
  /** 1 is the highest; undefined is the model's default. */
  readonly priority: number | undefined;
  /** Undefined is none. */
  readonly timeoutMicros: number | undefined;
  readonly inputs: readonly DecodedInput[];
  /** Undefined: all outputs, each as `binaryOutputDefault` says. */
  readonly outputs: readonly WantedOutput[] | undefined;
  readonly binaryOutputDefault: boolean;
  /** The trace that the request belongs to, where its parameters say so. */
  readonly trace?: TraceContext | undefined;
}

/** A tensor with the name of the input or output that it belongs to. */
export type NamedTensor = RawTensor & { readonly name: string };

/** A message ready to be written: the header, then each part; nothing is concatenated before the socket. */
export interface EncodedMessage {
  /** The JSON, UTF-8; the whole body when no tensor is binary. */
  readonly header: Uint8Array;
  /** The binary tensors in order, views over the tensors' own buffers where they can be. */
  readonly parts: readonly Uint8Array[];
  /** Bytes of header and parts together: the Content-Length. */
  readonly total: number;
  /** The value of `Inference-Header-Content-Length`, or undefined when that HTTP header must not be sent. */
  readonly headerLength: number | undefined;
}

/** The HTTP header that separates JSON from tensors in a binary body. */
export const HEADER_LENGTH_FIELD = "Inference-Header-Content-Length";
