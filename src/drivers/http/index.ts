/** `headrace/drivers/http`: serves an inference process over HTTP and WebSocket. */
import { type Logger, makeLogger } from "../../log.js";
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
import { endpointMetrics } from "./endpoint-metrics.js";
import { HttpListener } from "./listener.js";
import { listenerParameters } from "./listener-parameters.js";
import { ModelEndpoint } from "./model-endpoint.js";
import { serveNatively } from "./native-serving.js";
import { changedParameters, type HttpParameters, httpParameters } from "./parameters.js";
import { MemoryTaskStore, type TaskStore } from "./task-store.js";

export type { CertificateOption, Role, TokenOption } from "../../serving/access-options.js";
export type { OpenPort } from "../../serving/open-port.js";
export type { RateLimit } from "../../serving/rate-limiter.js";
export type { Secret } from "../../serving/secret.js";
export type { TlsOptions } from "../../serving/tls.js";
export type { ListenerParameters } from "./listener-parameters.js";
export type { Cors } from "./origins.js";
export type { HttpParameters } from "./parameters.js";
export type { FinishedTask, TaskStore } from "./task-store.js";

/** How often a stopping driver looks whether the last answers have been given. */
const DRAIN_POLL_MILLIS = 5;
const PORT = "http";

const portRequest = (port: number): ResourcesRequest => ({ ports: [{ name: PORT, port, sharedAs: "http" }] });

/**
 * Serves V2 (the Open Inference Protocol) and plain REST over HTTP, and V2 streams over WebSocket. Drivers of one runtime that
 * name the same port share it, each with its model. Offers the service `http`. docs/http.md has the routes.
 *
 * ```ts
 * const web = await proc.addDriver("web", HttpDriver, { port: 8000 });
 * await web.setParameters({ ...web.getParameters(), accessLog: true });
 * ```
 */
export class HttpDriver extends PipelineDriver<HttpParameters> {
  private parameters: HttpParameters;
  private listener: HttpListener | undefined;
  private endpoint: ModelEndpoint | undefined;
  private stopFlushing: (() => void) | undefined;
  private stopNative: (() => void) | undefined;
  private finished: (() => void) | undefined;

  constructor(options: Partial<HttpParameters> = {}) {
    super(options);
    this.parameters = httpParameters(options);
  }

  override resourcesRequest(): ResourcesRequest {
    return portRequest(this.parameters.port);
  }

  override async start(inference: RestrictedInferenceProcess, resources: DriverResources): Promise<ServiceOffer[]> {
    const parameters = listenerParameters(this.parameters);
    const init = { parameters, repository: () => inference.repository, log: this.log };
    const listener = await resources.listener(PORT, (port) => HttpListener.open(init, port));
    await listener.join(this, this.options);
    this.listener = listener;
    this.parameters = { ...this.parameters, ...listener.parameters, port: listener.port };
    const endpoint = new ModelEndpoint({
      inference,
      store: this.makeTaskStore(),
      parameters: () => this.parameters,
      log: this.log,
      publish: (topic, message, isBinary) => listener.publish(topic, message, isBinary),
    });
    listener.models.add(endpoint, this.parameters.replace);
    this.stopNative = serveNatively(listener.server, endpoint);
    this.endpoint = endpoint;
    this.logRequests(this.parameters);
    this.stopFlushing = inference.direct?.engine.onFlush(() => listener.outbox.flush());
    const { host, port, tls } = this.parameters;
    const scheme = tls === undefined ? "http" : "https";
    return [{ name: "http", address: host, port, meta: { protocol: "v2", model: inference.name, scheme } }];
  }

  override run(): Promise<void> {
    return new Promise((resolve) => {
      this.finished = resolve;
    });
  }

  /** Refuses what is new, answers what was accepted, tasks included, closes the streams with 1001, then everything. */
  override async stop(signal: AbortSignal): Promise<void> {
    const { endpoint, listener } = this;
    endpoint?.drain();
    listener?.leave(this);
    while (!signal.aborted && (endpoint?.isBusy || (listener?.isDraining && listener.isBusy))) {
      if (endpoint?.isBusy) listener?.stillBusy();
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MILLIS));
    }
    endpoint?.close();
    this.stopNative?.();
    if (endpoint !== undefined) listener?.models.remove(endpoint);
    listener?.modelsChanged();
    this.stopFlushing?.();
    this.finished?.();
  }

  override getParameters(): HttpParameters {
    return { ...this.parameters };
  }

  override async setParameters(parameters: HttpParameters): Promise<void> {
    this.parameters = changedParameters(this.parameters, parameters);
    this.logRequests(this.parameters);
    await this.endpoint?.tasks.sweep();
  }

  override metrics(): readonly DriverMetric[] {
    return this.endpoint === undefined ? [] : endpointMetrics(this.endpoint);
  }

  /** Where finished tasks are kept, made once when the driver starts; for subclasses. Default: in memory. */
  protected makeTaskStore(): TaskStore {
    return new MemoryTaskStore();
  }

  /**
   * What the access log is written with, at its level `info`, made whenever `accessLog` is switched on; for subclasses.
   * Default: the driver's own log, whatever its level is, unless it is `silent`.
   */
  protected makeAccessLog(): Logger {
    const log = this.log ?? makeLogger("http");
    return log.level === "silent" ? log : log.child({}, { level: "info" });
  }

  private logRequests({ accessLog }: HttpParameters): void {
    const { endpoint } = this;
    if (endpoint === undefined) return;
    if (!accessLog) endpoint.accessLog = undefined;
    else endpoint.accessLog ??= this.makeAccessLog();
    this.listener?.modelsChanged();
  }
}

/**
 * Opens a port for HTTP drivers to come: until there is one it answers for the server alone, its health and its repository.
 * Drivers that name the port share it.
 *
 * ```ts
 * const front = await openHttpPort(runtime, { port: 0 });
 * await proc.addDriver("web", HttpDriver, { port: front.port });
 * front.close();
 * ```
 *
 * @param options Of the parameters of an HttpDriver those that all who share a port have in common.
 * @throws HeadraceError PORT_IN_USE, INVALID_ARGUMENT
 */
export async function openHttpPort(runtime: Runtime, options: Partial<HttpParameters> = {}): Promise<OpenPort> {
  const parameters = httpParameters(options);
  const init = {
    parameters: listenerParameters(parameters),
    repository: () => runtime.repository,
    log: makeLogger("http"),
  };
  return openPort(
    runtime,
    PORT,
    portRequest(parameters.port),
    (port) => HttpListener.open(init, port),
    (listener, user) => listener.join(user, options),
  );
}
