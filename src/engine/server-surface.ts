/**
 * The addon's server, typed: an exact mirror of native/addon/server_wrap, no logic. Only src/transport talks to it.
 *
 * I/O threads read and write the sockets. What they do not answer themselves comes as events, in blocks; what is to be done goes
 * back as commands, which reach the threads with `flush`. Connections are numbers that are never used again.
 */

import type { Datatype } from "../datatype.js";

/**
 * Connections of one thread at a time; a connection's number modulo this times the threads is its own among all that are open. The mirror
 * of kSlots in native/transport/connection_table.h.
 */
export const CONNECTION_SLOTS = 2 ** 20;

/** By the numbers of headrace::EventKind in native/transport/events.h. */
export const EventKind = {
  request: 1,
  body: 2,
  aborted: 3,
  sent: 4,
  message: 5,
  closed: 6,
  tapped: 7,
  control: 8,
} as const;

/** Numbers that an event has in the record array. */
export const EVENT_FIELDS = 8;

/** Where in an event's numbers something is. `extra`: of `closed` its code; of `tapped` the state's key, then the model. */
export const EventField = {
  kind: 0,
  connection: 1,
  offset: 2,
  headBytes: 3,
  bodyBytes: 4,
  flags: 5,
  extra: 6,
} as const;

export const EventFlags = {
  /** Of `request`, and of `body`: there is no more of it. */
  bodyComplete: 1,
  /** Of `request`: a WebSocket that may be accepted. */
  upgrade: 2,
  /** Of `message` and `control`. */
  binary: 1,
  /** Of `tapped`: the step has outputs. */
  succeeded: 1,
} as const;

export const RespondFlags = {
  /** The answer has no body by its status: 204 and 304. */
  noBody: 1,
  /** An event `sent` is wanted when the system has taken all of it. */
  tell: 2,
} as const;

export interface NativeServerOptions {
  threads: number;
  /** Whether they are scheduled before all that are not so. INVALID_ARGUMENT where the system does not allow it. */
  realtime?: boolean;
  maxConnections: number;
  /** Bytes of requests and messages that are not done with, of all clients. */
  maxIncomingBytes: number;
  /** Bytes of answers that clients do not read, of all clients. */
  maxUnreadBytes: number;
  /** From the first byte of a head to its last; also between pieces of a body, and of an answer that is not read. */
  headTimeoutMillis: number;
  /** Between requests. */
  keepAliveTimeoutMillis: number;
}

/** A tensor of infer requests. */
export interface NativeInferTensor {
  readonly name: string;
  readonly datatype: Exclude<Datatype, "BYTES">;
  /** With the batch axis as -1. */
  readonly shape: readonly number[];
  /** -1: none. */
  readonly batchAxis: number;
  /** The engine's. */
  readonly index: number;
  readonly rowBytes: number;
}

export interface NativeInferSpec {
  readonly modelName: string;
  readonly modelVersion: string;
  /** In the engine's order. */
  readonly inputs: readonly NativeInferTensor[];
  /** In the order of answers. */
  readonly outputs: readonly NativeInferTensor[];
  readonly maxBodyBytes: number;
  /** See RequestPolicy in src/runtime. */
  readonly priorityLevels: number;
  readonly defaultPriority: number;
}

export interface NativeServer {
  /** The port. `proxied`: connections begin with a PROXY header. */
  listen(host: string, port: number, proxied: boolean): number;
  stopListening(): void;
  close(): Promise<void>;
  /** After `close` and the last `drain`: frees what would otherwise wait for this object to be collected, or keep it. */
  letGo(): void;
  reference(on: boolean): void;
  connections(): number;
  refusedConnections(): number;
  incomingBytes(): number;
  refusedIncoming(): number;
  unreadBytes(): number;
  closedUnread(): number;

  /** How many events the thread's next block has; 0: there is none. The block before it is gone. */
  drain(thread: number): number;
  records(): Float64Array;
  block(): ArrayBuffer;

  respond(connection: number, head: string, body: string | Uint8Array | undefined, flags: number): void;
  abort(connection: number): void;
  accept(
    connection: number,
    fields: string,
    maxMessageBytes: number,
    idleTimeoutSeconds: number,
    maxUnsentBytes: number,
  ): void;
  send(connection: number, data: string | Uint8Array, isBinary: boolean): void;
  end(connection: number, code: number, reason: string): void;
  /** Bytes that the system has not taken; waits for the connection's thread. */
  unsent(connection: number): number;
  flush(): void;

  addModel(engineToken: number): number;
  removeModel(model: number): void;
  /** What its raw streams bring is JavaScript's from now on. */
  divertModel(model: number): void;
  /** Steps under way; waits for the threads. */
  stepsUnderWay(model: number): number;
  acceptRaw(
    connection: number,
    fields: string,
    model: number,
    stateId: string,
    streams: number,
    ownsState: boolean,
    maxMessageBytes: number,
    idleTimeoutSeconds: number,
    maxUnsentBytes: number,
    maxInFlight: number,
  ): void;
  openStream(connection: number, number: number, stateId: string, ownsState: boolean): void;
  closeStream(connection: number, number: number, dropsState: boolean): void;
  reply(connection: number, data: string | Uint8Array): void;
  goAway(connection: number): void;
  tap(model: number, stateKey: number, on: boolean): void;

  /** What infer requests of a model look like; once. Threads take them where `inferPaths` says so. */
  serveInfer(model: number, spec: NativeInferSpec): void;
  /** The paths of requests that the threads take, from now on; waits for them. */
  inferPaths(model: number, paths: readonly string[]): void;
  /** Requests that the threads took, those of them without an answer, then the answers by the index of `NATIVE_CODES`. */
  inferCounts(model: number): Float64Array;
}

export type NativeServerClass = new (options: NativeServerOptions, onWake: () => void) => NativeServer;
