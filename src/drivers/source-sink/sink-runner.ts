import { type HeadraceError, toHeadraceError } from "../../errors.js";
import type { Logger } from "../../log.js";
import type { RestrictedInferenceProcess } from "../../runtime/index.js";
import type { Sink, SinkItem } from "../../sinks/sink.js";
import { closeEnd, type EndHost, openEnd } from "./ends.js";
import type { SinkSettings } from "./parameters.js";
import { Backoff, isWorthALine, onAbort, orLeave } from "./patience.js";
import { BoundedQueue } from "./queue.js";
import type { LastError } from "./source-runner.js";

/** `failed`: it could not be opened, or its driver stopped because of it. */
export type SinkStatus = "running" | "failed" | "stopped";

/** At any time `in` is `written + dropped + queued`. */
export type SinkStatistics = {
  readonly status: SinkStatus;
  /** Results that it was given. */
  readonly in: number;
  readonly written: number;
  /** Further attempts after a failed one. */
  readonly retried: number;
  /** Results dropped by the policy, after the last attempt, or because the sink was stopped. */
  readonly dropped: number;
  /** Results that wait, or are being written. */
  readonly queued: number;
  readonly lastError?: LastError;
};

export interface SinkHost {
  readonly inference: RestrictedInferenceProcess;
  readonly log: Logger | undefined;
  /** A sink that must not lose anything has; the driver is to stop. */
  failed(error: HeadraceError): void;
}

const MAX_BACKOFF_MILLIS = 10_000;

/** Drives one sink: queues results, writes one after the other, tries again. Owns the sink and its queue. */
export class SinkRunner {
  private status: SinkStatus = "running";
  private lastError: LastError | undefined;
  private readonly counts = { written: 0, retried: 0, lost: 0 };
  private readonly queue: BoundedQueue<SinkItem>;
  /** Aborted when the sink is stopped before it is open. */
  private readonly opening = new AbortController();
  /** Aborted when what is left is to be dropped. */
  private readonly working = new AbortController();
  private first: Promise<Sink> | undefined;
  private living: Promise<void> | undefined;
  private readonly end: EndHost;

  constructor(
    readonly ref: string,
    private readonly settings: SinkSettings,
    private readonly host: SinkHost,
  ) {
    this.queue = new BoundedQueue(settings.queueSize, settings.whenFull);
    this.end = { kind: "sink", ref, log: host.log, note: (error) => this.note(error) };
  }

  /** Opens the sink. Rejects where that fails; `start` must be called all the same, or `stop`. */
  async open(): Promise<void> {
    this.first = this.opened();
    await this.first;
  }

  /** Begins to write. The same promise each time: resolves when the sink is closed. */
  start(): Promise<void> {
    this.living ??= this.live();
    return this.living;
  }

  takesFrom(source: string): boolean {
    return this.settings.from === undefined || this.settings.from.includes(source);
  }

  /** Resolves when the item has its place, or was dropped and counted. */
  put(item: SinkItem, signal: AbortSignal): Promise<void> {
    return this.queue.put(item, signal);
  }

  /** Takes nothing more, writes what it has; drops what is left once the signal is aborted. May be called again. */
  stop(signal: AbortSignal): Promise<void> {
    this.queue.close();
    this.opening.abort();
    onAbort(signal, () => this.giveUp());
    return this.start();
  }

  giveUp(): void {
    this.queue.discard();
    this.opening.abort();
    this.working.abort();
  }

  statistics(): SinkStatistics {
    const { written, retried, lost } = this.counts;
    const { entered, dropped } = this.queue;
    return {
      status: this.status,
      in: entered,
      written,
      retried,
      dropped: dropped + lost,
      queued: entered - dropped - written - lost,
      ...(this.lastError === undefined ? {} : { lastError: this.lastError }),
    };
  }

  private async live(): Promise<void> {
    let sink: Sink | undefined;
    try {
      sink = await (this.first ?? this.opened());
      for (let item = await this.queue.take(); item !== undefined; item = await this.queue.take()) {
        await this.write(sink, item);
      }
    } catch (error) {
      if (!this.opening.signal.aborted) this.fail(toHeadraceError(error), `sink '${this.ref}' could not be opened`);
      this.queue.discard();
    }
    if (sink !== undefined) await closeEnd(sink, this.end, this.working.signal);
    if (this.status === "running") this.status = "stopped";
    this.host.log?.info({ sink: this.ref, ...this.statistics() }, "sink over");
  }

  private opened(): Promise<Sink> {
    const { inference, log } = this.host;
    const context = { ref: this.ref, outputs: inference.outputs, log };
    const open = (sink: Sink, signal: AbortSignal): Promise<void> | void => sink.open(context, signal);
    return openEnd(this.settings.sink, open, this.end, this.opening.signal, this.working.signal);
  }

  private async write(sink: Sink, item: SinkItem): Promise<void> {
    const { signal } = this.working;
    const backoff = new Backoff(this.settings.backoffMs, MAX_BACKOFF_MILLIS);
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await orLeave(sink.write(item, signal), signal, `writing to sink '${this.ref}'`);
        this.counts.written += 1;
        return;
      } catch (error) {
        const failure = toHeadraceError(error);
        if (signal.aborted) break;
        this.note(failure);
        if (attempt >= this.settings.retries || failure.code === "INVALID_ARGUMENT") {
          this.lose(failure);
          return;
        }
        this.counts.retried += 1;
        await backoff.wait(signal);
      }
    }
    this.counts.lost += 1;
  }

  /** The item could not be written, and will not be. */
  private lose(error: HeadraceError): void {
    this.counts.lost += 1;
    if (this.settings.whenFailing === "stop") {
      this.fail(error, `sink '${this.ref}' failed`);
      this.queue.discard();
    } else if (isWorthALine(this.counts.lost)) {
      this.host.log?.warn({ err: error, sink: this.ref, lost: this.counts.lost }, "result dropped");
    }
  }

  private fail(error: HeadraceError, what: string): void {
    this.note(error);
    this.status = "failed";
    this.host.log?.error({ err: error, sink: this.ref }, what);
    if (this.settings.whenFailing === "stop") this.host.failed(error);
  }

  private note({ code, message }: HeadraceError): void {
    this.lastError = { code, message };
  }
}
