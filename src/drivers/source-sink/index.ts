/** `headrace/drivers/source-sink`: drives an inference process from sources into sinks. */
import { randomUUID } from "node:crypto";
import { HeadraceError, InvalidArgumentError } from "../../errors.js";
import { type DriverMetric, PipelineDriver, type RestrictedInferenceProcess } from "../../runtime/index.js";
import type { SinkItem } from "../../sinks/sink.js";
import { sourceSinkMetrics } from "./metrics.js";
import {
  difference,
  type Settings,
  type SinkEntry,
  type SinkSettings,
  type SourceEntry,
  type SourceSettings,
  type SourceSinkParameters,
  settings,
} from "./parameters.js";
import { onAbort } from "./patience.js";
import { SinkRunner, type SinkStatistics } from "./sink-runner.js";
import { SourceRunner, type SourceStatistics } from "./source-runner.js";

export type { SinkEntry, SourceEntry, SourceSinkParameters } from "./parameters.js";
export type { WhenFull } from "./queue.js";
export type { SinkStatistics, SinkStatus } from "./sink-runner.js";
export type { LastError, SourceStatistics, SourceStatus } from "./source-runner.js";

/**
 * What a SourceSinkDriver has done since it started.
 *
 * @useDeclaredType
 */
export type SourceSinkStatistics = {
  readonly sources: Readonly<Record<string, SourceStatistics>>;
  readonly sinks: Readonly<Record<string, SinkStatistics>>;
  /** Sums over the sources and sinks that were removed or replaced, so that nothing they lost is forgotten. */
  readonly removed: {
    readonly sources: Readonly<Record<(typeof SOURCE_SUMS)[number], number>>;
    readonly sinks: Readonly<Record<(typeof SINK_SUMS)[number], number>>;
  };
};

/**
 * The counters of a source that outlive it.
 *
 * @internal
 */
const SOURCE_SUMS = ["in", "out", "failed", "dropped"] as const;
/**
 * The counters of a sink that outlive it.
 *
 * @internal
 */
const SINK_SUMS = ["in", "written", "retried", "dropped"] as const;

/** How long a source or sink that is removed may finish what it took. */
const REMOVAL_MILLIS = 10_000;

/** The instances that were in use, in any driver: each has one life. */
const used = new WeakSet<object>();

/**
 * Feeds a pipeline from sources and hands its outputs to sinks. Each source is a stream with a state of its own; its items
 * are predicted in order, and reach each sink in order. Every queue is bounded, and what is dropped is counted.
 *
 * A prediction that fails is counted and logged; the stream goes on with the next item, the state as it was before the
 * failed one. When all sources have ended the driver ends, as `failed` if one of them failed.
 *
 * ```ts
 * const cams = await proc.addDriver("cams", SourceSinkDriver, {
 *   sources: { cam1: { source: new DummySource({ rate: 25 }), whenFull: "drop-oldest" } },
 *   sinks: { out: { sink: new FileSink({ path: "out.jsonl" }) } },
 * });
 * cams.statistics(); // { sources: { cam1: { status: "running", in: 5, out: 4, … } }, sinks: { … }, … }
 * ```
 */
export class SourceSinkDriver extends PipelineDriver<SourceSinkParameters> {
  private readonly prefix = `source-sink-${randomUUID().slice(0, 8)}`;
  private settings: Settings;
  private readonly sources = new Map<string, SourceRunner>();
  private readonly sinks = new Map<string, SinkRunner>();
  private readonly removed = { sources: zeros(SOURCE_SUMS), sinks: zeros(SINK_SUMS) };
  private inference: RestrictedInferenceProcess | undefined;
  /** Set when `run` began: from then on runners start as soon as they are open. */
  private isRunning = false;
  private isStopping = false;
  /** Changes of sources and sinks, and the end, one after the other. */
  private lastTurn: Promise<unknown> = Promise.resolve();
  /** While it runs, the driver keeps the process alive, as a listening socket would: a waiting promise does not. */
  private alive: NodeJS.Timeout | undefined;
  private finish: (error?: HeadraceError) => void = () => {};
  private readonly over: Promise<void>;

  constructor(options: Partial<SourceSinkParameters> = {}) {
    super(options);
    this.settings = settings(options, this.prefix, true);
    this.over = new Promise((resolve, reject) => {
      this.finish = (error) => (error === undefined ? resolve() : reject(error));
    });
    // It may fail before anybody runs it.
    this.over.catch(() => {});
  }

  /** Opens all sources and sinks. Rejects where one cannot be opened, but a source that is to be restarted. */
  override async start(inference: RestrictedInferenceProcess): Promise<[]> {
    this.inference = inference;
    const { sources, sinks } = this.settings;
    claim(instancesOf(sources, Object.keys(sources), sinks, Object.keys(sinks)));
    const opened = await Promise.allSettled([
      ...Object.entries(sinks).map(([ref, entry]) => this.makeSink(inference, ref, entry).open()),
      ...Object.entries(sources).map(([ref, entry]) => {
        const opening = this.makeSource(inference, ref, entry).open();
        return entry.whenFailing === "restart" ? opening.catch(() => {}) : opening;
      }),
    ]);
    const failed = opened.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return [];
  }

