import type { HeadraceError } from "../errors.js";
import type { DecodedRequest, NamedTensor } from "../protocol/index.js";

/** The outcome; outputs that are views are valid until the callback returns. */
export type InferDone = (error: HeadraceError | undefined, outputs: readonly NamedTensor[]) => void;

/** A prediction under way; `cancel` leaves the state as it was, and `done` is called with CANCELLED. */
export interface InferHandle {
  cancel(): void;
}

/** What a request says besides its tensors. */
export type RequestHead = Omit<DecodedRequest, "inputs">;
