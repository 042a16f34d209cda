import { InvalidArgumentError } from "../../errors.js";
import type { Sink } from "../../sinks/sink.js";
import type { Source } from "../../sources/source.js";
import { isWellFormed } from "../../types/index.js";
import type { WhenFull } from "./queue.js";

/** A source and how it is driven. */
export interface SourceEntry {
  /** The source, or a function that makes one. A source has one life: an instance that was in use is refused. */
  readonly source: Source | (() => Source);
  /** The state id of its stream; freed at the end of the stream. Default: a prefix of the driver's own, "/" and the ref. */
  readonly stateId?: string;
  /**
   * What happens when its queue is full. "block": the source is not asked for more until there is room, nothing is lost,
   * and a live source falls behind. "drop-oldest" and "drop-newest": items are dropped and counted. Default: "block".
   */
  readonly whenFull?: WhenFull;
  /** Items that may wait for their prediction. More memory, fewer drops, more delay. Default: 16. */
  readonly queueSize?: number;
  /**
   * Predictions under way at the same time, those included whose results wait for a sink. More than 1 fills batches where
   * the pipeline has no state; steps of a stream wait for each other anyway. Results keep their order. Default: 1.
   */
  readonly maxInFlight?: number;
  /** "stop" ends the stream as failed; "restart" makes a new source, which needs a function, for ever. Default: "stop". */
  readonly whenFailing?: "stop" | "restart";
  /** Milliseconds before the first restart, doubled with each failure in a row, at most 30000. Default: 1000. */
  readonly backoffMs?: number;
}

/** A sink and how it is driven. */
export interface SinkEntry {
  /** The sink, or a function that makes one. A sink has one life: an instance that was in use is refused. */
  readonly sink: Sink | (() => Sink);
  /** The refs of the sources whose results it is given. Default: all, also those added later. */
  readonly from?: readonly string[];
  /** Further attempts to write an item. An INVALID_ARGUMENT is not tried again. Default: 3. */
  readonly retries?: number;
  /** Milliseconds before the first further attempt, doubled with each, at most 10000. Default: 100. */
  readonly backoffMs?: number;
  /**
   * When an item could not be written after all attempts. "drop": it is dropped and counted, and the next one is tried.
   * "stop": it is dropped and counted, and the driver stops as failed. Default: "drop".
   */
  readonly whenFailing?: "drop" | "stop";
  /** Results that may wait for the sink. Default: 16. */
  readonly queueSize?: number;
  /** As a source's. "block" holds up the sources that the sink takes from, and with them their other sinks. Default: "block". */
  readonly whenFull?: WhenFull;
}

/** The parameters of a SourceSinkDriver. */
export interface SourceSinkParameters {
  /** The sources by their refs. Default: none. */
  readonly sources: Readonly<Record<string, SourceEntry>>;
  /** The sinks by their refs. Default: none; results are then only counted. */
  readonly sinks: Readonly<Record<string, SinkEntry>>;
  /**
   * Whether the driver ends by itself once it has sources, all have ended, and what they gave is written. Default: true;
   * left out in `setParameters`, it stays as it is.
   */
  readonly endWithSources?: boolean;
}

export type SourceSettings = Required<SourceEntry>;
export type SinkSettings = Required<Omit<SinkEntry, "from">> & Pick<SinkEntry, "from">;

/** All parameters, the defaults filled in. */
export interface Settings {
  readonly sources: Readonly<Record<string, SourceSettings>>;
  readonly sinks: Readonly<Record<string, SinkSettings>>;
  readonly endWithSources: boolean;
}

const SOURCE_DEFAULTS = {
  whenFull: "block",
  queueSize: 16,
  maxInFlight: 1,
  whenFailing: "stop",
  backoffMs: 1000,
} as const;

const SINK_DEFAULTS = {
  retries: 3,
  backoffMs: 100,
  whenFailing: "drop",
  queueSize: 16,
  whenFull: "block",
} as const;

