/** Whether and when a driver that failed is started again. */
import { InvalidArgumentError } from "../errors.js";
import { shown } from "../shown.js";

/** What happens when a driver fails while it runs. */
export interface RestartOptions {
  /** "on-failure": it is made and started again, with the parameters it had. Default: "never". */
  restart?: "never" | "on-failure";
  /** Milliseconds before the first restart, at most 30000; doubled for each failure in a row, up to as much. Default: 100. */
  backoffMs?: number;
  /** Failures in a row after which it is given up. Default: no limit. */
  maxRestarts?: number;
}

const MAX_BACKOFF_MILLIS = 30_000;
/** A driver that ran for so long has recovered: its next failure is a first one. */
const RECOVERED_MILLIS = 60_000;

/** Counts the failures of one driver. */
export interface RestartPolicy {
  /** Milliseconds to wait before the next start, undefined: it is given up. @param ranMillis  How long it was up. */
  afterFailure(ranMillis: number): number | undefined;
}

/** @throws InvalidArgumentError for an option that does not fit. */
export function restartPolicy(options: RestartOptions): RestartPolicy {
  const { restart = "never", backoffMs = 100, maxRestarts = Number.POSITIVE_INFINITY } = options;
  if (restart !== "never" && restart !== "on-failure") {
    const message = `expected "never" or "on-failure", got ${shown(restart)}`;
    throw new InvalidArgumentError(message, { path: "restart" });
  }
  if (!(backoffMs >= 0 && backoffMs <= MAX_BACKOFF_MILLIS)) {
    const message = `expected milliseconds from 0 to ${MAX_BACKOFF_MILLIS}, got ${shown(backoffMs)}`;
    throw new InvalidArgumentError(message, { path: "backoffMs" });
  }
  if (!(maxRestarts >= 0)) {
    throw new InvalidArgumentError(`expected a number of at least 0, got ${shown(maxRestarts)}`, {
      path: "maxRestarts",
    });
  }
  let failures = 0;
  return {
    afterFailure(ranMillis) {
      if (ranMillis >= RECOVERED_MILLIS) failures = 0;
      if (restart === "never" || failures >= maxRestarts) return undefined;
      failures += 1;
      return Math.min(backoffMs * 2 ** Math.min(failures - 1, 30), MAX_BACKOFF_MILLIS);
    },
  };
}