  override run(): Promise<void> {
    this.isRunning = true;
    this.alive = setInterval(() => {}, 2 ** 31 - 1);
    for (const sink of this.sinks.values()) void sink.start();
    for (const source of this.sources.values()) this.begin(source);
    return this.over;
  }

  override async stop(signal: AbortSignal): Promise<void> {
    this.isStopping = true;
    onAbort(signal, () => {
      for (const sink of this.sinks.values()) sink.giveUp();
    });
    await this.stopAll([...this.sources.values()], signal);
    await this.lastTurn;
    // Sources that came up in that turn, and those whose end it waited for.
    await this.stopAll([...this.sources.values()], signal);
    await this.stopAll([...this.sinks.values()], signal);
    clearInterval(this.alive);
    this.finish();
  }

  override getParameters(): SourceSinkParameters {
    const { sources, sinks, endWithSources } = this.settings;
    return { sources: { ...sources }, sinks: { ...sinks }, endWithSources };
  }

  /**
   * Stops the sources and sinks whose refs are there no more, starts new ones, restarts those whose entries differ; the
   * others are not disturbed. All is checked first, and nothing done where something does not fit. What is removed may
   * finish what it took, for ten seconds. One that then cannot be opened says so in its status.
   */
  override setParameters(parameters: SourceSinkParameters): Promise<void> {
    return this.inTurn(() => this.change(parameters));
  }

  /** Starts one more source. Throws INVALID_ARGUMENT, also for a ref that is taken. */
  addSource(ref: string, entry: SourceEntry): Promise<void> {
    return this.inTurn(() => {
      refuseTaken(this.settings.sources, ref, "sources");
      return this.change({ ...this.settings, sources: { ...this.settings.sources, [ref]: entry } });
    });
  }

  /** Stops a source. Throws NOT_FOUND. */
  removeSource(ref: string): Promise<void> {
    return this.inTurn(() => this.change({ ...this.settings, sources: without(this.settings.sources, ref, "source") }));
  }

  /** Starts one more sink. Throws INVALID_ARGUMENT, also for a ref that is taken. */
  addSink(ref: string, entry: SinkEntry): Promise<void> {
    return this.inTurn(() => {
      refuseTaken(this.settings.sinks, ref, "sinks");
      return this.change({ ...this.settings, sinks: { ...this.settings.sinks, [ref]: entry } });
    });
  }

  /** Stops a sink. Throws NOT_FOUND. */
  removeSink(ref: string): Promise<void> {
    return this.inTurn(() => this.change({ ...this.settings, sinks: without(this.settings.sinks, ref, "sink") }));
  }

  override metrics(): readonly DriverMetric[] {
    return sourceSinkMetrics(this.statistics());
  }

  override statistics(): SourceSinkStatistics {
    const { sources, sinks } = this.removed;
    return {
      sources: Object.fromEntries([...this.sources].map(([ref, runner]) => [ref, runner.statistics()])),
      sinks: Object.fromEntries([...this.sinks].map(([ref, runner]) => [ref, runner.statistics()])),
      removed: { sources: { ...sources }, sinks: { ...sinks } },
    };
  }

  private async change(parameters: SourceSinkParameters): Promise<void> {
    const { inference } = this;
    if (inference === undefined || !this.isRunning || this.isStopping) {
      throw new HeadraceError("UNAVAILABLE", "the driver does not run; sources and sinks are those of a running one");
    }
    const wanted = settings(parameters, this.prefix, this.settings.endWithSources);
    const sources = difference(this.settings.sources, wanted.sources);
    const sinks = difference(this.settings.sinks, wanted.sinks);
    claim(instancesOf(wanted.sources, sources.begun, wanted.sinks, sinks.begun));
    this.settings = wanted;
    await this.remove(sources.ended, sinks.ended);
    if (this.isStopping) return;
    // Sinks first, so that the first results of a new source find them.
    const opening = sinks.begun.flatMap((ref) => {
      const entry = wanted.sinks[ref];
      return entry === undefined ? [] : [this.beginSink(this.makeSink(inference, ref, entry))];
    });
    for (const ref of sources.begun) {
      const entry = wanted.sources[ref];
      if (entry !== undefined) opening.push(this.beginSource(this.makeSource(inference, ref, entry)));
    }
    await Promise.all(opening);
    this.endIfOver();
  }

