/** ModelInfer, and what it shares with ModelStreamInfer: a request's way to its model, and the answer's way back. */
import { ERROR_CODES, HeadraceError, serverStopping, toHeadraceError } from "../../errors.js";
import type { EncodedMessage, NamedTensor } from "../../protocol/index.js";
import type { InferDone, InferHandle, TimedStep } from "../../serving/infer-types.js";
import type { PreparedClient } from "../../serving/prepared-infer.js";
import type { ServedModels } from "../../serving/served-models.js";
import { isTracing, RequestSpan } from "../../serving/tracing.js";
import type { Call, CallReceiver } from "./call.js";
import type { CallHead } from "./call-head.js";
import type { GrpcModel } from "./grpc-model.js";
import { InferCache, outlineOf } from "./infer-cache.js";
import { type InferMessage, readInferRequest } from "./messages/infer-request.js";
import { inferResponse, responseHead, tensorBytes } from "./messages/infer-response.js";

/** Who waits for the answer to one request. Exactly one of the two is called, unless it was cancelled. */
export interface InferClient {
  /**
   * @param head From `responseHead`.
   * @param id "" where the request had none.
   * @param tensors Views that are gone after this call.
   * @returns Whether there was room for it.
   */
  answer(head: Buffer, id: string, tensors: readonly Uint8Array[]): boolean;
  /** @param id What is known of it: "" also where the request could not be read. */
  failed(error: HeadraceError, id: string): void;
}

/** Requests to the models of a listener. */
export class Inferences {
  /** Whether requests have spans. */
  readonly isTracing = isTracing();
  private readonly cache: InferCache;

  constructor(private readonly models: ServedModels<GrpcModel>) {
    this.cache = new InferCache(models);
  }

  /** Runs a request. Never throws. `bytes` may be gone after this call. */
  begin(bytes: Buffer, client: InferClient, span?: RequestSpan): Inference {
    const inference = new Inference(client, span);
    try {
      const outline = outlineOf(bytes);
      const known = outline && this.cache.get(outline.key);
      if (outline === undefined || known === undefined || known.model.isDraining) {
        this.read(bytes, inference, outline?.key);
        return inference;
      }
      inference.begun(known.model, outline.id, known.head);
      // Where the tensor is of another size than it was before, the long way says so.
      if (!known.prepared.run(inference, bytes, outline.rawAt))
        this.infer(readInferRequest(bytes), inference, known.model);
    } catch (error) {
      inference.refused(error);
    }
    return inference;
  }

  private read(bytes: Buffer, inference: Inference, key: string | undefined): void {
    const message = readInferRequest(bytes);
    const { request } = message;
    inference.id = request.id ?? "";
    const model = this.models.find(message.modelName, message.modelVersion);
    if (model.isDraining) throw serverStopping();
    inference.begun(model, inference.id, undefined);
    if (key !== undefined) this.cache.put(key, model, message);
    this.infer(message, inference, model);
  }

  private infer({ request }: InferMessage, inference: Inference, model: GrpcModel): void {
    const { span } = inference;
    const done: InferDone = (error, outputs, step) => {
      if (error === undefined) inference.outputs(outputs, step);
      else inference.error(error);
    };
    const infer = (): InferHandle => model.service.infer(request, undefined, done);
    inference.whenGone(span === undefined ? infer() : span.run(infer));
  }
}

/** One request under way. */
export class Inference implements PreparedClient {
  id = "";
  isOver = false;
  private model: GrpcModel | undefined;
  private head: Buffer | undefined;
  private work: InferHandle | undefined;

  /** @param span Where the request is traced; it ends with the request. */
  constructor(
    private readonly client: InferClient,
    readonly span: RequestSpan | undefined,
  ) {}

  begun(model: GrpcModel, id: string, head: Buffer | undefined): void {
    this.model = model;
    this.id = id;
    this.head = head;
    model.begun();
    this.span?.set("headrace.model.name", model.name);
    this.span?.set("headrace.model.version", model.version);
  }

  whenGone(work: InferHandle): void {
    if (!this.isOver) this.work = work;
  }

  /** Nobody waits any more: a step that has not been made leaves its state as it was. */
  cancel(): void {
    if (this.isOver) return;
    this.span?.failed("CANCELLED", "the client went away", false);
    this.end(ERROR_CODES.CANCELLED.grpc);
    this.work?.cancel();
  }

  message({ parts }: EncodedMessage): void {
    if (this.isOver || this.head === undefined) return;
    this.answer(this.head, parts);
  }

  outputs(outputs: readonly NamedTensor[], step: TimedStep | undefined): void {
    if (this.isOver || this.model === undefined) return;
    if (step !== undefined) this.span?.phases(step.times);
    this.answer(responseHead(this.model.name, this.model.version, outputs), tensorBytes(outputs));
  }

  /** It failed before its model had it. */
  refused(error: unknown): void {
    this.error(this.model === undefined ? toHeadraceError(error) : this.model.service.refused(error));
  }

  error(error: HeadraceError): void {
    if (this.isOver) return;
    this.span?.failed(error.code, error.message, error.httpStatus >= 500);
    this.client.failed(error, this.id);
    this.end(ERROR_CODES[error.code].grpc);
  }

  private answer(head: Buffer, tensors: readonly Uint8Array[]): void {
    // From here on there is nothing to cancel, also where the call ends for want of room.
    this.isOver = true;
    const isSent = this.client.answer(head, this.id, tensors);
    this.end(isSent ? 0 : ERROR_CODES.RESOURCE_EXHAUSTED.grpc);
  }

  private end(status: number): void {
    this.isOver = true;
    this.model?.ended(status);
    this.span?.set("rpc.grpc.status_code", status);
    this.span?.end();
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
    this.inference = this.inferences.begin(bytes, this, this.inferences.isTracing ? spanOf(this.call.head) : undefined);
  }

  halfClosed(): void {
    if (this.inference === undefined)
      throw new HeadraceError("INVALID_ARGUMENT", "ModelInfer takes one message, got none");
  }

  cancelled(): void {
    this.inference?.cancel();
  }

  answer(head: Buffer, id: string, tensors: readonly Uint8Array[]): boolean {
    const isSent = this.call.send(inferResponse(head, id, tensors));
    this.call.finish();
    return isSent;
  }

  failed(error: HeadraceError): void {
    this.call.fail(error);
  }
}

/** Traces a call from here on, below what its metadata says. */
function spanOf({ path, metadata }: CallHead): RequestSpan {
  const [, service = "", method = ""] = path.split("/");
  return new RequestSpan({
    name: `${service}/${method}`,
    attributes: { "rpc.system": "grpc", "rpc.service": service, "rpc.method": method },
    fields: (field) => metadata.find(([name]) => name === field)?.[1] ?? "",
  });
}
