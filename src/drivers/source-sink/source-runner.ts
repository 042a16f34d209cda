import { setMaxListeners } from "node:events";
import { type ErrorCode, HeadraceError, InvalidArgumentError, toHeadraceError } from "../../errors.js";
import type { Logger } from "../../log.js";
import type { RestrictedInferenceProcess } from "../../runtime/index.js";
import type { SinkItem } from "../../sinks/sink.js";
import type { Source } from "../../sources/source.js";
import { closeEnd, type EndHost, openEnd } from "./ends.js";
import type { SourceSettings } from "./parameters.js";
import { Backoff, isWorthALine, onAbort, orLeave, TurnKeeper } from "./patience.js";
import { BoundedQueue, Change } from "./queue.js";

/** `restarting`: it failed, and waits for its next attempt. The last three are final. */
export type SourceStatus = "running" | "restarting" | "ended" | "failed" | "stopped";

/** The last thing that went wrong. */
export interface LastError {
  readonly code: ErrorCode;
  readonly message: string;
}

/** At any time `in` is `out + failed + dropped + queued + inFlight`. */
export type SourceStatistics = {
  readonly status: SourceStatus;
  /** Items that the source gave. */
  readonly in: number;
  /** Predictions whose results have gone to all sinks. */
  readonly out: number;
  /** Predictions that failed; their items are lost, the stream goes on. */
  readonly failed: number;
  /** Items dropped by the policy, or because the source was stopped. */
  readonly dropped: number;
  /** Items that wait for their predictions. */
  readonly queued: number;
  /** Items whose predictions are under way, or whose results wait for a sink. */
  readonly inFlight: number;
  /** How often a new source was made after a failure. */
  readonly restarts: number;
  /** From the capture of the last item to its prediction, in milliseconds. */
  readonly lagMillis: number;
  readonly lastError?: LastError;
};

export interface SourceHost {
  readonly inference: RestrictedInferenceProcess;
  readonly log: Logger | undefined;
  /** Hands a result to all sinks that want it; resolves when it has its place there, or was dropped. Never rejects. */
  deliver(item: SinkItem, signal: AbortSignal): Promise<void>;
}

interface QueuedItem {
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly capturedAt: number;
  readonly sequence: number;
}

type Outcome =
  | { readonly outputs: Readonly<Record<string, unknown>>; readonly predictedAt: number }
  | { readonly error: unknown };

const MAX_BACKOFF_MILLIS = 30_000;

/**
 * Drives one source: reads items into a queue, predicts them in order, hands the results on in the same order. Owns the
 * source, its queue and the state of its stream; they have been given back when the promise of `start` resolves.
 */
export class SourceRunner {
  private status: SourceStatus = "running";
  private lastError: LastError | undefined;
  private readonly counts = { out: 0, failed: 0, discarded: 0, restarts: 0, lagMillis: 0 };
  private readonly queue: BoundedQueue<QueuedItem>;
  private inFlight = 0;
  private readonly landed = new Change();
  /** Resolves when everything handed to the pipeline so far has been delivered. */
  private tail: Promise<void> = Promise.resolve();
  /** Aborted when nothing more is to be read. */
  private readonly reading = new AbortController();
  /** Aborted when what is left is to be dropped. */
  private readonly working = new AbortController();
  private first: Promise<Source> | undefined;
  private living: Promise<void> | undefined;
  private readonly backoff: Backoff;
  private readonly turns = new TurnKeeper();
  private readonly end: EndHost;

  constructor(
    readonly ref: string,
    private readonly settings: SourceSettings,
    private readonly host: SourceHost,
  ) {
    this.queue = new BoundedQueue(settings.queueSize, settings.whenFull);
    this.backoff = new Backoff(settings.backoffMs, MAX_BACKOFF_MILLIS);
    this.end = { kind: "source", ref, log: host.log, note: (error) => this.note(error) };
    // Each prediction under way listens to it.
    setMaxListeners(0, this.working.signal);
  }

  /** Opens the source. Rejects where that fails; `start` must be called all the same, or `stop`. */
  async open(): Promise<void> {
    this.first = this.opened();
    await this.first;
  }

  /** Begins to read. The same promise each time: resolves when the stream is over and everything was given back. */
  start(): Promise<void> {
    this.living ??= this.live();
    return this.living;
  }

  get isOver(): boolean {
    return this.status === "ended" || this.status === "failed" || this.status === "stopped";
  }

  /** Why it failed, where it did. */
  get failure(): HeadraceError | undefined {
    if (this.status !== "failed" || this.lastError === undefined) return undefined;
    return new HeadraceError(this.lastError.code, `source '${this.ref}' failed: ${this.lastError.message}`);
  }

  /** Reads no more, finishes what was read; drops what is left once the signal is aborted. May be called again. */
  stop(signal: AbortSignal): Promise<void> {
    this.reading.abort();
    this.queue.close();
    onAbort(signal, () => {
      this.queue.discard();
      this.working.abort();
      this.landed.notify();
    });
    return this.start();
  }

