/** One HTTP exchange: time limit, cancelling, and every way to fail as a HeadraceError. */
import { HeadraceError } from "../errors.js";
import { errorOfResponse } from "../protocol/index.js";
import { deadline } from "./deadline.js";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface CallOptions {
  /** Milliseconds for the whole exchange, answer included. Default: the client's. Infinity: none. */
  readonly timeoutMs?: number | undefined;
  /** Gives up with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
}

export interface HttpRequest extends CallOptions {
  readonly method: "GET" | "POST";
  /** From the server's root, escaped. */
  readonly path: string;
  readonly body?: Uint8Array | string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HttpAnswer {
  readonly headers: Headers;
  readonly body: Uint8Array;
}

export class HttpTransport {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly #fetch: Fetch;

  /** @param url Without a slash at its end. */
  constructor(url: string, headers: Readonly<Record<string, string>>, timeoutMs: number, fetch: Fetch) {
    this.url = url;
    this.headers = headers;
    this.timeoutMs = timeoutMs;
    this.#fetch = fetch;
  }

  /**
   * @throws HeadraceError: UNAVAILABLE when the server cannot be reached, DEADLINE_EXCEEDED, CANCELLED, or what an
   * answer outside 2xx means.
   */
  async call(request: HttpRequest): Promise<HttpAnswer> {
    const target = `${request.method} ${this.url}${request.path}`;
    const limit = deadline(request.timeoutMs ?? this.timeoutMs, request.signal, target);
    try {
      const response = await this.#fetch(this.url + request.path, this.#init(request, limit.signal));
      const body = new Uint8Array(await response.arrayBuffer());
      if (!response.ok) throw errorOfResponse(response.status, new TextDecoder().decode(body));
      return { headers: response.headers, body };
    } catch (error) {
      throw limit.signal.aborted ? limit.signal.reason : unreachable(error, target);
    } finally {
      limit.release();
    }
  }

  #init(request: HttpRequest, signal: AbortSignal): RequestInit {
    const headers = { ...this.headers, ...request.headers };
    // A Uint8Array over any buffer is a body; the DOM's types only know the one over an ArrayBuffer.
    const body = request.body as BodyInit | undefined;
    return { method: request.method, headers, signal, ...(body === undefined ? {} : { body }) };
  }
}

function unreachable(error: unknown, target: string): unknown {
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