const SOURCE_NAMES = ["source", "stateId", ...Object.keys(SOURCE_DEFAULTS)];
const SINK_NAMES = ["sink", "from", ...Object.keys(SINK_DEFAULTS)];
const WHEN_FULL = ["block", "drop-oldest", "drop-newest"];
const MAX_ITEMS = 1 << 20;
const MAX_MILLIS = 2 ** 31 - 1;

/**
 * The parameters, validated. Throws INVALID_ARGUMENT with the path of what does not fit.
 *
 * @param prefix Of the state ids that are not given.
 */
export function settings(parameters: Partial<SourceSinkParameters>, prefix: string, endWithSources: boolean): Settings {
  checkNames(parameters, ["sources", "sinks", "endWithSources"], "");
  const sources = Object.fromEntries(
    entriesOf(parameters.sources, "sources").map(([ref, entry]) => [
      ref,
      sourceSettings(entry, `sources.${ref}`, `${prefix}/${ref}`),
    ]),
  );
  const sinks = Object.fromEntries(
    entriesOf(parameters.sinks, "sinks").map(([ref, entry]) => [
      ref,
      sinkSettings(entry, `sinks.${ref}`, Object.keys(sources)),
    ]),
  );
  checkDistinct(sources, ({ stateId }) => stateId, "sources", "stateId", "two streams would share a state");
  checkDistinct(sources, ({ source }) => source, "sources", "source", "a source has one life");
  checkDistinct(sinks, ({ sink }) => sink, "sinks", "sink", "a sink has one life");
  const ends = parameters.endWithSources ?? endWithSources;
  if (typeof ends !== "boolean") throw refused("expected true or false", ends, "endWithSources");
  return { sources, sinks, endWithSources: ends };
}

function sourceSettings(entry: SourceEntry, path: string, stateId: string): SourceSettings {
  checkNames(entry, SOURCE_NAMES, path);
  const filled: SourceSettings = { stateId, ...SOURCE_DEFAULTS, ...withoutUndefined(entry) };
  checkMaker(filled.source, "read", `${path}.source`, "source");
  if (typeof filled.stateId !== "string" || filled.stateId === "" || !isWellFormed(filled.stateId)) {
    throw refused("expected a string that is not empty and is valid Unicode", filled.stateId, `${path}.stateId`);
  }
  oneOf(filled.whenFull, WHEN_FULL, `${path}.whenFull`);
  integer(filled.queueSize, 1, MAX_ITEMS, `${path}.queueSize`);
  integer(filled.maxInFlight, 1, MAX_ITEMS, `${path}.maxInFlight`);
  integer(filled.backoffMs, 1, MAX_MILLIS, `${path}.backoffMs`);
  oneOf(filled.whenFailing, ["stop", "restart"], `${path}.whenFailing`);
  if (filled.whenFailing === "restart" && typeof filled.source !== "function") {
    const message = "to restart, give a function that makes the source: () => new …; an instance has one life";
    throw new InvalidArgumentError(message, { path: `${path}.source` });
  }
  return filled;
}

function sinkSettings(entry: SinkEntry, path: string, sources: readonly string[]): SinkSettings {
  checkNames(entry, SINK_NAMES, path);
  const filled: SinkSettings = { ...SINK_DEFAULTS, ...withoutUndefined(entry) };
  checkMaker(filled.sink, "write", `${path}.sink`, "sink");
  integer(filled.retries, 0, MAX_ITEMS, `${path}.retries`);
  integer(filled.backoffMs, 1, MAX_MILLIS, `${path}.backoffMs`);
  integer(filled.queueSize, 1, MAX_ITEMS, `${path}.queueSize`);
  oneOf(filled.whenFailing, ["drop", "stop"], `${path}.whenFailing`);
  oneOf(filled.whenFull, WHEN_FULL, `${path}.whenFull`);
  if (filled.from === undefined) return filled;
  if (!Array.isArray(filled.from)) throw refused("expected a list of refs of sources", filled.from, `${path}.from`);
  filled.from.forEach((ref: unknown, index) => {
    if (typeof ref === "string" && sources.includes(ref)) return;
    const known = sources.join(", ") || "none";
    throw refused(`expected the ref of a source; there are ${known}`, ref, `${path}.from[${index}]`);
  });
  return { ...filled, from: [...filled.from] };
}

