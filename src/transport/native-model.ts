/** A model that I/O threads serve by themselves: the frames of raw streams go from the socket into its engine and back. */
import type { NativeInferSpec, NativeServer } from "../engine/server-surface.js";
import { NATIVE_CODES } from "../engine/surface.js";
import type { ErrorCode } from "../errors.js";
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

/** Told of the outcome of a step that was followed; `outputs` is valid until it returns, undefined where it failed. */
export type StepFollower = (key: number, outputs: Uint8Array | undefined) => void;

/** Since the model is there. */
export interface InferCounts {
  readonly requests: number;
  readonly underWay: number;
  /** By the code of their error; OK for those that succeeded. */
  readonly answers: ReadonlyMap<ErrorCode | "OK", number>;
}

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

  /** Plain infer requests are answered by the threads from now on. */
  serveInfer(spec: NativeInferSpec): void {
    this.native.serveInfer(this.handle, spec);
  }

  /** They come to the server's handlers again. */
  stopInfer(): void {
    this.native.stopInfer(this.handle);
  }

  /** What the threads did with infer requests. */
  inferCounts(): InferCounts {
    const [requests = 0, underWay = 0, ...byCode] = this.native.inferCounts(this.handle);
    const answers = new Map<ErrorCode | "OK", number>();
    for (const [index, code] of NATIVE_CODES.entries()) {
      const count = byCode[index] ?? 0;
      if (count > 0) answers.set(code, count);
    }
    return { requests, underWay, answers };
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

  get stepsUnderWay(): number {
    return this.native.stepsUnderWay(this.handle);
  }

  /** Its connections must have ended, or end with it. */
  close(): void {
    this.native.removeModel(this.handle);
  }
}
