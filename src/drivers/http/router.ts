import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import { HeadraceError, toHeadraceError } from "../../errors.js";
import { encodeV2Error } from "../../protocol/index.js";
import type { AppLease } from "./app-pool.js";
import type { ErrorEncoder, Exchange } from "./exchange.js";
import type { Gate } from "./gate.js";
import type { Exchanges } from "./request-trace.js";
import { type RouteRole, roleOf } from "./route-roles.js";

/** Answers a request; what it throws becomes the answer. `request` is valid until it returns. */
export type Handler = (exchange: Exchange, request: HttpRequest) => void;

/** The handlers of one path, by method. */
export interface Methods {
  readonly GET?: Handler;
  readonly POST?: Handler;
  readonly DELETE?: Handler;
}

const METHODS = { GET: "get", POST: "post", DELETE: "del" } as const;

interface Route {
  readonly encode: ErrorEncoder;
  readonly pattern: string;
  readonly role: RouteRole;
  readonly handler: Handler;
}

/**
 * Registers routes: each request gets an exchange, comes in only where its client may (ROUTE_ROLES), and a method that a route does
 * not have gets a 405.
 */
export class Router {
  constructor(
    private readonly app: AppLease,
    private readonly exchanges: Exchanges,
    private readonly gate: Gate,
  ) {}

  route(pattern: string, encode: ErrorEncoder, methods: Methods): void {
    const { app } = this;
    const allowed: string[] = [];
    for (const [name, method] of Object.entries(METHODS)) {
      const handler = methods[name as keyof Methods];
      if (handler === undefined) continue;
      allowed.push(name);
      const route = { encode, pattern, role: roleOf(name, pattern), handler };
      app.route(method, pattern, (response, request) => this.run(response, request, route));
    }
    app.route("any", pattern, (response, request) => this.refuseMethod(response, request, encode, allowed));
  }

  /** Everything that no other route has: to be registered last. */
  otherwise(): void {
    this.app.route("any", "/*", (response, request) => {
      const what = `there is no ${request.getMethod().toUpperCase()} ${request.getUrl()}`;
      this.exchanges.open(response, request, encodeV2Error).error(new HeadraceError("NOT_FOUND", what));
    });
  }

  private run(response: HttpResponse, request: HttpRequest, { encode, pattern, role, handler }: Route): void {
    const exchange = this.exchanges.open(response, request, encode, pattern);
    try {
      this.gate.admit(response, request, role);
      handler(exchange, request);
    } catch (error) {
      exchange.error(toHeadraceError(error));
    }
  }

  /** A method that the route does not have, or a browser that asks first whether a page may use one that it has. */
  private refuseMethod(
    response: HttpResponse,
    request: HttpRequest,
    encode: ErrorEncoder,
    allowed: readonly string[],
  ): void {
    const exchange = this.exchanges.open(response, request, encode);
    try {
      const preflight = this.gate.cors?.preflight(request, allowed);
      if (preflight !== undefined) {
        exchange.empty(204, preflight);
        return;
      }
      const message = `${request.getUrl()} takes ${allowed.join(" or ")}, not ${request.getMethod().toUpperCase()}`;
      const body = encode(new HeadraceError("METHOD_NOT_ALLOWED", message), exchange.trace?.id);
      exchange.json(405, body, [["Allow", allowed.join(", ")]]);
    } catch (error) {
      exchange.error(toHeadraceError(error));
    }
  }
}
