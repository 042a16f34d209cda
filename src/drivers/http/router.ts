import { HeadraceError, toHeadraceError } from "../../errors.js";
import { encodeV2Error } from "../../protocol/index.js";
import type { NeededRole } from "../../serving/client-gate.js";
import { type HttpRequest, type HttpResponse, Router as Patterns } from "../../transport/index.js";
import type { ErrorEncoder, Exchange } from "./exchange.js";
import type { Gate } from "./gate.js";
import type { Exchanges } from "./request-trace.js";
import { roleOf } from "./route-roles.js";

/** Answers a request; what it throws becomes the answer. */
export type Handler = (exchange: Exchange, request: HttpRequest) => void;

/** The handlers of one path, by method. HEAD is a GET whose answer has no body. */
export interface Methods {
  readonly GET?: Handler;
  readonly POST?: Handler;
  readonly DELETE?: Handler;
}

/** Opens a WebSocket, or answers why not. */
export type StreamHandler = (request: HttpRequest, response: HttpResponse) => void;

interface Route {
  readonly role: NeededRole;
  readonly handler: Handler;
}

/** What there is at a path. */
interface Place {
  readonly pattern: string;
  readonly encode: ErrorEncoder;
  readonly routes: ReadonlyMap<string, Route>;
  readonly stream: StreamHandler | undefined;
}

/**
 * Registers routes: each request gets an exchange, comes in only where its client may (ROUTE_ROLES), and a method that a route does
 * not have gets a 405.
 */
export class Router {
  private readonly places = new Patterns<Place>();

  constructor(
    private readonly exchanges: Exchanges,
    private readonly gate: Gate,
  ) {}

  route(pattern: string, encode: ErrorEncoder, methods: Methods): void {
    const routes = new Map<string, Route>();
    for (const [name, handler] of Object.entries(methods)) {
      routes.set(name, { role: roleOf(name, pattern), handler });
    }
    this.places.add(pattern, { pattern, encode, routes, stream: undefined });
  }

  /** A path at which WebSockets are opened. */
  stream(pattern: string, handler: StreamHandler): void {
    this.places.add(pattern, { pattern, encode: encodeV2Error, routes: new Map(), stream: handler });
  }

  handle(request: HttpRequest, response: HttpResponse): void {
    const found = this.places.find(request.path);
    if (found === undefined) {
      this.refusePath(request, response);
      return;
    }
    request.parameters = found.parameters;
    const place = found.value;
    if (place.stream !== undefined) {
      if (response.canUpgrade) place.stream(request, response);
      else if (request.method === "GET" || request.method === "HEAD") this.wantUpgrade(request, response);
      else this.refuseMethod(request, response, place);
      return;
    }
    const route = place.routes.get(request.method === "HEAD" ? "GET" : request.method);
    if (route === undefined) this.refuseMethod(request, response, place);
    else this.run(request, response, place, route);
  }

  private run(request: HttpRequest, response: HttpResponse, { encode, pattern }: Place, route: Route): void {
    const exchange = this.exchanges.open(response, request, encode, pattern);
    try {
      this.gate.admit(request, route.role);
      route.handler(exchange, request);
    } catch (error) {
      exchange.error(toHeadraceError(error));
    }
  }

  /** RFC 9110, section 15.5.22. */
  private wantUpgrade(request: HttpRequest, response: HttpResponse): void {
    const exchange = this.exchanges.open(response, request, encodeV2Error);
    const message = `${request.path} is for WebSockets: ask with Upgrade: websocket`;
    const body = encodeV2Error(new HeadraceError("INVALID_ARGUMENT", message));
    exchange.json(426, body, [
      ["Upgrade", "websocket"],
      ["Connection", "Upgrade"],
    ]);
  }

  private refusePath(request: HttpRequest, response: HttpResponse): void {
    const what = `there is no ${request.method} ${request.path}`;
    this.exchanges.open(response, request, encodeV2Error).error(new HeadraceError("NOT_FOUND", what));
  }

  /** A method that the route does not have, or a browser that asks first whether a page may use one that it has. */
  private refuseMethod(request: HttpRequest, response: HttpResponse, { encode, routes, stream }: Place): void {
    const exchange = this.exchanges.open(response, request, encode);
    const allowed = stream === undefined ? [...routes.keys()] : ["GET"];
    try {
      const preflight = this.gate.cors?.preflight(request, allowed);
      if (preflight !== undefined) {
        exchange.empty(204, preflight);
        return;
      }
      const message = `${request.path} takes ${allowed.join(" or ")}, not ${request.method}`;
      const body = encode(new HeadraceError("METHOD_NOT_ALLOWED", message), exchange.trace?.id);
      exchange.json(405, body, [["Allow", allowed.join(", ")]]);
    } catch (error) {
      exchange.error(toHeadraceError(error));
    }
  }
}
