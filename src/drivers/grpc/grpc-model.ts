/** A model at a gRPC listener: what one GrpcDriver serves, and what is under way there. */
import type { DriverMetric, RestrictedInferenceProcess } from "../../runtime/index.js";
import { InferService } from "../../serving/infer-service.js";
import type { ServedModel } from "../../serving/served-models.js";

export class GrpcModel implements ServedModel {
  readonly name: string;
  readonly version: string;
  readonly service: InferService;
  readonly counters = { requests: 0, failed: 0 };
  /** Answers by their status of gRPC, those in a stream included. */
  private readonly statuses = new Map<number, number>();
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

  /** Whether it takes requests and gets on with them. */
  get isReady(): boolean {
    return !this.isDraining && this.inference.isProgressing();
  }

  begun(): void {
    this.counters.requests += 1;
    this.underWay += 1;
  }

  /** @param status Of gRPC; 0 is OK. */
  ended(status: number): void {
    this.underWay -= 1;
    if (status !== 0) this.counters.failed += 1;
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
  }

  metrics(): DriverMetric[] {
    const responses = [...this.statuses].map(([status, value]): DriverMetric => {
      const help = "Answers to requests for the model, in streams too, by their status of gRPC.";
      return { name: "grpc_responses", type: "counter", help, value, labels: { status: String(status) } };
    });
    return [
      {
        name: "grpc_requests",
        type: "counter",
        help: "Requests for the model that came over gRPC.",
        value: this.counters.requests,
      },
      ...responses,
      {
        name: "grpc_requests_in_flight",
        type: "gauge",
        help: "Requests for the model over gRPC that are being answered.",
        value: this.underWay,
      },
    ];
  }
}
