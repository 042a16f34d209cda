/**
 * Following the steps of a state id, whoever makes them: any driver, the engine's short way or `predict`. Steps that nobody
 * follows pay one look at whether there is anybody at all.
 */
import { type RawTensor, typedArrayOver } from "../datatype.js";
import { StepFlags } from "../engine/surface.js";
import type { StepInfo, StepTap, TappedStep } from "../engine/taps.js";
import { bug, InvalidArgumentError } from "../errors.js";
import { type Types, valuesToTensors } from "../types/index.js";
import type { DirectModel, DirectTensor } from "./direct-model.js";
import type { PredictOptions } from "./restricted.js";
import { joinRows, shapeOfOne } from "./rows.js";
import { unharmed } from "./unharmed.js";

/** Why a stream is over: its state was freed on request, or evicted because it was idle or another one needed its room. */
export type StreamEnd = "end" | "ttl" | "lru";

/** A step that succeeded. */
export interface StepResult {
  readonly stateId: string;
  /** The id of the request that it was, and the trace that it belongs to, as far as its driver knew them. */
  readonly info: StepInfo;
  /** Whether it began from the initial state. */
  readonly start: boolean;
  /** Whether its state was freed after it. */
  readonly end: boolean;
  /** All outputs of the pipeline, in its order. They may be views that are gone when the listener returns. */
  readonly outputs: readonly (RawTensor & { readonly name: string })[];
}

/** Follows a state id. */
export interface StepListener {
  /** In the order of the steps. */
  stepped(result: StepResult): void;
  /** The state is gone, other than by a step that ended it; steps that were made before have been told. */
  ended(reason: StreamEnd): void;
}

const NO_INFO: StepInfo = {};

export class StepTaps {
  private readonly taps = new Map<string, StateTap>();

  /**
   * @param direct  where every step of the process passes its engine
   * @param tellEvictions  tells of those up to now
   */
  constructor(
    private readonly direct: DirectModel | undefined,
    private readonly outputs: Types,
    private readonly stateful: boolean,
    private readonly tellEvictions: () => void,
  ) {}

  /** Calls `listener` for the steps that are submitted from now on. Returns how to stop that. Throws INVALID_ARGUMENT. */
  follow(stateId: string, listener: StepListener): () => void {
    if (!this.stateful) {
      throw new InvalidArgumentError("the model keeps no state, so there are no streams to follow", {
        path: "stateId",
      });
    }
    const tap = this.taps.get(stateId) ?? this.open(stateId);
    tap.listeners.add(listener);
    return () => {
      if (tap.listeners.delete(listener) && tap.listeners.size === 0) this.close(tap);
    };
  }

  /** A prediction that does not pass the engine of a direct model begins; undefined: nobody follows it. */
  predicting({ stateId, start, end }: PredictOptions, info: StepInfo | undefined): TappedPrediction | undefined {
    if (this.taps.size === 0 || this.direct !== undefined || stateId === undefined) return undefined;
    const flags = (start ? StepFlags.start : 0) | (end ? StepFlags.end : 0);
    return this.taps.get(stateId)?.predicting(flags, info);
  }

  /** A state was freed or evicted. */
  ended(stateId: string, reason: StreamEnd): void {
    if (this.taps.size > 0) this.taps.get(stateId)?.ended(reason);
  }

  private open(stateId: string): StateTap {
    const tap = new StateTap(stateId, this.direct, this.outputs, this.tellEvictions);
    this.taps.set(stateId, tap);
    return tap;
  }

  private close(tap: StateTap): void {
    tap.close();
    this.taps.delete(tap.stateId);
  }
}

/** A prediction that is followed: one of the two is called, once. */
export interface TappedPrediction {
  succeeded(values: Readonly<Record<string, unknown>>): void;
  failed(): void;
}

/** The listeners of one state id. */
class StateTap implements StepTap {
  readonly listeners = new Set<StepListener>();
  private readonly stopTapping: () => void;
  /** The last step that was submitted, while it is under way. */
  private last: FollowedStep | undefined;
  /** Whether the end of the state was told, and no step came since. */
  private isTold = false;

