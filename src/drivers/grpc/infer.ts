/** ModelInfer, and what it shares with ModelStreamInfer: a request's way to its model, and the answer's way back. */
import { HeadraceError, toHeadraceError } from "../../errors.js";
import type { EncodedMessage, NamedTensor } from "../../protocol/index.js";
import type { InferHandle } from "../../serving/infer-types.js";
import type { PreparedClient } from "../../serving/prepared-infer.js";
import type { ServedModels } from "../../serving/served-models.js";
import type { Call, CallReceiver } from "./call.js";
import type { GrpcModel } from "./grpc-model.js";
import { InferCache, outlineOf } from "./infer-cache.js";
import { readInferRequest } from "./messages/infer-request.js";
import { inferResponse, responseHead, tensorBytes } from "./messages/infer-response.js";

/** Who waits for the answer to one request. Exactly one of the two is called, unless it was cancelled. */
export interface InferClient {
  /**
   * @param head From `responseHead`.
   * @param id "" where the request had none.
   * @param tensors Views that are gone after this call.
   */
  answer(head: Buffer, id: string, tensors: readonly Uint8Array[]): void;
  /** @param id What is known of it: "" also where the request could not be read. */
  failed(error: HeadraceError, id: string): void;
}

/** Requests to the models of a listener. */
export class Inferences {
  private readonly cache: InferCache;

  constructor(private readonly models: ServedModels<GrpcModel>) {
    this.cache = new InferCache(models);
  }

  /** Runs a request. Never throws. `bytes` may be gone after this call. */
  begin(bytes: Buffer, client: InferClient): Inference {
    const inference = new Inference(client);
    try {
      const outline = outlineOf(bytes);
      const known = outline && this.cache.get(outline.key);
      if (outline !== undefined && known !== undefined && !known.model.isDraining) {
        inference.begun(known.model, outline.id, known.head);
        if (known.prepared.run(inference, bytes, outline.rawAt)) return inference;
        inference.retry();
      }
      this.read(bytes, inference, outline?.key);
    } catch (error) {
      inference.error(toHeadraceError(error));
    }
    return inference;
  }

  private read(bytes: Buffer, inference: Inference, key: string | undefined): void {
    const message = readInferRequest(bytes);
    const { request } = message;
    inference.id = request.id ?? "";
    const model = this.models.find(message.modelName, message.modelVersion);
    if (model.isDraining) throw new HeadraceError("UNAVAILABLE", "the server is stopping");
    inference.begun(model, inference.id, undefined);
    if (key !== undefined) this.cache.put(key, model, message);
    inference.whenGone(
      model.service.infer(request, undefined, (error, outputs) => {
        if (error === undefined) inference.outputs(outputs);
        else inference.error(error);
      }),
    );
  }
}

/** One request under way. */
export class Inference implements PreparedClient {
  id = "";
  isOver = false;
  private model: GrpcModel | undefined;
  private head: Buffer | undefined;
  private work: InferHandle | undefined;

  constructor(private readonly client: InferClient) {}

  begun(model: GrpcModel, id: string, head: Buffer | undefined): void {
    this.model = model;
    this.id = id;
    this.head = head;
    model.begun();
    model.counters.requests += 1;
  }

  /** The short way did not take it. */
  retry(): void {
    if (this.model === undefined) return;
    this.model.ended();
    this.model.counters.requests -= 1;
    this.model = undefined;
  }

  whenGone(work: InferHandle): void {
    if (!this.isOver) this.work = work;
  }

  /** Nobody waits any more: a step that has not been made leaves its state as it was. */
  cancel(): void {
    if (this.isOver) return;
    this.end();
    this.work?.cancel();
  }

  message({ parts }: EncodedMessage): void {
    if (this.isOver || this.head === undefined) return;
    this.client.answer(this.head, this.id, parts);
    this.end();
  }

  outputs(outputs: readonly NamedTensor[]): void {
    if (this.isOver || this.model === undefined) return;
    this.client.answer(responseHead(this.model.name, this.model.version, outputs), this.id, tensorBytes(outputs));
    this.end();
  }

  error(error: HeadraceError): void {
    if (this.isOver) return;
    if (this.model !== undefined) this.model.counters.failed += 1;
    this.client.failed(error, this.id);
    this.end();
  }

  private end(): void {
    this.isOver = true;
    this.model?.ended();
  }
}

/** The receiver of a ModelInfer call. */
export class UnaryInfer implements CallReceiver, InferClient {
  private inference: Inference | undefined;

  constructor(
    private readonly call: Call,
    private readonly inferences: Inferences,
  ) {}

  message(bytes: Buffer): void {
    if (this.inference !== undefined) throw new HeadraceError("INVALID_ARGUMENT", "ModelInfer takes one message");
    this.inference = this.inferences.begin(bytes, this);
  }

  halfClosed(): void {
    if (this.inference === undefined)
      throw new HeadraceError("INVALID_ARGUMENT", "ModelInfer takes one message, got none");
  }

  cancelled(): void {
    this.inference?.cancel();
  }

  answer(head: Buffer, id: string, tensors: readonly Uint8Array[]): void {
    this.call.send(inferResponse(head, id, tensors));
    this.call.finish();
  }

  failed(error: HeadraceError): void {
    this.call.fail(error);
  }
}
