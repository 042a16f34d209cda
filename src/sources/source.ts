/** `headrace/sources/source`: the contract of sources, and what helps to write one. */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../log.js";
import type { Types } from "../types/index.js";

/** One set of the pipeline's inputs. Whoever takes it owns it: the source does not change or reuse what is in it. */
export interface SourceItem {
  /** The pipeline's inputs, by name. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** When it was captured, in milliseconds since 1970 (`Date.now()`). Default: when it was read. */
  readonly capturedAt?: number;
}

/** What a source is told when it is opened. */
export interface SourceContext {
  /** The name that the source has in its driver. */
  readonly ref: string;
  /** The types of the pipeline's inputs, by name. */
  readonly inputs: Types;
  readonly log?: Logger | undefined;
}

/**
 * Where inputs come from: a camera, a file, a broker. A `SourceSinkDriver` drives it.
 *
 * **Life.** Constructed → `open` → `read` → `close`, each at most once, but `close`: that may be called at any time, also
 * without `open`, while `read` waits, and again. One life only: to begin anew, make another one. The constructor takes
 * nothing that must be given back; `open` may; `close` gives back everything on every path.
 *
 * **Cancellation.** When `signal` is aborted, or after `close`, the iteration ends soon, also where it waits: it returns,
 * or throws anything. What it throws without having been told to end is the source's failure.
 *
 * **Backpressure.** Nobody asks for the next item before there is room for it, so a source may simply wait in `yield`. One
 * that cannot hold back what it reads (a camera) has to drop by itself, or to be driven with a policy that drops.
 *
 * ```ts
 * class Countdown extends Source {
 *   async *read(signal: AbortSignal) {
 *     for (let left = 10; left > 0 && !signal.aborted; left--) yield { inputs: { input: left } };
 *   }
 * }
 * ```
 */
export abstract class Source {
  /** Takes what reading needs. What it throws is the source's failure; `close` is called then, too. Default: nothing. */
  async open(_context: SourceContext, _signal: AbortSignal): Promise<void> {}

  /** The items, in order. Called once. */
  abstract read(signal: AbortSignal): AsyncIterable<SourceItem>;

  /** Ends `read` and gives everything back. Default: nothing. */
  async close(): Promise<void> {}
}

/**
 * Spreads items over time. Item n is due n / rate seconds after the first call; one that is late is due at once, so that
 * the rate holds on average.
 *
 * ```ts
 * const pace = new Pace(25);
 * while (await pace.due(signal)) console.log("25 times a second, until the signal is aborted");
 * ```
 */
export class Pace {
  private begin: number | undefined;
  private count = 0;

  /** @param rate Items per second; 0 or Infinity: as fast as they are taken. */
  constructor(private readonly rate: number) {}

  /** Waits until the next item is due. False once the signal is aborted. */
  async due(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (this.rate === 0 || this.rate === Number.POSITIVE_INFINITY) return true;
    this.begin ??= performance.now();
    const millis = this.begin + (this.count++ * 1000) / this.rate - performance.now();
    if (millis <= 0) return true;
    return delay(Math.min(millis, MAX_TIMER_MILLIS), true, { signal }).catch(() => false);
  }
}

/** Node fires a longer timer at once. */
const MAX_TIMER_MILLIS = 2 ** 31 - 1;
