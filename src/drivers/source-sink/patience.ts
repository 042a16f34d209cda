/** How long the driver waits for code that is not its own. */
import { setTimeout as delay } from "node:timers/promises";
import { HeadraceError } from "../../errors.js";

/** What did not end although it was told to is left behind after this time, so that a driver can always stop. */
const LAST_MILLIS = 2000;

/** The outcome of `work`; DEADLINE_EXCEEDED where it has not ended two seconds after the signal was aborted. */
export function orLeave<T>(work: Promise<T>, signal: AbortSignal, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const leave = (): void => {
      timer = setTimeout(() => {
        const message = `${what} did not end within ${LAST_MILLIS} ms after it was told to; it is left behind`;
        reject(new HeadraceError("DEADLINE_EXCEEDED", message));
      }, LAST_MILLIS);
    };
    const settled = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
    };
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
    work.finally(settled).then(resolve, reject);
  });
}

/** Calls `act` once the signal is aborted, at once where it is. */
export function onAbort(signal: AbortSignal, act: () => void): void {
  if (signal.aborted) act();
  else signal.addEventListener("abort", act, { once: true });
}

/** Milliseconds between attempts: the first, doubled each time, at most `max`. */
export class Backoff {
  private next: number;

  constructor(
    private readonly first: number,
    private readonly max: number,
  ) {
    this.next = first;
  }

  /** Waits; ends early once the signal is aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    const millis = this.next;
    this.next = Math.min(millis * 2, Math.max(this.max, this.first));
    await delay(millis, undefined, { signal }).catch(() => {});
  }

  reset(): void {
    this.next = this.first;
  }
}

/** The longest that items may follow each other in promises alone, without a turn of the event loop for all others. */
const TURN_MILLIS = 5;

/** Gives the event loop its turn from time to time. */
export class TurnKeeper {
  private since = performance.now();

  async maybeYield(): Promise<void> {
    if (performance.now() - this.since < TURN_MILLIS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.since = performance.now();
  }
}

/** Whether the n-th of the same events is worth a line in the log: the 1st, 2nd, 4th, 8th, … */
export function isWorthALine(count: number): boolean {
  return (count & (count - 1)) === 0;
}
