/**
 * A port over which one or several drivers of a runtime serve their models. It owns the sockets and the routes; each driver
 * brings a ModelEndpoint, and the routes find it by the model's name.
 */
import uWS, { type us_listen_socket } from "uWebSockets.js";
import { HeadraceError } from "../../errors.js";
import type { Logger } from "../../log.js";
import type { RepositoryControl, SharedListener } from "../../runtime/index.js";
import { checkShared } from "../../serving/access-parameters.js";
import { InferDecoder } from "../../serving/infer-decoder.js";
import { ServedModels } from "../../serving/served-models.js";
import { isTracing } from "../../serving/tracing.js";
import { AppLease } from "./app-pool.js";
import { DocsRoutes } from "./docs-routes.js";
import { Entrance } from "./entrance.js";
import type { Gate } from "./gate.js";
import type { ListenerCounters } from "./listener-metrics.js";
import { LISTENER_PARAMETERS, type ListenerParameters } from "./listener-parameters.js";
import { MetricsRoutes } from "./metrics-routes.js";
import type { ModelEndpoint } from "./model-endpoint.js";
import { ModelRoutes } from "./model-routes.js";
import { Outbox } from "./outbox.js";
import { type HttpParameters, httpParameters } from "./parameters.js";
import { RepositoryRoutes } from "./repository-routes.js";
import { Exchanges } from "./request-trace.js";
import { RestRoutes } from "./rest-routes.js";
import { Router } from "./router.js";
import { Routes } from "./routes.js";
import { StreamRoutes, streamLimits } from "./stream-routes.js";

/** LIBUS_LISTEN_EXCLUSIVE_PORT, which uWebSockets.js' own types lack: without it two servers could share a port unnoticed. */
const EXCLUSIVE_PORT = 1;
/** How long after an answer the next request of its connection may be on its way. */
const LAST_REQUEST_MILLIS = 25;

export interface ListenerInit {
  readonly parameters: ListenerParameters;
  /** What loads and unloads models, as of now. */
  readonly repository: () => RepositoryControl | undefined;
  readonly log: Logger | undefined;
}

export class HttpListener implements SharedListener {
  readonly models = new ServedModels<ModelEndpoint>();
  readonly outbox = new Outbox();
  readonly decoder = new InferDecoder();
  readonly exchanges: Exchanges;
  /** Whether requests have spans. */
  readonly isTracing = isTracing();
  private readonly app: AppLease;
  private socket: us_listen_socket | undefined;
  private boundPort = 0;
  /** Those who serve here and do not stop. */
  private readonly users = new Set<object>();
  private underWay = 0;
  /** `performance.now()` at the end of the last request. */
  private lastEnded = Number.NEGATIVE_INFINITY;

  private constructor(
    private readonly init: ListenerInit,
    private readonly entrance: Entrance,
  ) {
    const owner = {
      isDraining: () => this.isDraining,
      begun: () => {
        this.underWay += 1;
      },
      ended: () => {
        this.underWay -= 1;
        this.lastEnded = performance.now();
      },
    };
    this.exchanges = new Exchanges(owner, entrance.gate);
    const limits = streamLimits(init.parameters);
    this.app = AppLease.take(limits, entrance.appTls);
    this.app.maxConnections = init.parameters.maxConnections;
    entrance.access.onChange(() => this.closeStrangers());
    // Before the routes: of equal patterns uWebSockets.js takes the first.
    new StreamRoutes(this).register(this.app, limits);
    const router = new Router(this.app, this.exchanges, entrance.gate);
    // Before the routes of models: there is a model named `stats` only by its version.
    new MetricsRoutes(this).register(router);
    new Routes(this).register(router);
    new ModelRoutes(this).register(router);
    new RepositoryRoutes(this).register(router);
    new RestRoutes(this).register(router);
    new DocsRoutes(this).register(router);
    router.otherwise();
  }

