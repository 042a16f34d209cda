/**
 * A port over which one or several drivers of a runtime serve their models. It owns the sockets and the routes; each driver
 * brings a ModelEndpoint, and the routes find it by the model's name.
 */
import type { Logger } from "../../log.js";
import type { RepositoryControl, SharedListener } from "../../runtime/index.js";
import { checkShared } from "../../serving/access-parameters.js";
import { InferDecoder } from "../../serving/infer-decoder.js";
import { ServedModels } from "../../serving/served-models.js";
import { isTracing } from "../../serving/tracing.js";
import { TransportServer } from "../../transport/index.js";
import { DocsRoutes } from "./docs-routes.js";
import { Entrance } from "./entrance.js";
import type { Gate } from "./gate.js";
import type { ListenerCounters } from "./listener-metrics.js";
import { LISTENER_PARAMETERS, type ListenerParameters } from "./listener-parameters.js";
import { MetricsRoutes } from "./metrics-routes.js";
import type { ModelEndpoint } from "./model-endpoint.js";
import { ModelRoutes } from "./model-routes.js";
import { NativeInfer } from "./native-infer.js";
import { Outbox } from "./outbox.js";
import { type HttpParameters, httpParameters } from "./parameters.js";
import { RepositoryRoutes } from "./repository-routes.js";
import { Exchanges } from "./request-trace.js";
import { RestRoutes } from "./rest-routes.js";
import { Router } from "./router.js";
import { Routes } from "./routes.js";
import { StreamRoutes } from "./stream-routes.js";

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
  readonly server: TransportServer;
  private readonly nativeInfer = new NativeInfer(this.models, () => this.isPlain);
  private isListening = false;
  private opening: Promise<void> | undefined;
  private isClosed = false;
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
    entrance.access.onChange(() => this.closeStrangers());
    const router = new Router(this.exchanges, entrance.gate);
    const { threads, realtime, maxConnections, maxBodyBytes, maxUnreadBytes } = init.parameters;
    // One body alone must always be possible.
    const maxIncomingBytes = Math.max(init.parameters.maxIncomingBytes, maxBodyBytes);
    this.server = new TransportServer(
      { threads, realtime, maxConnections, maxIncomingBytes, maxUnreadBytes },
      { request: (request, response) => router.handle(request, response) },
    );
    new StreamRoutes(this).register(router);
    // Before the routes of models: there is a model named `stats` only by its version.
    new MetricsRoutes(this).register(router);
    new Routes(this).register(router);
    new ModelRoutes(this).register(router);
    new RepositoryRoutes(this).register(router);
    new RestRoutes(this).register(router);
    new DocsRoutes(this).register(router);
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
    this.server.topics.publish(topic, message, isBinary);
  }

  get gate(): Gate {
    return this.entrance.gate;
  }

  /** What it counts, of all models together. */
  counters(): ListenerCounters {
    const { limiter, refused } = this.gate.clients;
    const { refusedConnections, refusedIncoming, closedUnread, incomingBytes, unreadBytes, connections } = this.server;
    return {
      connections,
      incomingBytes,
      unreadBytes,
      refused: {
        ...refused,
        too_many_connections: refusedConnections + (this.entrance.front?.refused ?? 0),
        too_many_bytes: refusedIncoming,
        too_many_unread: closedUnread,
      },
      rateLimitedClients: limiter?.clients ?? 0,
    };
  }

  get repository(): RepositoryControl | undefined {
    return this.init.repository();
  }

  /** Whether nobody goes on serving here: connections end with their next answer, which says so. */
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
    // Whoever was last here may have stopped listening, and not be gone yet. All who come then wait for one opening.
    if (this.isListening) return;
    this.opening ??= this.listen(this.port).finally(() => {
      this.opening = undefined;
    });
    try {
      await this.opening;
    } catch (error) {
      this.users.delete(user);
      throw error;
    }
  }

  /** Someone stops serving here. The last one closes the door first; connections that are open go on. */
  leave(user: object): void {
    this.users.delete(user);
    if (!this.isDraining) return;
    this.closeListenSocket();
    this.stillBusy();
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

  /** A model has requests under way. Of those that threads answer by themselves nobody is told when they end. */
  stillBusy(): void {
    this.lastEnded = performance.now();
  }

  /** To be called when a model came or went, or its access log was switched on or off. */
  modelsChanged(): void {
    const logging = this.models.all().find(({ accessLog }) => accessLog !== undefined);
    this.exchanges.accessLog = logging?.accessLog;
    this.nativeInfer.refresh();
  }

  /** Whether the answer to an infer request depends on nothing but its body, and nobody wants to know of it. */
  private get isPlain(): boolean {
    const { cors, clients } = this.gate;
    return !this.isTracing && cors === undefined && clients.isWideOpen && this.exchanges.accessLog === undefined;
  }

  close(): void {
    this.isClosed = true;
    this.closeListenSocket();
    this.entrance.close();
    // Clients may take a moment to read the last of their answers; nobody has to wait for them.
    this.server.close().catch((error: unknown) => this.init.log?.error({ error }, "a server could not be closed"));
  }

  /** Streams of clients that are not known any more, or may do other things than they might. */
  private closeStrangers(): void {
    const { access } = this.entrance;
    for (const { streams } of this.models.all()) for (const stream of [...streams]) stream.recheck(access);
  }

  private closeListenSocket(): void {
    this.entrance.front?.stopListening();
    if (this.isListening) this.server.stopListening();
    this.isListening = false;
  }

  private async listen(port: number): Promise<void> {
    const { host } = this.parameters;
    const { front } = this.entrance;
    if (front === undefined) this.boundPort = this.server.listen(host, port);
    else {
      this.entrance.innerPort = this.server.listen("127.0.0.1", 0, true);
      this.boundPort = await front.listen(host, port);
    }
    this.isListening = true;
    // Whoever wanted it may have given up meanwhile.
    if (this.isClosed) this.closeListenSocket();
  }
}
