/** What follows one request from its arrival to its end: its id, and its line in the access log. */

import { randomUUID } from "node:crypto";
import type { Logger } from "../../log.js";
import type { HttpRequest, HttpResponse } from "../../transport/index.js";
import { type ErrorEncoder, Exchange, type ExchangeOwner } from "./exchange.js";
import type { Gate } from "./gate.js";

const REQUEST_ID_FIELD = "x-request-id";
/** What may be echoed in a header and written to a log as it is. */
const REQUEST_ID = /^[\x20-\x7e]{1,128}$/;
/** Nginx' number for a client that went away before its answer. */
const CLIENT_GONE = 499;

/** What the line in the access log says of the request. */
interface LoggedRequest {
  readonly method: string;
  /** Without the query, which names streams. */
  readonly path: string;
  readonly remote: string;
  /** `performance.now()` when it came. */
  readonly since: number;
}

/** One request that has an id. Its exchange says what becomes of it. */
export class RequestTrace {
  private status = CLIENT_GONE;
  private bytes = 0;
  private isAborted = false;

  /**
   * @param logged  undefined: requests are not logged
   * @param log  Where to; the model's own once it is known which model the request is for.
   */
  constructor(
    readonly id: string,
    private readonly logged: LoggedRequest | undefined,
    public log: Logger | undefined,
  ) {}

  answered(status: number, bytes: number): void {
    this.status = status;
    this.bytes = bytes;
  }

  /** The client went away before it had the whole answer. */
  aborted(): void {
    this.isAborted = true;
  }

  /** Called once, when there is nothing more to come. */
  ended(): void {
    if (this.logged === undefined) return;
    const { method, path, remote, since } = this.logged;
    const micros = Math.round((performance.now() - since) * 1000);
    const aborted = this.isAborted ? { aborted: true } : {};
    const { status, bytes, id: requestId } = this;
    this.log?.info({ method, path, status, bytes, micros, remote, requestId, ...aborted }, "request");
  }
}

/** Opens the exchanges of a listener, each with what is to be known of its request. */
export class Exchanges {
  /** Where requests are logged that are for no model; undefined: none are logged. May change at any time. */
  accessLog: Logger | undefined;

  constructor(
    private readonly owner: ExchangeOwner,
    private readonly gate: Gate,
  ) {}

  /** Must be called synchronously in the route's handler. */
  open(response: HttpResponse, request: HttpRequest, encodeError: ErrorEncoder, route = ""): Exchange {
    const exchange = new Exchange(response, this.owner, encodeError, route, request.header("accept-encoding"));
    if (this.gate.cors !== undefined) exchange.pageHeaders = this.gate.cors.of(request);
    const sent = request.header(REQUEST_ID_FIELD);
    if (sent !== "" || this.accessLog !== undefined) {
      const id = REQUEST_ID.test(sent) ? sent : randomUUID();
      exchange.trace = new RequestTrace(id, this.logged(request), this.accessLog);
    }
    return exchange;
  }

  private logged(request: HttpRequest): LoggedRequest | undefined {
    if (this.accessLog === undefined) return undefined;
    return {
      method: request.method,
      path: request.path,
      remote: this.gate.remoteAddress(request),
      since: performance.now(),
    };
  }
}