  statistics(): SourceStatistics {
    const { out, failed, discarded, restarts, lagMillis } = this.counts;
    return {
      status: this.status,
      in: this.queue.entered,
      out,
      failed,
      dropped: this.queue.dropped + discarded,
      queued: this.queue.length,
      inFlight: this.unfinished - this.queue.length,
      restarts,
      lagMillis,
      ...(this.lastError === undefined ? {} : { lastError: this.lastError }),
    };
  }

  /** Items that are neither delivered nor lost. */
  private get unfinished(): number {
    const { out, failed, discarded } = this.counts;
    return this.queue.entered - this.queue.dropped - out - failed - discarded;
  }

  private async live(): Promise<void> {
    const stepping = this.stepAll();
    const status = await this.readAll();
    this.queue.close();
    await stepping;
    this.host.inference.dropState(this.settings.stateId);
    this.status = status;
    this.host.log?.info({ source: this.ref, ...this.statistics() }, "source over");
  }

  /** Reads one life of the source after the other; never rejects. */
  private async readAll(): Promise<SourceStatus> {
    for (;;) {
      const failure = await this.readLife();
      const isStopped = this.reading.signal.aborted;
      // One that is told to end may throw whatever it likes; one that does not end is worth a word.
      if (failure !== undefined && (!isStopped || failure.code === "DEADLINE_EXCEEDED")) {
        this.note(failure);
        this.host.log?.error({ err: failure, source: this.ref }, `source '${this.ref}' failed`);
      }
      if (isStopped) return "stopped";
      if (failure === undefined) return "ended";
      if (this.settings.whenFailing === "stop") return "failed";
      this.status = "restarting";
      await this.backoff.wait(this.reading.signal);
      // The new source begins a new stream, when what the old one left is done.
      while (this.unfinished > 0) await this.landed.wait();
      if (this.reading.signal.aborted) return "stopped";
      this.host.inference.dropState(this.settings.stateId);
      this.counts.restarts += 1;
      this.status = "running";
    }
  }

  private async readLife(): Promise<HeadraceError | undefined> {
    let source: Source | undefined;
    try {
      source = await (this.first ?? this.opened());
      await orLeave(this.read(source), this.working.signal, `reading source '${this.ref}'`);
      return undefined;
    } catch (error) {
      return toHeadraceError(error);
    } finally {
      this.first = undefined;
      if (source !== undefined) await closeEnd(source, this.end, this.working.signal);
    }
  }

  private opened(): Promise<Source> {
    const { inference, log } = this.host;
    const context = { ref: this.ref, inputs: inference.inputs, log };
    const open = (source: Source, signal: AbortSignal): Promise<void> | void => source.open(context, signal);
    return openEnd(this.settings.source, open, this.end, this.reading.signal, this.working.signal);
  }

  private async read(source: Source): Promise<void> {
    const { signal } = this.reading;
    if (signal.aborted) return;
    for await (const item of source.read(signal)) {
      if (typeof item !== "object" || item === null || typeof item.inputs !== "object") {
        throw new InvalidArgumentError(`source '${this.ref}' gave something that is not an item; expected { inputs }`);
      }
      const { inputs, capturedAt = Date.now() } = item;
      this.queue.push({ inputs, capturedAt, sequence: this.queue.entered });
      this.backoff.reset();
      await this.queue.room();
      await this.turns.maybeYield();
      if (signal.aborted) return;
    }
  }

  private async stepAll(): Promise<void> {
    for (;;) {
      while (this.inFlight >= this.settings.maxInFlight) await this.landed.wait();
      const item = await this.queue.take();
      if (item === undefined) break;
      this.step(item);
    }
    await this.tail;
  }

  /** Begins the prediction now, and delivers it when those before it were. */
  private step(item: QueuedItem): void {
    this.inFlight += 1;
    const outcome = this.predict(item);
    this.tail = this.tail.then(async () => {
      await this.land(item, await outcome);
      this.inFlight -= 1;
      this.landed.notify();
    });
  }

  private async predict({ inputs }: QueuedItem): Promise<Outcome> {
    const { inference } = this.host;
    const { signal } = this.working;
    try {
      // Without state the order of steps does not matter, and a state id would only keep them from sharing a batch.
      const options = inference.stateful ? { stateId: this.settings.stateId, signal } : { signal };
      return { outputs: await inference.predict(inputs, options), predictedAt: Date.now() };
    } catch (error) {
      return { error };
    }
  }

  private async land({ capturedAt, sequence }: QueuedItem, outcome: Outcome): Promise<void> {
    if ("error" in outcome) {
      this.failed(toHeadraceError(outcome.error));
      return;
    }
    const { outputs, predictedAt } = outcome;
    this.counts.lagMillis = predictedAt - capturedAt;
    const { stateId } = this.settings;
    const item = { outputs, source: this.ref, stateId, sequence, capturedAt, predictedAt };
    await this.host.deliver(item, this.working.signal);
    this.counts.out += 1;
  }

  private failed(error: HeadraceError): void {
    if (this.working.signal.aborted) {
      this.counts.discarded += 1;
      return;
    }
    this.counts.failed += 1;
    this.note(error);
    if (!isWorthALine(this.counts.failed)) return;
    this.host.log?.warn({ err: error, source: this.ref, failed: this.counts.failed }, "prediction failed");
  }

  private note({ code, message }: HeadraceError): void {
    this.lastError = { code, message };
  }
}
