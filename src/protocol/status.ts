/** Errors as HTTP has them: what a server writes, and what a client makes of it. */
import { type ErrorCode, HeadraceError, isErrorCode } from "../errors.js";
import { isObject } from "./check.js";

/** The whole body of a V2 answer outside 2xx. */
export function encodeV2Error(error: HeadraceError): string {
  return JSON.stringify({ error: error.message });
}

/** An error as the plain REST routes have it. */
export interface RestErrorJson {
  readonly code: ErrorCode;
  readonly message: string;
  /** Where in the request the offending value is. */
  readonly path?: string;
  /** The request's `x-request-id`, where it has one. */
  readonly requestId?: string;
}

export function restError({ code, message, path }: HeadraceError, requestId?: string): RestErrorJson {
  return { code, message, ...(path === undefined ? {} : { path }), ...(requestId === undefined ? {} : { requestId }) };
}

/** The whole body of an answer outside 2xx of the plain REST routes. */
export function encodeRestError(error: HeadraceError, requestId?: string): string {
  return JSON.stringify({ error: restError(error, requestId) });
}

/** Several codes share a status; these are the ones that a client can rely on when there is nothing but the status. */
const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  405: "METHOD_NOT_ALLOWED",
  408: "DEADLINE_EXCEEDED",
  413: "PAYLOAD_TOO_LARGE",
  415: "UNIMPLEMENTED",
  429: "RESOURCE_EXHAUSTED",
  499: "CANCELLED",
  501: "UNIMPLEMENTED",
  502: "UNAVAILABLE",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

export function codeOfStatus(status: number): ErrorCode {
  return CODE_OF_STATUS[status] ?? (status >= 400 && status < 500 ? "INVALID_ARGUMENT" : "INTERNAL");
}

/** The error in the body of an answer outside 2xx, of either surface; the status alone when the body is neither. */
export function errorOfResponse(status: number, body: string): HeadraceError {
  const error = errorField(body);
  if (typeof error === "string") return new HeadraceError(codeOfStatus(status), error);
  const known = errorOfRest(error, codeOfStatus(status));
  if (known !== undefined) return known;
  const excerpt = body === "" ? "" : `: ${body.slice(0, 200)}`;
  return new HeadraceError(codeOfStatus(status), `the server answered ${status}${excerpt}`);
}

/** The error of a RestErrorJson, such as a failed task's; `fallback` is for a code that is not known here. */
export function errorOfRest(error: unknown, fallback: ErrorCode): HeadraceError | undefined {
  if (!isObject(error) || typeof error.message !== "string") return undefined;
  const code = typeof error.code === "string" && isErrorCode(error.code) ? error.code : fallback;
  return new HeadraceError(code, ...withoutPathPrefix(error.message, error.path));
}

/** A HeadraceError puts its path before its message, so a message that arrives with it would carry it twice. */
function withoutPathPrefix(message: string, path: unknown): [string, { path: string }?] {
  if (typeof path !== "string") return [message];
  const prefix = `${path}: `;
  return [message.startsWith(prefix) ? message.slice(prefix.length) : message, { path }];
}

function errorField(body: string): unknown {
  try {
    const json: unknown = JSON.parse(body);
    return isObject(json) ? json.error : undefined;
  } catch {
    // A proxy's HTML, or nothing: the status has to do.
    return undefined;
  }
}