  /** Sources first: what they had under way goes to the sinks that are about to be closed. */
  private async remove(sources: readonly string[], sinks: readonly string[]): Promise<void> {
    const signal = AbortSignal.timeout(REMOVAL_MILLIS);
    await Promise.all(sources.map((ref) => this.sources.get(ref)?.stop(signal)));
    for (const ref of sources) {
      const runner = this.sources.get(ref);
      if (runner !== undefined) add(this.removed.sources, runner.statistics());
      this.sources.delete(ref);
    }
    await Promise.all(sinks.map((ref) => this.sinks.get(ref)?.stop(signal)));
    for (const ref of sinks) {
      const runner = this.sinks.get(ref);
      if (runner !== undefined) add(this.removed.sinks, runner.statistics());
      this.sinks.delete(ref);
    }
  }

  private makeSource(inference: RestrictedInferenceProcess, ref: string, entry: SourceSettings): SourceRunner {
    const runner = new SourceRunner(ref, entry, {
      inference,
      log: this.log,
      deliver: (item, signal) => this.deliver(item, signal),
    });
    this.sources.set(ref, runner);
    return runner;
  }

  private makeSink(inference: RestrictedInferenceProcess, ref: string, entry: SinkSettings): SinkRunner {
    const runner = new SinkRunner(ref, entry, { inference, log: this.log, failed: (error) => this.finish(error) });
    this.sinks.set(ref, runner);
    return runner;
  }

  /** Resolves when the source is open, or has failed to: its status says which. */
  private async beginSource(runner: SourceRunner): Promise<void> {
    const opening = runner.open().catch(() => {});
    this.begin(runner);
    await opening;
  }

  private async beginSink(runner: SinkRunner): Promise<void> {
    const opening = runner.open().catch(() => {});
    void runner.start();
    await opening;
  }

  private begin(runner: SourceRunner): void {
    void runner.start().then(() => this.inTurn(async () => this.endIfOver()));
  }

  private async deliver(item: SinkItem, signal: AbortSignal): Promise<void> {
    const takers = [...this.sinks.values()].filter((sink) => sink.takesFrom(item.source));
    await Promise.all(takers.map((sink) => sink.put(item, signal)));
  }

  /** Ends the driver where its sources have ended: when the sinks have written everything. */
  private endIfOver(): void {
    const runners = [...this.sources.values()];
    if (this.isStopping || !this.settings.endWithSources || runners.length === 0) return;
    if (!runners.every((runner) => runner.isOver)) return;
    this.isStopping = true;
    const failure = runners.find((runner) => runner.failure !== undefined)?.failure;
    // Nobody aborts this one: a sink may take as long as it needs, and `stop` can still cut it short.
    void this.stopAll([...this.sinks.values()], new AbortController().signal).then(() => this.finish(failure));
  }

  private async stopAll(runners: readonly (SourceRunner | SinkRunner)[], signal: AbortSignal): Promise<void> {
    await Promise.all(runners.map((runner) => runner.stop(signal)));
  }

  /** Runs `act` when all that was asked for before is done. */
  private inTurn(act: () => Promise<void>): Promise<void> {
    const turn = this.lastTurn.then(act);
    this.lastTurn = turn.catch(() => {});
    return turn;
  }
}

function instancesOf(
  sources: Readonly<Record<string, SourceSettings>>,
  sourceRefs: readonly string[],
  sinks: Readonly<Record<string, SinkSettings>>,
  sinkRefs: readonly string[],
): Map<object, string> {
  const instances = new Map<object, string>();
  for (const ref of sourceRefs) {
    const source = sources[ref]?.source;
    if (typeof source === "object") instances.set(source, `sources.${ref}.source`);
  }
  for (const ref of sinkRefs) {
    const sink = sinks[ref]?.sink;
    if (typeof sink === "object") instances.set(sink, `sinks.${ref}.sink`);
  }
  return instances;
}

/** Takes all instances, or none where one has been taken before. */
function claim(instances: ReadonlyMap<object, string>): void {
  for (const [instance, path] of instances) {
    if (!used.has(instance)) continue;
    const message = "this instance was in use already and has one life; give a new one, or a function that makes one";
    throw new InvalidArgumentError(message, { path });
  }
  for (const instance of instances.keys()) used.add(instance);
}

function refuseTaken(entries: object, ref: string, path: string): void {
  if (!Object.hasOwn(entries, ref)) return;
  throw new InvalidArgumentError("there is one of that name; remove it first", { path: `${path}.${ref}` });
}

function without<E>(entries: Readonly<Record<string, E>>, ref: string, what: string): Record<string, E> {
  if (!Object.hasOwn(entries, ref)) {
    const known = Object.keys(entries).join(", ") || "none";
    throw new HeadraceError("NOT_FOUND", `there is no ${what} '${ref}'; there are ${known}`);
  }
  return Object.fromEntries(Object.entries(entries).filter(([name]) => name !== ref));
}

function zeros<K extends string>(names: readonly K[]): Record<K, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<K, number>;
}

function add<K extends string>(sums: Record<K, number>, counts: Readonly<Record<K, number>>): void {
  for (const name of Object.keys(sums) as K[]) sums[name] += counts[name];
}
