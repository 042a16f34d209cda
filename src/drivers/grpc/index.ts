/** `headrace/drivers/grpc`: serves an inference process over gRPC. */
import { makeLogger } from "../../log.js";
import {
  type DriverMetric,
  type DriverResources,
  PipelineDriver,
  type ResourcesRequest,
  type RestrictedInferenceProcess,
  type Runtime,
  type ServiceOffer,
} from "../../runtime/index.js";
import { type OpenPort, openPort } from "../../serving/open-port.js";
import { GrpcModel } from "./grpc-model.js";
import { GrpcListener } from "./listener.js";
import { changedParameters, type GrpcParameters, grpcParameters, listenerParameters } from "./parameters.js";

export type { OpenPort } from "../../serving/open-port.js";
export type { GrpcParameters } from "./parameters.js";

/** How often a stopping driver looks whether the last answers have been given. */
const DRAIN_POLL_MILLIS = 5;
const PORT = "grpc";

const portRequest = (port: number): ResourcesRequest => ({ ports: [{ name: PORT, port, sharedAs: "grpc" }] });

/**
 * Serves V2 (the Open Inference Protocol, as Triton has it) over gRPC, with health and reflection. Drivers of one runtime that
 * name the same port share it, each with its model. Offers the service `grpc`. docs/grpc.md has the methods.
 *
 * ```ts
 * const grpc = await proc.addDriver("grpc", GrpcDriver, { port: 8001 });
 * console.log(grpc.getService("grpc").taggedAddresses.lan.port);
 * ```
 */
export class GrpcDriver extends PipelineDriver<GrpcParameters> {
  private parameters: GrpcParameters;
  private listener: GrpcListener | undefined;
  private model: GrpcModel | undefined;
  private finished: (() => void) | undefined;

  constructor(options: Partial<GrpcParameters> = {}) {
    super(options);
    this.parameters = grpcParameters(options);
  }

  override resourcesRequest(): ResourcesRequest {
    return portRequest(this.parameters.port);
  }

  override async start(inference: RestrictedInferenceProcess, resources: DriverResources): Promise<ServiceOffer[]> {
    const init = {
      parameters: listenerParameters(this.parameters),
      repository: () => inference.repository,
      log: this.log,
    };
    const listener = await resources.listener(PORT, (port) => GrpcListener.open(init, port));
    await listener.join(this, this.options);
    this.listener = listener;
    this.parameters = { ...this.parameters, ...listener.parameters, port: listener.port };
    const model = new GrpcModel(inference);
    listener.models.add(model, this.parameters.replace);
    this.model = model;
    listener.changed();
    const { host, port, tls } = this.parameters;
    const scheme = tls === undefined ? "grpc" : "grpcs";
    return [{ name: "grpc", address: host, port, meta: { protocol: "v2", model: inference.name, scheme } }];
  }

  override run(): Promise<void> {
    return new Promise((resolve) => {
      this.finished = resolve;
    });
  }

  /** Refuses what is new, answers what was accepted, then ends. */
  override async stop(signal: AbortSignal): Promise<void> {
    const { model, listener } = this;
    if (model !== undefined) model.isDraining = true;
    listener?.leave(this);
    while (!signal.aborted && (model?.isBusy || (listener?.isDraining && listener.isBusy))) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MILLIS));
    }
    if (model !== undefined) listener?.models.remove(model);
    listener?.changed();
    this.finished?.();
  }

  override getParameters(): GrpcParameters {
    return { ...this.parameters };
  }

  override async setParameters(parameters: GrpcParameters): Promise<void> {
    this.parameters = changedParameters(this.parameters, parameters);
  }

  override metrics(): readonly DriverMetric[] {
    const { model, listener } = this;
    return model === undefined ? [] : [...model.metrics(), ...(listener?.metricsOf(model) ?? [])];
  }

  override statistics(): Readonly<Record<string, unknown>> {
    return { ...this.model?.counters, listener: this.listener?.counters() };
  }
}

/**
 * Opens a port for gRPC drivers to come: until there is one it answers for the server alone, its health and its repository.
 * Drivers that name the port share it.
 *
 * ```ts
 * const front = await openGrpcPort(runtime, { port: 0 });
 * await proc.addDriver("grpc", GrpcDriver, { port: front.port });
 * front.close();
 * ```
 *
 * @param options Of the parameters of a GrpcDriver those that all who share a port have in common.
 * @throws HeadraceError PORT_IN_USE, INVALID_ARGUMENT
 */
export async function openGrpcPort(runtime: Runtime, options: Partial<GrpcParameters> = {}): Promise<OpenPort> {
  const parameters = grpcParameters(options);
  const init = {
    parameters: listenerParameters(parameters),
    repository: () => runtime.repository,
    log: makeLogger("grpc"),
  };
  return openPort(
    runtime,
    PORT,
    portRequest(parameters.port),
    (port) => GrpcListener.open(init, port),
    (listener, user) => listener.join(user, options),
  );
}
