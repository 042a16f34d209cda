/** `headrace/drivers/http`: serves an inference process over HTTP and WebSocket. */
import uWS, { type TemplatedApp, type us_listen_socket } from "uWebSockets.js";
import { HeadraceError, InvalidArgumentError, toHeadraceError } from "../../errors.js";
import { type Logger, makeLogger } from "../../log.js";
import { canonicalSequenceId, encodeV2Error, type TensorMetadata } from "../../protocol/index.js";
import {
  type DriverResources,
  PipelineDriver,
  type ResourcesRequest,
  type RestrictedInferenceProcess,
  type ServiceOffer,
} from "../../runtime/index.js";
import { AppLease, type StreamLimits } from "./app-pool.js";
import { DocsRoutes } from "./docs-routes.js";
import { InferService } from "./infer-service.js";
import { Outbox } from "./outbox.js";
import { changedParameters, type HttpParameters, httpParameters } from "./parameters.js";
import { Exchanges } from "./request-trace.js";
import { RestRoutes } from "./rest-routes.js";
import { Router } from "./router.js";
import { checkModelName, Routes } from "./routes.js";
import { StreamConnection, type StreamHost } from "./stream-connection.js";
import { MemoryTaskStore, type TaskStore } from "./task-store.js";
import { Tasks } from "./tasks.js";

export type { HttpParameters } from "./parameters.js";
export type { FinishedTask, TaskStore } from "./task-store.js";

/** LIBUS_LISTEN_EXCLUSIVE_PORT, which uWebSockets.js' own types lack: without it two servers could share a port unnoticed. */
const EXCLUSIVE_PORT = 1;
/** What uWebSockets.js can count. */
const MAX_FRAME_BYTES = 2 ** 31;
/** uWebSockets.js copies the properties of what it is given, so the connection must be one. */
interface UserData {
  readonly connection: StreamConnection;
}

/** Streams that may share a connection; each costs some hundred bytes from its first frame on. */
const MAX_STREAMS = 65_536;

/** How often a stopping driver looks whether the last answers have been given. */
const DRAIN_POLL_MILLIS = 5;
/** How long after an answer the next request of its connection may be on its way. */
const LAST_REQUEST_MILLIS = 25;

/**
 * Serves V2 (the Open Inference Protocol) and plain REST over HTTP, and V2 streams over WebSocket, on one port. Offers the
 * service `http`. docs/http.md has the routes.
 *
 * ```ts
 * const web = await proc.addDriver("web", HttpDriver, { port: 8000 });
 * await web.setParameters({ ...web.getParameters(), accessLog: true });
 * ```
 */
export class HttpDriver extends PipelineDriver<HttpParameters> {
  private parameters: HttpParameters;
  private app: AppLease | undefined;
  private socket: us_listen_socket | undefined;
  private readonly streams = new Set<StreamConnection>();
  private underWay = 0;
  private draining = false;
  private stopListening: (() => void) | undefined;
  private finished: (() => void) | undefined;
  private readonly counters = { requests: 0, streamsOpened: 0, streamsRefused: 0 };
  private readonly exchanges = new Exchanges({
    isDraining: () => this.draining,
    begun: () => {
      this.counters.requests += 1;
      this.underWay += 1;
    },
    ended: () => {
      this.underWay -= 1;
      this.lastEnded = performance.now();
    },
  });
  /** `performance.now()` at the end of the last request. */
  private lastEnded = Number.NEGATIVE_INFINITY;
  private tasks: Tasks | undefined;

  constructor(options: Partial<HttpParameters> = {}) {
    super(options);
    this.parameters = httpParameters(options);
  }

  override resourcesRequest(): ResourcesRequest {
    const { port } = this.parameters;
    // Any free port is best taken by listening on it; a fixed one must not be promised twice in this runtime.
    return port === 0 ? {} : { ports: [{ name: "http", port }] };
  }

  override async start(inference: RestrictedInferenceProcess, resources: DriverResources): Promise<ServiceOffer[]> {
    const service = new InferService(inference);
    const outbox = new Outbox();
    const host: StreamHost = {
      inference,
      service,
      outbox,
      parameters: () => this.parameters,
      isDraining: () => this.draining,
      refused: (error) => {
        this.counters.streamsRefused += 1;
        this.log?.warn({ code: error.code }, `stream closed: ${error.message}`);
      },
    };
    const tasks = new Tasks({ inference, store: this.makeTaskStore(), parameters: host.parameters, log: this.log });
    this.tasks = tasks;
    this.logRequests(this.parameters);
    const limits = this.streamLimits();
    const app = AppLease.take(limits);
    this.app = app;
    // Before the routes: of equal patterns uWebSockets.js takes the first.
    this.registerStreams(app, limits, host);
    const router = new Router(app, this.exchanges);
    new Routes({ ...host, counters: () => ({ driver: this.counters, tasks: tasks.stats() }) }).register(router);
    new RestRoutes({ ...host, tasks }).register(router);
    new DocsRoutes(inference).register(router);
    router.otherwise();
    const port = await this.listen(app.app, this.parameters.port === 0 ? 0 : resources.port("http"));
    this.stopListening = inference.direct?.engine.onFlush(() => outbox.flush());
    this.parameters = { ...this.parameters, port };
    return [{ name: "http", address: this.parameters.host, port, meta: { protocol: "v2", model: inference.name } }];
  }

  override run(): Promise<void> {
    return new Promise((resolve) => {
      this.finished = resolve;
    });
  }

