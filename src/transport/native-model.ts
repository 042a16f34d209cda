/** A model that I/O threads serve by themselves: the frames of raw streams go from the socket into its engine and back. */
import type { NativeInferSpec, NativeServer } from "../engine/server-surface.js";
import type { WebSocketLimits } from "./web-socket.js";

/** What is decided about a raw connection when it is opened. */
export interface RawOptions {
  /** The state id of its stream; where there are numbered streams, what theirs begin with. */
  readonly stateId: string;
  /** How many numbered streams share it; 0: one, without numbers. */
  readonly streams: number;
  /** Whether its states end with it. */
  readonly ownsState: boolean;
  /** Frames without an answer; more are not read until some have one. */
  readonly maxInFlight: number;
  readonly limits: WebSocketLimits;
}

export interface InferCounts {
  readonly requests: number;
  /** Those without an answer. */
  readonly underWay: number;
  /** Answers, by the index of their code in NATIVE_CODES. */
  readonly byCode: readonly number[];
}

/** Told of the outcome of a step that was followed; `outputs` is valid until it returns, undefined where it failed. */
export type StepFollower = (key: number, outputs: Uint8Array | undefined) => void;

export class NativeModel {
  readonly handle: number;

  constructor(
    private readonly native: NativeServer,
    engineToken: number,
    private readonly commanded: () => void,
    readonly follower: StepFollower,
  ) {
    this.handle = native.addModel(engineToken);
  }

  accept(connection: number, fields: string, options: RawOptions): void {
    const { stateId, streams, ownsState, maxInFlight } = options;
    const { maxMessageBytes, idleTimeoutSeconds, maxUnsentBytes } = options.limits;
    this.native.acceptRaw(
      connection,
      fields,
      this.handle,
      stateId,
      streams,
      ownsState,
      maxMessageBytes,
      idleTimeoutSeconds,
      maxUnsentBytes,
      maxInFlight,
    );
    this.commanded();
  }

  openStream(connection: number, number: number, stateId: string, ownsState: boolean): void {
    this.native.openStream(connection, number, stateId, ownsState);
    this.commanded();
  }

  closeStream(connection: number, number: number, dropsState: boolean): void {
    this.native.closeStream(connection, number, dropsState);
    this.commanded();
  }

  /** Whether the outcomes of a state's steps are wanted, from those that come next on. */
  follow(key: number, on: boolean): void {
    this.native.tap(this.handle, key, on);
    this.native.flush();
  }

  /** What its raw streams bring is handed over from now on. */
  divert(): void {
    this.native.divertModel(this.handle);
  }

  /** What its infer requests look like; those of the paths that `inferPaths` names are answered by the threads. */
  serveInfer(spec: NativeInferSpec): void {
    this.native.serveInfer(this.handle, spec);
  }

  inferPaths(paths: readonly string[]): void {
    this.native.inferPaths(this.handle, paths);
  }

  /** What became of the infer requests that the threads took. */
  get inferCounts(): InferCounts {
    const [requests = 0, underWay = 0, ...byCode] = this.native.inferCounts(this.handle);
    return { requests, underWay, byCode };
  }

  get stepsUnderWay(): number {
    return this.native.stepsUnderWay(this.handle);
  }

  /** Its connections must have ended, or end with it. */
  close(): void {
    this.native.removeModel(this.handle);
  }
}
