/** `headrace/sinks/sink`: the contract of sinks. */
import type { Logger } from "../log.js";
import type { Types } from "../types/index.js";

/** The outcome of one prediction. Several sinks may be given the same one: it is read, not changed. */
export interface SinkItem {
  /** The pipeline's outputs, by name. */
  readonly outputs: Readonly<Record<string, unknown>>;
  /** The ref of the source that the inputs came from. */
  readonly source: string;
  /** The state id of the source's stream. */
  readonly stateId: string;
  /** The place of the inputs in their source, from 0. A gap is where items were dropped or their predictions failed. */
  readonly sequence: number;
  /** When the inputs were captured, in milliseconds since 1970. */
  readonly capturedAt: number;
  /** When the prediction was done, in milliseconds since 1970. */
  readonly predictedAt: number;
}

/** What a sink is told when it is opened. */
export interface SinkContext {
  /** The name that the sink has in its driver. */
  readonly ref: string;
  /** The types of the pipeline's outputs, by name. */
  readonly outputs: Types;
  readonly log?: Logger | undefined;
}

/**
 * Where outputs go: a file, a broker, a screen. A `SourceSinkDriver` drives it.
 *
 * **Life.** Constructed → `open` → `write`, any number of times → `close`. `open` is called at most once; `close` may be
 * called at any time, also without `open`, while `write` waits, and again. One life only: to begin anew, make another one.
 *
 * **Order.** One `write` at a time, those of one source in their order. `write` resolves when the sink is responsible for
 * the item; until then it is the driver's. One that rejects may be called again with the same item, so that a sink that
 * fails half way sees it twice.
 *
 * **Cancellation.** When `signal` is aborted `write` settles soon, also where it waits; whether it has written is up to
 * it. `close` writes out what the sink was responsible for, and gives everything back, on every path.
 *
 * ```ts
 * class Printer extends Sink {
 *   async write({ source, sequence, outputs }: SinkItem) {
 *     console.log(source, sequence, outputs);
 *   }
 * }
 * ```
 */
export abstract class Sink {
  /** Takes what writing needs. What it throws is the sink's failure; `close` is called then, too. Default: nothing. */
  async open(_context: SinkContext, _signal: AbortSignal): Promise<void> {}

  /** Takes one item. */
  abstract write(item: SinkItem, signal: AbortSignal): Promise<void>;

  /** Writes out what it was given, and gives everything back. Default: nothing. */
  async close(): Promise<void> {}
}
