/** `headrace/sinks/dummy`: counts what it is given, for trying out and for tests. */
import { HeadraceError, InvalidArgumentError } from "../errors.js";
import { Sink, type SinkItem } from "./sink.js";

/** What a `DummySink` takes and keeps. */
export interface DummySinkOptions {
  /** Whether it takes items; false: none until `resume` was called, so that its queue fills. Default: true. */
  readonly drain?: boolean;
  /** How many of the last items it keeps in `items`; Infinity: all. Default: 0. */
  readonly keep?: number;
}

/**
 * Counts items, and keeps the last ones where it is asked to.
 *
 * ```ts
 * const sink = new DummySink({ keep: 10 });
 * // driven for a while
 * sink.count; // 250
 * sink.items.at(-1)?.outputs;
 * ```
 */
export class DummySink extends Sink {
  private taken = 0;
  private kept: SinkItem[] = [];
  private isClosed = false;
  private isPaused: boolean;
  /** Wakes the write that waits; there is one at most. */
  private wake: () => void = () => {};

  /** @throws InvalidArgumentError when an option is out of range. */
  constructor(private readonly options: DummySinkOptions = {}) {
    super();
    this.isPaused = options.drain === false;
    const { keep = 0 } = options;
    if (keep >= 0) return;
    throw new InvalidArgumentError(`expected a number of items, 0 or more; got ${keep}`, { path: "DummySink.keep" });
  }

  /** How many items it has taken. */
  get count(): number {
    return this.taken;
  }

  /** The last `keep` of them, the oldest first. */
  get items(): readonly SinkItem[] {
    return this.kept;
  }

  /** Takes no more until `resume`. */
  pause(): void {
    this.isPaused = true;
  }

  /** Takes what waits, and everything after it. */
  resume(): void {
    this.isPaused = false;
    this.wake();
  }

  override async write(item: SinkItem, signal: AbortSignal): Promise<void> {
    while (this.isPaused && !signal.aborted && !this.isClosed) await this.change(signal);
    if (signal.aborted) throw new HeadraceError("CANCELLED", "the item was not taken");
    if (this.isClosed) throw new HeadraceError("UNAVAILABLE", "the sink is closed");
    this.taken += 1;
    const { keep = 0 } = this.options;
    if (keep === 0) return;
    this.kept.push(item);
    if (this.kept.length > keep) this.kept.shift();
  }

  override async close(): Promise<void> {
    this.isClosed = true;
    this.wake();
  }

  private async change(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      signal.addEventListener("abort", this.wake, { once: true });
    });
    signal.removeEventListener("abort", this.wake);
  }
}
