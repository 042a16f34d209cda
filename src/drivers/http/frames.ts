/** What the two kinds of frames of a WebSocket share: the connection they came over, and how they are run and answered. */
import { HeadraceError, toHeadraceError } from "../../errors.js";
import {
  type DecodedRequest,
  encodeStreamError,
  type NamedTensor,
  type StreamErrorSource,
} from "../../protocol/index.js";
import type { Answers, Frame, Slot } from "./answers.js";
import type { ModelEndpoint } from "./model-endpoint.js";
import type { StateIds } from "./state-ids.js";
import type { StreamOwner } from "./stream.js";

/** A connection, as its frames see it. */
export interface FrameOwner extends StreamOwner {
  readonly endpoint: ModelEndpoint;
  readonly answers: Answers;
  readonly ids: StateIds;
  /** Something may be ready to be written. */
  writeLater(): void;
}

/** Answers with an error. */
export function refuse(owner: FrameOwner, slot: Slot, error: unknown, source: StreamErrorSource = {}): void {
  settle(owner, slot, encodeStreamError(toHeadraceError(error), { stream: slot.number, ...source }));
}

export function settle(owner: FrameOwner, slot: Slot, answer: Frame): void {
  if (!owner.isOpen()) return;
  owner.answers.settle(slot, answer);
  owner.writeLater();
}

/** Runs a request; its answer, or error, goes into the slot. */
export function run(
  owner: FrameOwner,
  slot: Slot,
  request: DecodedRequest,
  stateId: string | undefined,
  source: StreamErrorSource,
  encode: (outputs: readonly NamedTensor[]) => Frame,
): void {
  if (owner.endpoint.isDraining) throw new HeadraceError("UNAVAILABLE", "the server is stopping");
  slot.handle = owner.endpoint.service.infer(request, stateId, (error, outputs) => {
    if (!owner.isOpen()) return;
    let answer: Frame;
    try {
      if (error !== undefined) throw error;
      answer = encode(outputs);
    } catch (failure) {
      refuse(owner, slot, failure, source);
      return;
    }
    settle(owner, slot, answer);
  });
}
