/** What the two kinds of frames of a WebSocket share: the connection they came over, and how they are run and answered. */
import { serverStopping, toHeadraceError } from "../../errors.js";
import {
  type DecodedRequest,
  encodeStreamError,
  type NamedTensor,
  type StreamErrorSource,
} from "../../protocol/index.js";
import type { InferDecoder } from "../../serving/infer-decoder.js";
import type { InferDone, InferHandle } from "../../serving/infer-types.js";
import { RequestSpan } from "../../serving/tracing.js";
import type { Answers, Frame, Slot } from "./answers.js";
import type { ModelEndpoint } from "./model-endpoint.js";
import type { StateIds } from "./state-ids.js";
import type { StreamOwner } from "./stream.js";

const STREAM_ROUTE = "/v2/models/:model/stream";

/** A connection, as its frames see it. */
export interface FrameOwner extends StreamOwner {
  readonly endpoint: ModelEndpoint;
  readonly answers: Answers;
  readonly ids: StateIds;
  readonly decoder: InferDecoder;
  /** Whether messages have spans. */
  readonly isTracing: boolean;
  /** Something may be ready to be written. */
  writeLater(): void;
}

/** Answers a request that did not come to the model with an error, and counts it. */
export function reject(owner: FrameOwner, slot: Slot, error: unknown, source: StreamErrorSource = {}): void {
  refuse(owner, slot, owner.endpoint.service.refused(error), source);
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
  encode: (outputs: readonly NamedTensor[], span: RequestSpan | undefined) => Frame,
): void {
  if (owner.endpoint.isDraining) throw serverStopping();
  const span = owner.isTracing ? spanOf(owner.endpoint, request) : undefined;
  const done: InferDone = (error, outputs, step) => {
    if (step !== undefined) span?.phases(step.times);
    finish(owner, slot, source, span, () => {
      if (error !== undefined) throw error;
      return encode(outputs, span);
    });
    span?.end();
  };
  const infer = (): InferHandle => owner.endpoint.service.infer(request, stateId, done);
  slot.handle = span === undefined ? infer() : span.run(infer);
}

function finish(
  owner: FrameOwner,
  slot: Slot,
  source: StreamErrorSource,
  span: RequestSpan | undefined,
  answer: () => Frame,
): void {
  if (!owner.isOpen()) return;
  let frame: Frame;
  try {
    frame = answer();
  } catch (failure) {
    const { code, message, httpStatus } = toHeadraceError(failure);
    span?.failed(code, message, httpStatus >= 500);
    refuse(owner, slot, failure, source);
    return;
  }
  settle(owner, slot, frame);
}

/** The span of one message, in the trace that its parameters name. */
function spanOf({ name, version }: ModelEndpoint, { trace }: DecodedRequest): RequestSpan {
  return new RequestSpan({
    name: `WS ${STREAM_ROUTE}`,
    attributes: { "http.route": STREAM_ROUTE, "headrace.model.name": name, "headrace.model.version": version },
    fields: (field) =>
      (field === "traceparent" ? trace?.traceparent : field === "tracestate" ? trace?.tracestate : "") ?? "",
  });
}
