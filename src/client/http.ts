/** One HTTP exchange: time limit, cancelling, retries, and every way to fail as a HeadraceError. */
import { HeadraceError } from "../errors.js";
import { errorOfResponse } from "../protocol/index.js";
import { deadline, pause } from "./deadline.js";
import { Failure, waitBeforeRetry } from "./retry.js";

/** As much of the platform's `fetch` as the client uses. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What every call may be given. */
export interface CallOptions {
  /** Milliseconds for the whole exchange, answer and retries included. Default: the client's. Infinity: none. */
  readonly timeoutMs?: number | undefined;
  /** Gives up with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
}

export interface HttpRequest extends CallOptions {
  readonly method: "GET" | "POST" | "DELETE";
  /** From the server's root, escaped. */
  readonly path: string;
  readonly body?: Uint8Array | string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: the client's. */
  readonly retries?: number;
}

/** What a transport is made of; see ClientSettings. */
export interface TransportOptions {
  /** Without a slash at its end. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly fetch: Fetch;
}

export interface HttpAnswer {
  readonly headers: Headers;
  readonly body: Uint8Array;
}

export class HttpTransport {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly #retries: number;
  readonly #fetch: Fetch;

  constructor({ url, headers, timeoutMs, retries, fetch }: TransportOptions) {
    this.url = url;
    this.headers = headers;
    this.timeoutMs = timeoutMs;
    this.#retries = retries;
    this.#fetch = fetch;
  }

  /**
   * @throws HeadraceError: UNAVAILABLE when the server cannot be reached, DEADLINE_EXCEEDED, CANCELLED, or what an
   * answer outside 2xx means.
   */
  async call(request: HttpRequest): Promise<HttpAnswer> {
    const target = `${request.method} ${this.url}${request.path}`;
    const limit = deadline(request.timeoutMs ?? this.timeoutMs, request.signal, target);
    const retries = request.retries ?? this.#retries;
    try {
      for (let attempt = 0; ; attempt += 1) {
        const outcome = await this.#attempt(request, target, limit.signal);
        if (!(outcome instanceof Failure)) return outcome;
        const waitMs = waitBeforeRetry(outcome, request.method, attempt);
        // A wait that would end after the time limit only hides what is wrong.
        if (attempt >= retries || waitMs === undefined || waitMs >= limit.remainingMs()) throw outcome.error;
        await pause(waitMs, limit.signal);
      }
    } catch (error) {
      throw limit.signal.aborted ? limit.signal.reason : error;
    } finally {
      limit.release();
    }
  }

  async #attempt(request: HttpRequest, target: string, signal: AbortSignal): Promise<HttpAnswer | Failure> {
    try {
      const response = await this.#fetch(this.url + request.path, this.#init(request, signal));
      const { status, headers } = response;
      const body = new Uint8Array(await response.arrayBuffer());
      if (response.ok) return { headers, body };
      const error = errorOfResponse(status, new TextDecoder().decode(body));
      return new Failure(error, { status, retryAfter: headers.get("retry-after") });
    } catch (error) {
      // Not a failure of the connection, but the caller's wish or its time limit.
      if (signal.aborted) throw error;
      return new Failure(unreachable(error, target), error);
    }
  }

  #init(request: HttpRequest, signal: AbortSignal): RequestInit {
    // Node's fetch asks for compressed answers by itself, and numbers are not worth it. A browser keeps its own.
    const headers = { "accept-encoding": "identity", ...this.headers, ...request.headers };
    // A Uint8Array over any buffer is a body; the DOM's types only know the one over an ArrayBuffer.
    const body = request.body as BodyInit | undefined;
    return { method: request.method, headers, signal, ...(body === undefined ? {} : { body }) };
  }
}

function unreachable(error: unknown, target: string): HeadraceError {
  if (error instanceof HeadraceError) return error;
  return new HeadraceError("UNAVAILABLE", `${target} failed: ${innermostMessage(error)}`, { cause: error });
}

/** Node's fetch says "fetch failed" and keeps the reason, such as a refused connection, in its cause. */
function innermostMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return innermostMessage(error.cause);
  const code = (error as { code?: unknown }).code;
  return error.message || (typeof code === "string" ? code : error.name);
}
