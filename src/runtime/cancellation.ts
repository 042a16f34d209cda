import { HeadraceError } from "../errors.js";
import type { Member } from "./crowd.js";

/** When a prediction is to be given up. */
export interface CancelOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Whether one prediction was given up, and why. Much cheaper than an AbortController, and most predictions need nothing
 * more; a real signal is made for the cell that asks for one.
 */
export class Cancellation implements Member {
  /** Kept for the crowd that it is in. */
  place = -1;
  /** For how long the prediction waited for its turn, in milliseconds: what follows it is told here, too. */
  waitedMillis = 0;
  private why: HeadraceError | undefined;
  private controller: AbortController | undefined;
  private listeners: Set<() => void> | undefined;

  /** Why it was given up; undefined: it was not. */
  get reason(): HeadraceError | undefined {
    return this.why;
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.why !== undefined) this.controller.abort(this.why);
    }
    return this.controller.signal;
  }

  /** Gives the prediction up; only the first reason counts. */
  cancel(reason: HeadraceError = givenUp()): void {
    if (this.why !== undefined) return;
    this.why = reason;
    this.controller?.abort(reason);
    for (const listener of this.listeners ?? []) listener();
    this.listeners = undefined;
  }

  throwIfCancelled(): void {
    if (this.why !== undefined) throw this.why;
  }

  /** Calls `listener` when the prediction is given up, now where it has been already; returns how to stop that. */
  onCancel(listener: () => void): () => void {
    if (this.why !== undefined) {
      listener();
      return nothing;
    }
    this.listeners ??= new Set();
    this.listeners.add(listener);
    return () => this.listeners?.delete(listener);
  }

  /** Gives up on the caller's signal or after the timeout; returns how to stop watching. */
  follow({ signal, timeoutMs }: CancelOptions): () => void {
    if (signal === undefined && timeoutMs === undefined) return nothing;
    const cancel = (): void => this.cancel();
    if (signal?.aborted) cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => this.cancel(tooLate()), timeoutMs);
    return () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
    };
  }

  /** What the promise comes to, or the reason as soon as the prediction is given up. */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = this.onCancel(() => reject(this.why));
      promise.then(resolve, reject).finally(stop);
    });
  }
}

const nothing = (): void => {};

function givenUp(): HeadraceError {
  return new HeadraceError("CANCELLED", "the prediction was cancelled; its state is as it was before");
}

function tooLate(): HeadraceError {
  const message = "the timeout passed before the prediction was done; its state is as it was before";
  return new HeadraceError("DEADLINE_EXCEEDED", message);
}