  constructor(
    readonly stateId: string,
    readonly direct: DirectModel | undefined,
    readonly outputs: Types,
    private readonly tellEvictions: () => void,
  ) {
    const engine = direct?.engine;
    const key = engine?.pin(stateId) ?? -1;
    const stop = engine?.tap(key, this);
    this.stopTapping = () => {
      stop?.();
      engine?.unpin(key);
    };
  }

  submitted(flags: number, info: StepInfo | undefined): TappedStep {
    return this.predicting(flags, info);
  }

  steppedElsewhere(outputs: Uint8Array | undefined): void {
    const step = this.predicting(0, undefined);
    if (outputs === undefined) step.failed();
    else step.succeededWith(outputs);
  }

  predicting(flags: number, info: StepInfo = NO_INFO): FollowedStep {
    // A state that was evicted before this step is told to be gone before this step is told, not at the next sweep.
    if (this.last === undefined) this.tellEvictions();
    this.last = new FollowedStep(this, flags, info);
    return this.last;
  }

  tell(result: StepResult): void {
    this.isTold = false;
    for (const listener of this.listeners) unharmed(() => listener.stepped(result));
  }

  ended(reason: StreamEnd): void {
    if (this.last !== undefined) this.last.endsWith = reason;
    else this.tellEnd(reason);
  }

  tellEnd(reason: StreamEnd): void {
    if (this.isTold) return;
    this.isTold = true;
    for (const listener of this.listeners) unharmed(() => listener.ended(reason));
  }

  isOver(step: FollowedStep): void {
    if (this.last === step) this.last = undefined;
    if (step.endsWith !== undefined) this.tellEnd(step.endsWith);
  }

  close(): void {
    this.stopTapping();
  }
}

class FollowedStep implements TappedStep, TappedPrediction {
  /** The state was freed while this was the last step under way. */
  endsWith: StreamEnd | undefined;

  constructor(
    private readonly tap: StateTap,
    private readonly flags: number,
    private readonly info: StepInfo,
  ) {}

  completed(isOk: boolean, request: number, batch: number, row: number): void {
    const { direct } = this.tap;
    if (!isOk || direct === undefined) this.failed();
    else this.finish(() => direct.outputs.map((output) => outputOfRow(direct, output, request, batch, row)));
  }

  succeeded(values: Readonly<Record<string, unknown>>): void {
    this.finish(() => valuesToTensors(this.tap.outputs, values));
  }

  /** @param bytes  of all outputs, one after the other, each of one row */
  succeededWith(bytes: Uint8Array): void {
    const { direct } = this.tap;
    if (direct === undefined) throw bug("a step that passed an engine was of a pipeline that has none");
    let at = 0;
    this.finish(() =>
      direct.outputs.map(({ name, datatype, oneRow, rowBytes }) => {
        if (datatype === "BYTES") throw bug("the text of an output came as bytes of a fixed number");
        const row = bytes.slice(at, at + rowBytes);
        at += rowBytes;
        return { name, datatype, shape: oneRow, data: typedArrayOver(datatype, row) };
      }),
    );
  }

  failed(): void {
    this.tap.isOver(this);
  }

  private finish(outputs: () => StepResult["outputs"]): void {
    const { tap, flags, info } = this;
    const start = (flags & StepFlags.start) !== 0;
    const end = (flags & StepFlags.end) !== 0;
    unharmed(() => {
      if (tap.listeners.size > 0) tap.tell({ stateId: tap.stateId, info, start, end, outputs: outputs() });
    });
    tap.isOver(this);
  }
}

/** One output of a row: a view over the engine's memory where it is preallocated, else a copy. */
function outputOfRow(
  { engine }: DirectModel,
  output: DirectTensor,
  request: number,
  batch: number,
  row: number,
): RawTensor & { readonly name: string } {
  const { name, datatype, batchAxis, index, oneRow, fixed } = output;
  if (fixed && datatype !== "BYTES") {
    return { name, datatype, shape: oneRow, data: typedArrayOver(datatype, engine.outputBytes(batch, row, index)) };
  }
  const { shape, bytes, strings } = engine.readOutput(request, index);
  if (datatype === "BYTES" || bytes === undefined) {
    return { name, ...joinRows(datatype, [{ shape, strings: strings ?? [] }], batchAxis, name) };
  }
  return { name, datatype, shape: shapeOfOne(shape, batchAxis), data: typedArrayOver(datatype, new Uint8Array(bytes)) };
}
