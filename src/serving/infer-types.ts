import type { StepTimes } from "../engine/engine.js";
import type { HeadraceError } from "../errors.js";
import type { DecodedRequest, NamedTensor } from "../protocol/index.js";

/** What the engine knows of a step that succeeded, as long as its outputs are valid. */
export interface TimedStep {
  /** Costs a call into the engine. */
  readonly times: StepTimes;
}

/**
 * The outcome; outputs that are views are valid until the callback returns.
 * @param step Where the request was one step of a model.
 */
export type InferDone = (error: HeadraceError | undefined, outputs: readonly NamedTensor[], step?: TimedStep) => void;

/** A prediction under way; `cancel` leaves the state as it was, and `done` is called with CANCELLED. */
export interface InferHandle {
  cancel(): void;
}

/** What a request says besides its tensors. */
export type RequestHead = Omit<DecodedRequest, "inputs">;
