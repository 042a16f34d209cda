/**
 * What may be tried again, and when. Only what cannot count twice: a GET, and a request of which nothing was sent because
 * there was no connection. A prediction that may have reached the server is never sent again, since it may be a step.
 */
import type { HeadraceError } from "../errors.js";

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2000;
/** Answers to a GET that say "later". */
const LATER = new Set([429, 502, 503, 504]);

/** An answer outside 2xx. */
export interface BadAnswer {
  readonly status: number;
  readonly retryAfter: string | null;
}

/** An attempt that failed, other than by the caller's time limit or signal. */
export class Failure {
  /** @param cause  the answer, or what `fetch` threw */
  constructor(
    readonly error: HeadraceError,
    readonly cause: unknown,
  ) {}
}

/** Milliseconds to wait before the next attempt; undefined where there must be none. */
export function waitBeforeRetry({ cause }: Failure, method: string, attempt: number): number | undefined {
  const answer = isAnswer(cause) ? cause : undefined;
  const isSafe = method === "GET" ? answer === undefined || LATER.has(answer.status) : wasNeverSent(cause);
  if (!isSafe) return undefined;
  // Clients that failed together must not come back together.
  const jittered = Math.random() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
  return jittered + retryAfterMs(answer?.retryAfter ?? null);
}

function isAnswer(cause: unknown): cause is BadAnswer {
  return typeof cause === "object" && cause !== null && "retryAfter" in cause;
}

/** Retry-After is seconds or a date. What is neither counts as none. */
function retryAfterMs(field: string | null): number {
  if (field === null) return 0;
  const ms = /^\d+$/.test(field) ? Number(field) * 1000 : Date.parse(field) - Date.now();
  return ms > 0 ? ms : 0;
}

/**
 * Whether there was no connection that could have carried anything. Node says so in the error or its cause; a browser
 * does not, so there nothing counts as never sent.
 */
function wasNeverSent(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, syscall, errors } = error as { code?: unknown; syscall?: unknown; errors?: unknown };
  if (syscall === "connect" || syscall === "getaddrinfo" || code === "UND_ERR_CONNECT_TIMEOUT") return true;
  // One attempt for each address of a name.
  if (Array.isArray(errors) && errors.length > 0) return errors.every(wasNeverSent);
  return wasNeverSent(error.cause);
}
