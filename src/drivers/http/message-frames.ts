/** Frames that are V2 messages, as JSON or in the binary form. */
import { jsonText } from "../../engine/json.js";
import { type HeadraceError, InvalidArgumentError } from "../../errors.js";
import {
  type DecodedRequest,
  encodeInferResponse,
  encodeStreamFrame,
  type NamedTensor,
  type ParameterValue,
  traceParameters,
  utf8Text,
} from "../../protocol/index.js";
import { decodedOf, type PlannedRequest } from "../../serving/infer-decoder.js";
import type { RequestSpan } from "../../serving/tracing.js";
import type { AnswerLane, Frame } from "./answers.js";
import { type FrameOwner, refuse, reject, run } from "./frames.js";

export class MessageFrames {
  /**
   * @param isOrderedByStream  whether answers of different state ids may overtake each other, and so say which they are of
   * @param needsName  whether each request must name its state id
   */
  constructor(
    private readonly owner: FrameOwner,
    private readonly isOrderedByStream: boolean,
    private readonly needsName: boolean,
  ) {}

  /** @param refusal  why it is not to be run */
  binary(bytes: Uint8Array, refusal?: HeadraceError): void {
    this.take(true, refusal, () => this.owner.decoder.frame(bytes));
  }

  /** @param refusal  why it is not to be run */
  text(bytes: Uint8Array, refusal?: HeadraceError): void {
    this.take(false, refusal, () => this.owner.decoder.json(bytes));
  }

  private take(isBinary: boolean, refusal: HeadraceError | undefined, decode: () => PlannedRequest): void {
    const { owner } = this;
    let request: DecodedRequest;
    try {
      // Where answers overtake each other, only what is in a request tells whose place its error has.
      if (refusal !== undefined && !this.isOrderedByStream) throw refusal;
      request = decodedOf(decode());
    } catch (error) {
      const slot = owner.answers.slot(owner.answers.main);
      if (refusal === undefined) reject(owner, slot, error);
      else refuse(owner, slot, refusal);
      return;
    }
    const slot = owner.answers.slot(this.laneOf(request.sequenceId));
    const source = { id: request.id, sequenceId: this.isOrderedByStream ? this.nameOf(request) : undefined };
    try {
      if (refusal !== undefined) {
        refuse(owner, slot, refusal, source);
        return;
      }
      const stateId = this.stateIdOf(request);
      run(owner, slot, request, stateId, source, (outputs, span) => this.encode(isBinary, request, outputs, span));
    } catch (error) {
      reject(owner, slot, error, source);
    }
  }

  private laneOf(sequenceId: string | undefined): AnswerLane {
    const { answers, ids } = this.owner;
    if (!this.isOrderedByStream || sequenceId === undefined || sequenceId === ids.given) return answers.main;
    return answers.lane(sequenceId);
  }

  /** The state id of a request that names none of its own. */
  private stateIdOf(request: DecodedRequest): string | undefined {
    const { endpoint, ids } = this.owner;
    // A model without state has no streams to keep apart.
    if (!endpoint.inference.stateful) return undefined;
    if (request.sequenceId !== undefined) ids.use(request.sequenceId);
    else if (this.needsName) {
      throw new InvalidArgumentError(
        "is needed: this connection has several streams, and a frame that is not raw has no number",
        { path: "parameters.sequence_id" },
      );
    }
    return ids.base;
  }

  /** The state id that an answer is of, where clients could name it. */
  private nameOf(request: DecodedRequest): string | undefined {
    return request.sequenceId ?? this.owner.ids.given;
  }

  private encode(
    isBinary: boolean,
    request: DecodedRequest,
    outputs: readonly NamedTensor[],
    span: RequestSpan | undefined,
  ): Frame {
    const { endpoint, ids } = this.owner;
    if (request.sequenceEnd && request.sequenceId !== undefined) ids.forget(request.sequenceId);
    const response = {
      modelName: endpoint.name,
      modelVersion: endpoint.version,
      id: request.id,
      parameters: this.parametersOf(request, span),
      outputs,
    };
    const message = encodeInferResponse(response, () => isBinary, jsonText);
    return isBinary ? encodeStreamFrame(message) : utf8Text(message.header, "answer");
  }

  private parametersOf(
    request: DecodedRequest,
    span: RequestSpan | undefined,
  ): Readonly<Record<string, ParameterValue>> | undefined {
    const name = this.isOrderedByStream ? this.nameOf(request) : undefined;
    if (name === undefined && request.trace === undefined && span === undefined) return undefined;
    return {
      ...(name === undefined ? {} : { sequence_id: name }),
      ...traceParameters(request.trace),
      ...(span === undefined ? {} : { traceresponse: span.traceResponse }),
    };
  }
}