  /**
   * Listens on a port; 0 takes any free one.
   * @throws HeadraceError PORT_IN_USE; INVALID_ARGUMENT or NOT_FOUND where the files of tokens or TLS do not fit, and where others
   *   would reach a server that anybody may use.
   */
  static async open(init: ListenerInit, port: number): Promise<HttpListener> {
    const entrance = await Entrance.open(init.parameters, init.log);
    let listener: HttpListener | undefined;
    try {
      listener = new HttpListener(init, entrance);
      await listener.listen(port);
      return listener;
    } catch (error) {
      if (listener === undefined) entrance.close();
      else listener.close();
      throw error;
    }
  }

  get port(): number {
    return this.boundPort;
  }

  get parameters(): ListenerParameters {
    return this.init.parameters;
  }

  /** Writes a message to all WebSockets that are subscribed to a topic. */
  publish(topic: string, message: string | Uint8Array, isBinary: boolean): void {
    this.app.app.publish(topic, message, isBinary);
  }

  get gate(): Gate {
    return this.entrance.gate;
  }

  /** What it counts, of all models together. */
  counters(): ListenerCounters {
    const { limiter, counters } = this.gate.clients;
    const { refusedConnections, connections } = this.app;
    return {
      connections,
      refused: {
        unauthenticated: counters.unauthenticated,
        permission_denied: counters.permissionDenied,
        rate_limited: limiter?.refused ?? 0,
        too_many_connections: refusedConnections + (this.entrance.front?.refused ?? 0),
      },
      rateLimitedClients: limiter?.clients ?? 0,
    };
  }

  get repository(): RepositoryControl | undefined {
    return this.init.repository();
  }

  /** Whether nobody goes on serving here: connections end with their next answer. */
  get isDraining(): boolean {
    return this.users.size === 0;
  }

  /**
   * Someone serves here from now on, until `leave`.
   * @param given What the user said of the parameters that all who share a port have in common.
   * Throws INVALID_ARGUMENT where it is something else than what the listener has.
   */
  async join(user: object, given: Partial<HttpParameters>): Promise<void> {
    checkShared(this, LISTENER_PARAMETERS, given, httpParameters(given));
    this.users.add(user);
    // Whoever was last here may have stopped listening, and not be gone yet.
    if (this.socket !== undefined) return;
    try {
      await this.listen(this.port);
    } catch (error) {
      this.users.delete(user);
      throw error;
    }
  }

  /** Someone stops serving here. The last one closes the door first; connections that are open go on. */
  leave(user: object): void {
    this.users.delete(user);
    if (this.isDraining) this.closeListenSocket();
  }

  /** Whether requests are taken, and every model gets on with its own. */
  get isReady(): boolean {
    if (this.isDraining || !(this.repository?.isReady ?? true)) return false;
    return this.models.all().every(({ inference }) => inference.isProgressing());
  }

  /**
   * Whether requests are under way, or may be: a client that had an answer just now may have sent its next request already.
   * It is told to go elsewhere, with 503 and `Connection: close`, where closing the connection at once would leave it not
   * knowing what became of it.
   */
  get isBusy(): boolean {
    return this.underWay > 0 || performance.now() - this.lastEnded < LAST_REQUEST_MILLIS;
  }

  /** To be called when a model's access log was switched on or off. */
  logsChanged(): void {
    const logging = this.models.all().find(({ accessLog }) => accessLog !== undefined);
    this.exchanges.accessLog = logging?.accessLog;
  }

  close(): void {
    this.closeListenSocket();
    this.entrance.close();
    this.app.giveBack();
  }

  /** Streams of clients that are not known any more, or may do other things than they might. */
  private closeStrangers(): void {
    const { access } = this.entrance;
    for (const { streams } of this.models.all()) for (const stream of [...streams]) stream.recheck(access);
  }

  private closeListenSocket(): void {
    this.entrance.front?.stopListening();
    if (this.socket !== undefined) uWS.us_listen_socket_close(this.socket);
    this.socket = undefined;
  }

  private async listen(port: number): Promise<void> {
    const { host } = this.parameters;
    const { front } = this.entrance;
    if (front === undefined) {
      this.boundPort = await this.listenItself(host, port);
      return;
    }
    this.entrance.innerPort = await this.listenItself("127.0.0.1", 0);
    this.boundPort = await front.listen(host, port);
  }

  /** Resolves with the port. */
  private listenItself(host: string, port: number): Promise<number> {
    const { app } = this.app;
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
}
