/** A time limit and a caller's AbortSignal as one signal, whose reason says as a HeadraceError which of the two it was. */
import { HeadraceError, InvalidArgumentError } from "../errors.js";

export interface Deadline {
  readonly signal: AbortSignal;
  /** Milliseconds left; Infinity where there is no limit. */
  remainingMs(): number;
  /** Releases the timer and the listener; must be called when the work is over. */
  release(): void;
}

/** setTimeout takes 31 bits and treats anything above as 1 ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** @param what What did not finish, for the message: "POST http://… ". */
export function deadline(timeoutMs: number, signal: AbortSignal | undefined, what: string): Deadline {
  if (!(timeoutMs > 0)) throw new InvalidArgumentError(`expected more than 0, got ${timeoutMs}`, { path: "timeoutMs" });
  const controller = new AbortController();
  const cancel = () => controller.abort(cancelled(signal?.reason));
  const expire = () =>
    controller.abort(new HeadraceError("DEADLINE_EXCEEDED", `${what} took longer than ${timeoutMs} ms`));
  const end = performance.now() + timeoutMs;
  const timer = timeoutMs > MAX_TIMER_MS ? undefined : setTimeout(expire, timeoutMs);
  signal?.addEventListener("abort", cancel, { once: true });
  if (signal?.aborted) cancel();
  return {
    signal: controller.signal,
    remainingMs: () => Math.max(0, end - performance.now()),
    release: () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
    },
  };
}

export function cancelled(reason: unknown): HeadraceError {
  return new HeadraceError("CANCELLED", "cancelled by the caller's AbortSignal", { cause: reason });
}

/** Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}