/** What must be done to get from one set of entries to another. */
export interface Difference {
  /** Refs that are there no more, or have changed. */
  readonly ended: readonly string[];
  /** Refs that are new, or have changed. */
  readonly begun: readonly string[];
}

export function difference<S extends object>(
  current: Readonly<Record<string, S>>,
  wanted: Readonly<Record<string, S>>,
): Difference {
  const kept = (ref: string): boolean => {
    const [before, after] = [current[ref], wanted[ref]];
    return before !== undefined && after !== undefined && isSame(before, after);
  };
  return {
    ended: Object.keys(current).filter((ref) => !kept(ref)),
    begun: Object.keys(wanted).filter((ref) => !kept(ref)),
  };
}

function isSame(before: object, after: object): boolean {
  const text = (value: unknown): unknown => (Array.isArray(value) ? JSON.stringify(value) : value);
  const old = new Map(Object.entries(before));
  const entries = Object.entries(after);
  return old.size === entries.length && entries.every(([name, value]) => text(old.get(name)) === text(value));
}

function withoutUndefined<T extends object>(entry: T): T {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined)) as T;
}

function entriesOf<E>(entries: Readonly<Record<string, E>> | undefined, path: string): [string, E][] {
  if (entries === undefined) return [];
  checkObject(entries, path);
  return Object.entries(entries);
}

function checkObject(value: unknown, path: string): void {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  throw refused("expected an object", value, path);
}

function checkNames(given: object, known: readonly string[], path: string): void {
  checkObject(given, path || "parameters");
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const at = path === "" ? name : `${path}.${name}`;
    throw new InvalidArgumentError(`there is no such parameter; there are ${known.join(", ")}`, { path: at });
  }
}

function checkMaker(value: unknown, method: string, path: string, what: string): void {
  if (typeof value !== "function") checkMade(value, method, path, what);
}

/** Not `instanceof`: a plugin may have a Headrace of its own. */
export function checkMade(value: unknown, method: string, path: string, what: string): void {
  const methods = Object(value) as Readonly<Record<string, unknown>>;
  const has = ["open", method, "close"].every((name) => typeof methods[name] === "function");
  if (!has) throw refused(`expected a ${what}, or a function that makes one`, value, path);
}

function checkDistinct<S>(
  entries: Readonly<Record<string, S>>,
  key: (entry: S) => unknown,
  path: string,
  name: string,
  why: string,
): void {
  const seen = new Map<unknown, string>();
  for (const [ref, entry] of Object.entries(entries)) {
    const other = seen.get(key(entry));
    if (other !== undefined && typeof key(entry) !== "function") {
      throw new InvalidArgumentError(`is that of '${other}' too; ${why}`, { path: `${path}.${ref}.${name}` });
    }
    seen.set(key(entry), ref);
  }
}

function oneOf(value: unknown, allowed: readonly string[], path: string): void {
  if (typeof value === "string" && allowed.includes(value)) return;
  throw refused(`expected ${allowed.map((one) => JSON.stringify(one)).join(" or ")}`, value, path);
}

function integer(value: unknown, minimum: number, maximum: number, path: string): void {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= minimum && value <= maximum) return;
  throw refused(`expected an integer from ${minimum} to ${maximum}`, value, path);
}

function refused(expectation: string, value: unknown, path: string): InvalidArgumentError {
  const shown = typeof value === "object" && value !== null ? "an object" : String(value);
  return new InvalidArgumentError(`${expectation}; got ${shown}`, { path });
}
