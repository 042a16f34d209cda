/** Who follows the steps of a state id, and the steps under way that are followed. */

/** What whoever submits a step may know of it besides. */
export interface StepInfo {
  /** The request's id. */
  readonly id?: string | undefined;
  /** The trace that it belongs to. */
  readonly trace?: { readonly traceparent: string; readonly tracestate: string | undefined } | undefined;
}

/** Follows the steps of one state id, whoever submits them. */
export interface StepTap {
  /** A step has been submitted. Returns who is told of its end. */
  submitted(flags: number, info: StepInfo | undefined): TappedStep;
  /** A step that another thread submitted has ended; all its outputs one after the other, undefined where it failed. */
  steppedElsewhere(outputs: Uint8Array | undefined): void;
}

/** A step that is followed. */
export interface TappedStep {
  /** Called once. Where `isOk`, its outputs can be read until this returns. */
  completed(isOk: boolean, request: number, batch: number, row: number): void;
}

/** The taps of one engine. Where there are none, a step pays one look at each of its ends. */
export class StepTaps {
  private byKey: Map<number, StepTap> | undefined;
  /** By request: the steps under way that are followed, and those that are begun and will be. */
  private readonly underWay = new Map<number, TappedStep>();
  private readonly begun = new Map<number, { readonly tap: StepTap; readonly flags: number }>();
  private readonly listeners = new Set<(key: number, on: boolean) => void>();

  /** Follows a key's steps from now on; what this returns ends it, for steps to come. */
  add(key: number, tap: StepTap): () => void {
    this.byKey ??= new Map();
    this.byKey.set(key, tap);
    for (const listener of this.listeners) listener(key, true);
    return () => {
      this.byKey?.delete(key);
      for (const listener of this.listeners) listener(key, false);
      if (this.byKey?.size === 0) this.byKey = undefined;
    };
  }

  /** Tells which keys are followed: those that are, and each change. Returns how to stop that. */
  onChange(listener: (key: number, on: boolean) => void): () => void {
    this.listeners.add(listener);
    for (const key of this.byKey?.keys() ?? []) listener(key, true);
    return () => this.listeners.delete(listener);
  }

  of(key: number): StepTap | undefined {
    return this.byKey?.get(key);
  }

  stepSubmitted(request: number, key: number, flags: number, info: StepInfo | undefined): void {
    const tap = this.of(key);
    if (tap !== undefined) this.underWay.set(request, tap.submitted(flags, info));
  }

  stepBegun(request: number, key: number, flags: number): void {
    const tap = this.of(key);
    if (tap !== undefined) this.begun.set(request, { tap, flags });
  }

  /** A step that was begun is submitted now, or, where not `isTaken`, gone. */
  stepPublished(request: number, isTaken: boolean, info: StepInfo | undefined): void {
    if (this.begun.size === 0) return;
    const begun = this.begun.get(request);
    if (begun === undefined) return;
    this.begun.delete(request);
    if (isTaken) this.underWay.set(request, begun.tap.submitted(begun.flags, info));
  }

  stepAbandoned(request: number): void {
    this.begun.delete(request);
  }

  stepCompleted(request: number, isOk: boolean, batch: number, row: number): void {
    if (this.underWay.size === 0) return;
    const step = this.underWay.get(request);
    if (step === undefined) return;
    this.underWay.delete(request);
    step.completed(isOk, request, batch, row);
  }
}
