/**
 * uWebSockets.js never frees an app, nor the functions that were given to it. So apps are used again: what is registered
 * on one refers to a slot, and the slot to the driver that has the app, for as long as it has it.
 */
import uWS, {
  type AppOptions,
  type HttpRequest,
  type HttpResponse,
  type TemplatedApp,
  type WebSocketBehavior,
} from "uWebSockets.js";

type HttpHandler = (response: HttpResponse, request: HttpRequest) => void;
type Method = "get" | "post" | "del" | "any";

/** What a connection of `ws` is handled with; the functions may be replaced, the limits not. */
export interface StreamHandlers<U> {
  readonly upgrade: NonNullable<WebSocketBehavior<U>["upgrade"]>;
  readonly open: NonNullable<WebSocketBehavior<U>["open"]>;
  readonly message: NonNullable<WebSocketBehavior<U>["message"]>;
  /** Default: nothing. */
  readonly drain?: NonNullable<WebSocketBehavior<U>["drain"]>;
  readonly close: NonNullable<WebSocketBehavior<U>["close"]>;
}

export type StreamLimits<U> = Omit<WebSocketBehavior<U>, keyof StreamHandlers<U>>;

interface Slot<H> {
  handler: H | undefined;
}

/** HTTPS: the options of uWebSockets.js, and what tells them from others, which is the same for the same contents of the files. */
export interface AppTls {
  readonly options: AppOptions;
  readonly fingerprint: string;
}

/** Tells whoever counts of each connection that comes (1) and goes (-1); WebSockets go only by their `close`. */
type ConnectionFilter = (response: HttpResponse, change: 1 | -1) => void;

/** Idle apps by what of them cannot change: the limits of their streams, and TLS. All drivers register the same routes. */
const idle = new Map<string, AppLease[]>();

/** An app that is one driver's until `giveBack`. */
export class AppLease {
  readonly app: TemplatedApp;
  /** Connections that are open. */
  connections = 0;
  /** One more than these is closed at once. */
  maxConnections = Number.POSITIVE_INFINITY;
  /** Connections that were closed for being too many. */
  refusedConnections = 0;
  private readonly routes = new Map<string, Slot<HttpHandler>>();
  private readonly streams = new Map<string, Slot<StreamHandlers<unknown>>>();

  private constructor(
    private readonly key: string,
    tls: AppTls | undefined,
  ) {
    this.app = tls === undefined ? uWS.App() : uWS.SSLApp(tls.options);
    // There, but not in uWebSockets.js' own types.
    const { filter } = this.app as unknown as { filter(this: TemplatedApp, filter: ConnectionFilter): void };
    filter.call(this.app, (response, change) => {
      this.connections += change;
      if (change < 0 || this.connections <= this.maxConnections) return;
      this.refusedConnections += 1;
      response.close();
    });
  }

  /**
   * @param limits  Of all streams that will be registered.
   * @throws what uWebSockets.js throws for options of TLS that it cannot use
   */
  static take(limits: StreamLimits<never>, tls?: AppTls): AppLease {
    const key = JSON.stringify([limits, tls?.fingerprint]);
    return idle.get(key)?.pop() ?? new AppLease(key, tls);
  }

  /** Handles a method of a pattern; of equal patterns the one that was registered first is asked first. */
  route(method: Method, pattern: string, handler: HttpHandler): void {
    const name = `${method} ${pattern}`;
    const known = this.routes.get(name);
    if (known !== undefined) {
      known.handler = handler;
      return;
    }
    const slot: Slot<HttpHandler> = { handler };
    this.routes.set(name, slot);
    this.app[method](pattern, (response, request) => {
      if (slot.handler === undefined) response.close();
      else slot.handler(response, request);
    });
  }

  /** Handles the streams of a pattern. */
  stream<U>(pattern: string, limits: StreamLimits<U>, handlers: StreamHandlers<U>): void {
    const known = this.streams.get(pattern);
    if (known !== undefined) {
      known.handler = handlers as StreamHandlers<unknown>;
      return;
    }
    const slot: Slot<StreamHandlers<U>> = { handler: handlers };
    this.streams.set(pattern, slot as Slot<StreamHandlers<unknown>>);
    this.app.ws<U>(pattern, {
      ...limits,
      upgrade: (response, request, context) => {
        if (slot.handler === undefined) response.close();
        else return slot.handler.upgrade(response, request, context);
      },
      open: (socket) => slot.handler?.open(socket),
      message: (socket, message, isBinary) => slot.handler?.message(socket, message, isBinary),
      drain: (socket) => slot.handler?.drain?.(socket),
      close: (socket, code, message) => {
        this.connections -= 1;
        slot.handler?.close(socket, code, message);
      },
    });
  }

  /** Closes all sockets, which are told so before this returns, and keeps the app for the next driver. */
  giveBack(): void {
    this.app.close();
    this.connections = 0;
    this.refusedConnections = 0;
    for (const slot of this.routes.values()) slot.handler = undefined;
    for (const slot of this.streams.values()) slot.handler = undefined;
    const others = idle.get(this.key);
    if (others === undefined) idle.set(this.key, [this]);
    else others.push(this);
  }
}