  /** Refuses what is new, answers what was accepted, tasks included, closes the streams with 1001, then everything. */
  override async stop(signal: AbortSignal): Promise<void> {
    this.draining = true;
    this.closeListenSocket();
    while (!signal.aborted && (this.busy() || this.isExpectingMore())) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MILLIS));
    }
    this.tasks?.close();
    for (const stream of [...this.streams]) stream.goAway();
    this.app?.giveBack();
    this.app = undefined;
    this.stopListening?.();
    this.finished?.();
  }

  override getParameters(): HttpParameters {
    return { ...this.parameters };
  }

  override async setParameters(parameters: HttpParameters): Promise<void> {
    this.parameters = changedParameters(this.parameters, parameters);
    this.logRequests(this.parameters);
    await this.tasks?.sweep();
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
    if (!accessLog) this.exchanges.accessLog = undefined;
    else this.exchanges.accessLog ??= this.makeAccessLog();
  }

  private busy(): boolean {
    if (this.underWay > 0 || (this.tasks?.pendingCount ?? 0) > 0) return true;
    for (const stream of this.streams) if (!stream.isIdle) return true;
    return false;
  }

  /**
   * A client that had an answer just now may have sent its next request already: it is told to go elsewhere, with 503 and
   * `Connection: close`, where closing the connection at once would leave it not knowing what became of it.
   */
  private isExpectingMore(): boolean {
    return performance.now() - this.lastEnded < LAST_REQUEST_MILLIS;
  }

  private listen(app: TemplatedApp, port: number): Promise<number> {
    const { host } = this.parameters;
    // The overload with host, port and options is there, but not in uWebSockets.js' own types.
    const listen = app.listen.bind(app) as unknown as (
      host: string,
      port: number,
      options: number,
      done: (socket: us_listen_socket | false) => void,
    ) => void;
    return new Promise((resolve, reject) => {
      listen(host, port, EXCLUSIVE_PORT, (socket) => {
        if (socket === false) {
          const message = `cannot listen on ${host}:${port}: the port is in use, or the address is not this machine's; choose another port (0 takes any free one) or host`;
          reject(new HeadraceError("PORT_IN_USE", message));
          return;
        }
        this.socket = socket;
        resolve(uWS.us_socket_local_port(socket as never));
      });
    });
  }

  private closeListenSocket(): void {
    if (this.socket !== undefined) uWS.us_listen_socket_close(this.socket);
    this.socket = undefined;
  }

  private streamLimits(): StreamLimits<UserData> {
    return {
      // Ours to refuse (StreamConnection.message), with a close code: uWebSockets.js just drops the connection. It still
      // does so for what is far too large, before it is all there.
      maxPayloadLength: Math.min(2 * this.parameters.maxBodyBytes, MAX_FRAME_BYTES),
      // Ours to watch (StreamConnection.flush): uWebSockets.js would drop answers silently.
      maxBackpressure: 0,
      idleTimeout: this.parameters.idleTimeoutSeconds,
      sendPingsAutomatically: true,
    };
  }

  private registerStreams(app: AppLease, limits: StreamLimits<UserData>, host: StreamHost): void {
    for (const pattern of ["/v2/models/:model/stream", "/v2/models/:model/versions/:version/stream"]) {
      app.stream<UserData>(pattern, limits, {
        upgrade: (response, request, context) => {
          let connection: StreamConnection;
          try {
            connection = this.openStream(
              host,
              request.getParameter(0),
              request.getQuery("sequence_id"),
              request.getQuery("raw"),
              request.getQuery("streams"),
            );
          } catch (error) {
            this.exchanges.open(response, request).error(toHeadraceError(error), encodeV2Error);
            return;
          }
          response.upgrade(
            { connection },
            request.getHeader("sec-websocket-key"),
            request.getHeader("sec-websocket-protocol"),
            request.getHeader("sec-websocket-extensions"),
            context,
          );
        },
        open: (socket) => {
          this.counters.streamsOpened += 1;
          const { connection } = socket.getUserData();
          this.streams.add(connection);
          connection.opened(socket);
        },
        message: (socket, message, isBinary) => socket.getUserData().connection.message(message, isBinary),
        close: (socket) => {
          const { connection } = socket.getUserData();
          this.streams.delete(connection);
          connection.closed();
        },
      });
    }
  }

  private openStream(
    host: StreamHost,
    model: string | undefined,
    sequenceId: string | undefined,
    raw: string | undefined,
    streams: string | undefined,
  ): StreamConnection {
    if (this.draining) throw new HeadraceError("UNAVAILABLE", "the server is stopping");
    checkModelName(model, host.inference.name);
    return new StreamConnection(host, {
      sequenceId: canonicalSequenceId(sequenceId, "sequence_id"),
      raw: raw === undefined ? undefined : rawInput(host.service.inputs, raw),
      streams: streams === undefined ? undefined : numberOfStreams(streams, raw),
    });
  }
}

function rawInput(inputs: readonly TensorMetadata[], name: string): TensorMetadata {
  const [only, ...others] = inputs;
  if (only?.name === name && others.length === 0) return only;
  const known = inputs.map((input) => input.name).join(", ");
  throw new InvalidArgumentError(
    others.length > 0
      ? `a raw stream needs a model with a single input, this one has ${known}`
      : `there is no input '${name}'; the model's input is ${known}`,
    { path: "raw" },
  );
}

function numberOfStreams(text: string, raw: string | undefined): number {
  if (raw === undefined) {
    throw new InvalidArgumentError("is for raw streams; other requests name their sequence_id", { path: "streams" });
  }
  const streams = /^[1-9]\d{0,8}$/.test(text) ? Number(text) : 0;
  if (streams >= 1 && streams <= MAX_STREAMS) return streams;
  throw new InvalidArgumentError(`expected a number from 1 to ${MAX_STREAMS}, got '${text}'`, { path: "streams" });
}
