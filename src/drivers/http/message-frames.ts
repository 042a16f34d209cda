/** Frames that are V2 messages, as JSON or in the binary form. */
import { InvalidArgumentError } from "../../errors.js";
import {
  type DecodedRequest,
  decodeJsonInfer,
  decodeStreamRequest,
  encodeInferResponse,
  encodeStreamFrame,
  type NamedTensor,
  type ParameterValue,
  traceParameters,
  utf8Text,
} from "../../protocol/index.js";
import type { AnswerLane, Frame } from "./answers.js";
import { type FrameOwner, refuse, run } from "./frames.js";

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

  binary(bytes: ArrayBuffer): void {
    this.take(true, () => decodeStreamRequest(new Uint8Array(bytes)));
  }

  text(text: string): void {
    this.take(false, () => decodeJsonInfer(text));
  }

  private take(isBinary: boolean, decode: () => DecodedRequest): void {
    const { owner } = this;
    let request: DecodedRequest;
    try {
      request = decode();
    } catch (error) {
      refuse(owner, owner.answers.slot(owner.answers.main), error);
      return;
    }
    const slot = owner.answers.slot(this.laneOf(request.sequenceId));
    const source = { id: request.id, sequenceId: this.isOrderedByStream ? this.nameOf(request) : undefined };
    try {
      const stateId = this.stateIdOf(request);
      run(owner, slot, request, stateId, source, (outputs) => this.encode(isBinary, request, outputs));
    } catch (error) {
      refuse(owner, slot, error, source);
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

  private encode(isBinary: boolean, request: DecodedRequest, outputs: readonly NamedTensor[]): Frame {
    const { endpoint, ids } = this.owner;
    if (request.sequenceEnd && request.sequenceId !== undefined) ids.forget(request.sequenceId);
    const response = {
      modelName: endpoint.name,
      modelVersion: endpoint.version,
      id: request.id,
      parameters: this.parametersOf(request),
      outputs,
    };
    const message = encodeInferResponse(response, () => isBinary);
    return isBinary ? encodeStreamFrame(message) : utf8Text(message.header, "answer");
  }

  private parametersOf(request: DecodedRequest): Readonly<Record<string, ParameterValue>> | undefined {
    const name = this.isOrderedByStream ? this.nameOf(request) : undefined;
    if (name === undefined && request.trace === undefined) return undefined;
    return { ...(name === undefined ? {} : { sequence_id: name }), ...traceParameters(request.trace) };
  }
}
