import { HeadraceError, InvalidArgumentError } from "../errors.js";
import type { FunctionCell } from "../pipeline/index.js";
import { copyValue, defaultValues, parseValues } from "../types/index.js";
import { type Linked, LinkedList } from "./linked-list.js";

/** The states of all function cells of one state id, by cell ref. */
export type CellStates = Map<string, Record<string, unknown>>;

export interface StateLimits {
  readonly ttlMillis: number;
  readonly maxStates: number;
  readonly evict: "refuse" | "lru";
}

interface Entry extends Linked<Entry> {
  readonly stateId: string;
  states: CellStates;
  /** Whether any step has ended well: before, there is nothing to keep. */
  committed: boolean;
  lastStep: number;
  /** Steps under way: never evicted then. */
  users: number;
  /** To be freed after the steps under way. */
  dropped?: boolean;
}

/** The states of function cells: the rules of docs/architecture.md, "State", as the engine keeps them for ONNX cells. */
export class FunctionStates {
  private readonly entries = new Map<string, Entry>();
  /** By the last step: what expires first is in front. */
  private readonly order = new LinkedList<Entry>();
  private evictionCount = 0;
  private evicted: { stateId: string; reason: "ttl" | "lru" }[] = [];

  constructor(
    private readonly cells: ReadonlyMap<string, FunctionCell>,
    private readonly limits: StateLimits,
  ) {}

  /** Whether any function cell has state at all. */
  get used(): boolean {
    return this.cells.size > 0;
  }

  get size(): number {
    return this.entries.size;
  }

  /** States that were evicted since the process started. */
  get evictions(): number {
    return this.evictionCount;
  }

  /** Copies for one step to work on: nothing counts before `commit`. Throws RESOURCE_EXHAUSTED for a new id when full. */
  begin(stateId: string | undefined, start: boolean): CellStates {
    if (stateId === undefined) return this.initial();
    const now = performance.now();
    let entry = this.entries.get(stateId);
    if (entry !== undefined && entry.users === 0 && this.expired(entry, now)) {
      this.evict(entry, "ttl");
      entry = undefined;
    }
    if (entry === undefined) {
      this.makeRoom(now);
      entry = this.add(stateId, this.initial(), false, now);
    }
    entry.users += 1;
    entry.dropped = false;
    return start ? this.initial() : copyOf(entry.states);
  }

  commit(stateId: string | undefined, states: CellStates, end: boolean): void {
    const entry = stateId === undefined ? undefined : this.entries.get(stateId);
    if (stateId === undefined || entry === undefined) return;
    entry.users -= 1;
    // What a cell assigned, it may hold on to, and so may whoever was given it as an output.
    entry.states = end ? this.initial() : copyOf(states);
    entry.committed = !end;
    entry.lastStep = performance.now();
    if (entry.users === 0 && (end || entry.dropped === true)) this.remove(entry);
    else this.order.toBack(entry);
  }

  /** The step failed: the state is as it was, and one that it made is gone. */
  rollback(stateId: string | undefined): void {
    const entry = stateId === undefined ? undefined : this.entries.get(stateId);
    if (stateId === undefined || entry === undefined) return;
    entry.users -= 1;
    if (entry.users === 0 && (!entry.committed || entry.dropped === true)) this.remove(entry);
  }

  /** The state between two of its steps; undefined where there is none. Throws UNAVAILABLE while a step is under way. */
  read(stateId: string): CellStates | undefined {
    const entry = this.entries.get(stateId);
    refuseBusy(stateId, entry);
    return entry?.states;
  }

  /** Throws UNAVAILABLE while a step is under way, RESOURCE_EXHAUSTED for a new id when full. */
  write(stateId: string, states: CellStates): void {
    const known = this.entries.get(stateId);
    refuseBusy(stateId, known);
    const now = performance.now();
    if (known === undefined) this.makeRoom(now);
    else this.remove(known);
    this.add(stateId, states, true, now);
  }

  /** States from elsewhere, validated: those of each cell, whole. Throws INVALID_ARGUMENT. */
  parse(states: unknown, path: string): CellStates {
    const fits = states instanceof Map && states.size === this.cells.size;
    if (!fits) throw new InvalidArgumentError("is not of these cells", { path });
    return new Map([...this.cells].map(([ref, cell]) => [ref, parseValues(cell.state, states.get(ref), path)]));
  }

  /** Frees a state: now, or after its steps that are under way. */
  drop(stateId: string): void {
    const entry = this.entries.get(stateId);
    if (entry === undefined) return;
    if (entry.users === 0) this.remove(entry);
    else entry.dropped = true;
  }

  /** Evicts what has expired; what was evicted since the last call. */
  sweep(): { stateId: string; reason: "ttl" | "lru" }[] {
    this.evictExpired(performance.now());
    const { evicted } = this;
    this.evicted = [];
    return evicted;
  }

  private initial(): CellStates {
    const states: CellStates = new Map();
    for (const [ref, cell] of this.cells) states.set(ref, defaultValues(cell.state));
    return states;
  }

  private add(stateId: string, states: CellStates, committed: boolean, now: number): Entry {
    const entry = { stateId, states, committed, lastStep: now, users: 0, before: undefined, after: undefined };
    this.entries.set(stateId, entry);
    this.order.add(entry);
    return entry;
  }

  private remove(entry: Entry): void {
    this.entries.delete(entry.stateId);
    this.order.remove(entry);
  }

  private makeRoom(now: number): void {
    if (this.entries.size < this.limits.maxStates) return;
    this.evictExpired(now);
    if (this.entries.size < this.limits.maxStates) return;
    if (this.limits.evict === "lru") {
      for (const entry of this.order) {
        if (entry.users > 0) continue;
        this.evict(entry, "lru");
        return;
      }
    }
    throw new HeadraceError(
      "RESOURCE_EXHAUSTED",
      `${this.limits.maxStates} states are in use; end some, raise maxStates, or set evict: "lru"`,
    );
  }

  private evictExpired(now: number): void {
    for (const entry of this.order) {
      if (!this.expired(entry, now)) return;
      if (entry.users === 0) this.evict(entry, "ttl");
    }
  }

  private expired(entry: Entry, now: number): boolean {
    return now - entry.lastStep > this.limits.ttlMillis;
  }

  private evict(entry: Entry, reason: "ttl" | "lru"): void {
    this.remove(entry);
    this.evictionCount += 1;
    this.evicted.push({ stateId: entry.stateId, reason });
  }
}

function copyOf(states: CellStates): CellStates {
  const copy: CellStates = new Map();
  for (const [ref, state] of states) copy.set(ref, copyValue(state) as typeof state);
  return copy;
}

function refuseBusy(stateId: string, entry: Entry | undefined): void {
  if (entry === undefined || entry.users === 0) return;
  throw new HeadraceError("UNAVAILABLE", `state '${stateId}' has a step under way; try between steps`);
}
