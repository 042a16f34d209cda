/**
 * uWebSockets.js never frees an app, nor the functions that were given to it. So apps are used again: what is registered
 * on one refers to a slot, and the slot to the driver that has the app, for as long as it has it.
 */
import uWS, { type HttpRequest, type HttpResponse, type TemplatedApp, type WebSocketBehavior } from "uWebSockets.js";

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

/** Idle apps by the limits of their streams, which cannot change. All drivers register the same routes. */
const idle = new Map<string, AppLease[]>();

/** An app that is one driver's until `giveBack`. */
export class AppLease {
  readonly app: TemplatedApp = uWS.App();
  private readonly routes = new Map<string, Slot<HttpHandler>>();
  private readonly streams = new Map<string, Slot<StreamHandlers<unknown>>>();

  private constructor(private readonly key: string) {}

  /** @param limits  Of all streams that will be registered. */
  static take(limits: StreamLimits<never>): AppLease {
    const key = JSON.stringify(limits);
    return idle.get(key)?.pop() ?? new AppLease(key);
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
      close: (socket, code, message) => slot.handler?.close(socket, code, message),
    });
  }

  /** Closes all sockets, which are told so before this returns, and keeps the app for the next driver. */
  giveBack(): void {
    this.app.close();
    for (const slot of this.routes.values()) slot.handler = undefined;
    for (const slot of this.streams.values()) slot.handler = undefined;
    const others = idle.get(this.key);
    if (others === undefined) idle.set(this.key, [this]);
    else others.push(this);
  }
}
