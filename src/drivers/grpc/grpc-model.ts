/** A model at a gRPC listener: what one GrpcDriver serves, and what is under way there. */
import type { RestrictedInferenceProcess } from "../../runtime/index.js";
import { InferService } from "../../serving/infer-service.js";
import type { ServedModel } from "../../serving/served-models.js";

export class GrpcModel implements ServedModel {
  readonly name: string;
  readonly version: string;
  readonly service: InferService;
  readonly counters = { requests: 0, streamRequests: 0, failed: 0 };
  /** Set when the driver stops: what is new is refused. */
  isDraining = false;
  private underWay = 0;

  constructor(readonly inference: RestrictedInferenceProcess) {
    this.name = inference.name;
    this.version = inference.version;
    this.service = new InferService(inference);
  }

  /** Whether answers are still to come. */
  get isBusy(): boolean {
    return this.underWay > 0;
  }

  begun(): void {
    this.underWay += 1;
  }

  ended(): void {
    this.underWay -= 1;
  }
}
