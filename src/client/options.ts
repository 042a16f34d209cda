/** What the client's calls take and give. Each option says its unit and default. */
import type { RawTensor } from "../datatype.js";
import type { Address } from "./address.js";
import type { CallOptions, Fetch } from "./http.js";
import type { ClientTls } from "./node-tls.js";
import type { InferStream } from "./stream.js";
import type { NumberedAnswer, NumberedStep } from "./stream-codec.js";
import type { StreamHandle, StreamSet } from "./stream-set.js";

/** What holds for all calls of a client. */
export interface ClientSettings {
  /** The model that `infer` and `stream` use. Default: none, so that each call must name it. */
  readonly model?: string;
  /** Milliseconds that a call may take, and a stream to connect. Default 30000. Infinity: no limit. */
  readonly timeoutMs?: number;
  /** Sent with every request, e.g. `authorization`. Browsers cannot send them with a WebSocket. Default: none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A bearer token. In browsers it goes with a WebSocket as a subprotocol, as they cannot send headers. Default: none. */
  readonly token?: string;
  /**
   * Whom to trust, and which certificate to show, over https and wss. In Node.js only: browsers have settings of their own. Not
   * together with `fetch`. Default: the platform's authorities and no certificate.
   */
  readonly tls?: ClientTls;
  /**
   * How often a call that failed is tried again, within its time limit: a GET whose connection failed or which was answered
   * with 429, 502, 503 or 504, and any other request that could not be sent because there was no connection. Nothing else,
   * so that no step counts twice. Waits 0.1 s, 0.2 s and so on up to 2 s, times a random factor from 0 to 1, and
   * `Retry-After` besides. Not for streams. Default 2; 0: never.
   */
  readonly retries?: number;
  /** The fetch to use. Default: the platform's. */
  readonly fetch?: Fetch;
}

/** What a `HeadraceClient` is made with: an address, and settings. */
export type ClientOptions = ClientSettings & Address;

/** How a prediction is made, and which stream it is a step of. */
export interface StepOptions extends CallOptions {
  /** The stream of predictions that this is a step of. Default: none, a prediction on a fresh state. */
  readonly stateId?: string;
  /** Reset the state before this step. Default false. */
  readonly start?: boolean;
  /** Free the state after this step. Default false. */
  readonly end?: boolean;
}

/** How a V2 inference is made. */
export interface InferOptions extends StepOptions {
  /** Default: the client's. */
  readonly model?: string;
  /** Echoed in the answer. */
  readonly id?: string;
  /** Names of the outputs wanted. Default: all. */
  readonly outputs?: readonly string[];
  /** 1 is the highest. Default: the model's. */
  readonly priority?: number;
}

/** What a V2 server answers an inference with. */
export interface InferAnswer {
  readonly modelName: string;
  readonly modelVersion: string | undefined;
  readonly id: string | undefined;
  readonly outputs: Readonly<Record<string, RawTensor>>;
}

/** How a stream of steps is opened. */
export interface StreamOptions {
  /** Default: the client's. */
  readonly model?: string;
  /** Answers outstanding (not yet taken from the iterator) above which `send` waits. Default 16. */
  readonly maxInFlight?: number;
  /** Ends the stream with CANCELLED. */
  readonly signal?: AbortSignal;
}

/** How a connection for many streams is opened. `maxInFlight` is of each of its streams. */
export interface StreamSetOptions extends StreamOptions {
  /** The most raw streams that are open at a time, from 1 to 65536. The server may allow less. Default 1024. */
  readonly maxStreams?: number;
}

/** How state ids are followed. */
export interface SubscribeOptions {
  /** Default: the client's. */
  readonly model?: string;
  /** How results travel: "binary", or "json" for whoever looks at the wire. Default: "binary". */
  readonly format?: "binary" | "json";
  /** Results kept until they are taken; those that come then are lost, and counted. Default 1024. */
  readonly maxBuffered?: number;
  /** Ends the subscription with CANCELLED. */
  readonly signal?: AbortSignal;
}

/** Values by name. */
export type Values = Record<string, unknown>;

/** A stream whose steps are tensors by input name and whose answers are tensors by output name. */
export type TensorStream = InferStream<Readonly<Record<string, RawTensor>>, Record<string, RawTensor>>;

/** A stream whose steps are the bytes of one input and whose answers are the bytes of all outputs, back to back. */
export type RawStream = InferStream<ArrayBufferView, Uint8Array>;

/** Streams of tensors that share a connection. */
export type TensorStreamSet = StreamSet<Readonly<Record<string, RawTensor>>, Record<string, RawTensor>>;

/** Raw streams that share a connection. */
export type RawStreamSet = StreamSet<ArrayBufferView, Uint8Array>;

/** One of the raw streams that share a connection. */
export type RawStreamHandle = StreamHandle<ArrayBufferView, Uint8Array>;

/** Several raw streams over one connection, by number. Steps of one stream are answered in the order sent. */
export type NumberedStreams = InferStream<NumberedStep, NumberedAnswer>;
