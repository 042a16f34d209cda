/** Pages of other origins: which of them may ask (CORS), and which may open WebSockets. */

import { HeadraceError, InvalidArgumentError } from "../../errors.js";
import { HEADER_LENGTH_FIELD } from "../../protocol/index.js";
import { fields } from "../../serving/access-options.js";
import { shown } from "../../shown.js";
import type { HttpRequest } from "../../transport/index.js";
import type { AnswerHeaders } from "./exchange.js";

/** What pages of other origins may do from a browser. Cookies and other credentials of the browser's are never asked for. */
export interface Cors {
  /** Such as "https://app.example.com"; "*" for all. */
  readonly origins: readonly string[];
  /** How long a browser need not ask again, in seconds. Default: 600. */
  readonly maxAgeSeconds?: number;
}

const DEFAULT_MAX_AGE_SECONDS = 600;
/** What a page may read of an answer besides its body. */
const EXPOSED = [HEADER_LENGTH_FIELD, "X-Request-Id", "Retry-After", "Location"].join(", ");
/** Names of headers, as a browser lists them. */
const HEADER_NAMES = /^[\w!#$%&'*+.^`|~-]+( *, *[\w!#$%&'*+.^`|~-]+){0,63}$/;

export function parsedCors(value: unknown, path: string): Cors {
  const { origins: list, maxAgeSeconds = DEFAULT_MAX_AGE_SECONDS } = fields(value, ["origins", "maxAgeSeconds"], path);
  if (!Number.isSafeInteger(maxAgeSeconds) || Number(maxAgeSeconds) < 0) {
    throw new InvalidArgumentError(`expected seconds, got ${shown(maxAgeSeconds)}`, { path: `${path}.maxAgeSeconds` });
  }
  return { origins: origins(list, `${path}.origins`), maxAgeSeconds: Number(maxAgeSeconds) };
}

/** A list of origins, as browsers write them. */
export function origins(value: unknown, path: string): readonly string[] {
  if (!Array.isArray(value)) throw new InvalidArgumentError(`expected a list, got ${shown(value)}`, { path });
  return value.map((origin: unknown, i) => {
    const known = origin === "*" ? "*" : originOf(origin);
    if (known !== undefined) return known;
    const message = `expected an origin like "https://app.example.com", without a path, or "*", got ${shown(origin)}`;
    throw new InvalidArgumentError(message, { path: `${path}[${i}]` });
  });
}

function originOf(value: unknown): string | undefined {
  if (typeof value !== "string" || !URL.canParse(value)) return undefined;
  const { origin, pathname, search, hash, username, password } = new URL(value);
  const isMore = pathname.length > 1 || [search, hash, username, password].some((part) => part !== "");
  return origin === "null" || isMore ? undefined : origin;
}

/** Whether a request comes from a page of another origin than the server's and those of the list. */
export function isForeign(request: HttpRequest, allowed: readonly string[]): boolean {
  const origin = request.header("origin");
  if (origin === "" || allowed.includes("*") || allowed.includes(origin)) return false;
  // The scheme is not compared: before a proxy that ends TLS the server does not know its own.
  return !URL.canParse(origin) || new URL(origin).host !== request.header("host").toLowerCase();
}

export function foreignPage(what: string, parameter: string): HeadraceError {
  return new HeadraceError(
    "PERMISSION_DENIED",
    `pages of another origin may not ${what}; ${parameter} says which origins may`,
  );
}

/** The headers of answers to pages of other origins. */
export class CorsHeaders {
  private readonly isForAll: boolean;
  private readonly others: AnswerHeaders = [["Vary", "Origin"]];
  /** By origin, made once each. */
  private readonly byOrigin = new Map<string, AnswerHeaders>();

  constructor(private readonly cors: Cors) {
    this.isForAll = cors.origins.includes("*");
    for (const origin of cors.origins) this.byOrigin.set(origin, answerHeaders(origin));
  }

  /** Of the answer to a request, whatever it is. */
  of(request: HttpRequest): AnswerHeaders {
    if (this.isForAll) return this.byOrigin.get("*") ?? this.others;
    return this.byOrigin.get(request.header("origin")) ?? this.others;
  }

  /** Of the answer to a browser's question whether it may ask; undefined where the request is no such question. */
  preflight(request: HttpRequest, methods: readonly string[]): AnswerHeaders | undefined {
    if (request.method !== "OPTIONS" || request.header("access-control-request-method") === "") return undefined;
    const origin = request.header("origin");
    if (!this.isForAll && !this.byOrigin.has(origin)) throw foreignPage("use this server", "cors.origins");
    const names = request.header("access-control-request-headers");
    return [
      ["Access-Control-Allow-Methods", methods.join(", ")],
      ...(HEADER_NAMES.test(names) ? ([["Access-Control-Allow-Headers", names]] as const) : []),
      ["Access-Control-Max-Age", String(this.cors.maxAgeSeconds)],
    ];
  }
}

function answerHeaders(origin: string): AnswerHeaders {
  const vary = origin === "*" ? [] : [["Vary", "Origin"] as const];
  return [["Access-Control-Allow-Origin", origin], ["Access-Control-Expose-Headers", EXPOSED], ...vary];
}
