import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import { HeadraceError, toHeadraceError } from "../../errors.js";
import { encodeV2Error } from "../../protocol/index.js";
import type { AppLease } from "./app-pool.js";
import type { ErrorEncoder, Exchange } from "./exchange.js";
import type { Exchanges } from "./request-trace.js";

/** Answers a request; what it throws becomes the answer. `request` is valid until it returns. */
export type Handler = (exchange: Exchange, request: HttpRequest) => void;

/** The handlers of one path, by method. */
export interface Methods {
  readonly GET?: Handler;
  readonly POST?: Handler;
  readonly DELETE?: Handler;
}

/** Registers routes: each request gets an exchange, and a method that a route does not have a 405. */
export class Router {
  constructor(
    private readonly app: AppLease,
    private readonly exchanges: Exchanges,
  ) {}

  route(pattern: string, encode: ErrorEncoder, { GET, POST, DELETE }: Methods): void {
    const { app } = this;
    if (GET !== undefined) app.route("get", pattern, this.handled(pattern, encode, GET));
    if (POST !== undefined) app.route("post", pattern, this.handled(pattern, encode, POST));
    if (DELETE !== undefined) app.route("del", pattern, this.handled(pattern, encode, DELETE));
    const allowed = Object.entries({ GET, POST, DELETE }).flatMap(([name, handler]) => (handler ? [name] : []));
    app.route("any", pattern, (response, request) => {
      const message = `${request.getUrl()} takes ${allowed.join(" or ")}, not ${request.getMethod().toUpperCase()}`;
      const exchange = this.exchanges.open(response, request, encode);
      const body = encode(new HeadraceError("METHOD_NOT_ALLOWED", message), exchange.trace?.id);
      exchange.json(405, body, [["Allow", allowed.join(", ")]]);
    });
  }

  /** Everything that no other route has: to be registered last. */
  otherwise(): void {
    this.app.route("any", "/*", (response, request) => {
      const what = `there is no ${request.getMethod().toUpperCase()} ${request.getUrl()}`;
      this.exchanges.open(response, request, encodeV2Error).error(new HeadraceError("NOT_FOUND", what));
    });
  }

  private handled(pattern: string, encode: ErrorEncoder, handler: Handler) {
    return (response: HttpResponse, request: HttpRequest): void => {
      const exchange = this.exchanges.open(response, request, encode, pattern);
      try {
        handler(exchange, request);
      } catch (error) {
        exchange.error(toHeadraceError(error));
      }
    };
  }
}
