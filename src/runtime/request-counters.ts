/** How the requests of a process ended, and how long they took. */
import { DURATION_BOUNDS_MICROS, type Durations, NATIVE_CODES, type NativeStats } from "../engine/surface.js";
import type { ErrorCode } from "../errors.js";

/**
 * The requests of a process since it started. A request is one prediction that somebody asked for, whatever the way it came
 * and however many rows it had. Times are nanoseconds.
 */
export interface RequestStatistics {
  /** Requests that have ended, by their error's code; `OK` has those that succeeded. Only what has occurred, but always `OK`. */
  readonly outcomes: Readonly<Partial<Record<ErrorCode, bigint>> & { OK: bigint }>;
  /** Of those that succeeded: from when their inputs were complete until their outputs were there. */
  readonly durations: Durations;
  /** Of the others, summed. */
  readonly failedNanos: bigint;
  /** Rows, those of requests with several rows one by one, that gave outputs. */
  readonly inferences: bigint;
  /** Milliseconds since 1970 when one last succeeded; 0: never. */
  readonly lastMillis: number;
  /** What the requests that succeeded spent where: waiting, and in each phase of running. */
  readonly phases: RequestPhases;
  /** Runs that succeeded, by how many rows they had. Only what has occurred, the smallest first. */
  readonly runs: readonly RunStatistics[];
}

/** Sums over `count` requests. */
export interface RequestPhases {
  readonly count: bigint;
  readonly queueNanos: bigint;
  readonly inputNanos: bigint;
  readonly inferNanos: bigint;
  readonly outputNanos: bigint;
}

/** Sums over the `runs` of so many `rows`. */
export interface RunStatistics {
  readonly rows: number;
  readonly runs: bigint;
  readonly inputNanos: bigint;
  readonly inferNanos: bigint;
  readonly outputNanos: bigint;
}

/** Above this a sum of nanoseconds moves into a bigint, long before a number would round it. */
const FOLD_NANOS = 2 ** 52;

/** A sum that never rounds, at the price of adding numbers. */
class NanosSum {
  private folded = 0n;
  private recent = 0;

  addMillis(millis: number): void {
    this.recent += Math.max(0, Math.round(millis * 1e6));
    if (this.recent < FOLD_NANOS) return;
    this.folded += BigInt(this.recent);
    this.recent = 0;
  }

  get total(): bigint {
    return this.folded + BigInt(this.recent);
  }
}

/** The engine's histogram, for what is timed in JavaScript. */
class DurationCounter {
  private readonly counts = new Float64Array(DURATION_BOUNDS_MICROS.length + 1);
  private readonly sum = new NanosSum();

  addMillis(millis: number): void {
    const bucket = bucketOf(millis * 1000);
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sum.addMillis(millis);
  }

  read(): Durations {
    return { counts: Array.from(this.counts, BigInt), nanos: this.sum.total };
  }
}

function bucketOf(micros: number): number {
  if (micros <= 1) return 0;
  const bounds = DURATION_BOUNDS_MICROS.length;
  if (micros > 2 ** (bounds - 1)) return bounds;
  return 32 - Math.clz32(Math.ceil(micros) - 1);
}

/** Counts what is counted in JavaScript: predictions, and requests that never became one. */
export class RequestCounters {
  private readonly outcomes = new Map<ErrorCode | "OK", number>([["OK", 0]]);
  private readonly durations = new DurationCounter();
  private readonly failures = new NanosSum();
  private readonly waits = new NanosSum();
  private lastMillis = 0;

  /** @param waitedMillis  How much of it was waiting for its turn. */
  succeeded(millis: number, waitedMillis: number): void {
    this.count("OK");
    this.durations.addMillis(millis);
    if (waitedMillis > 0) this.waits.addMillis(waitedMillis);
    this.lastMillis = Date.now();
  }

  failed(code: ErrorCode, millis: number): void {
    this.count(code);
    this.failures.addMillis(millis);
  }

  /** @param engine  That of a process which is one model: it counts what goes straight to it, and knows phases and rows. */
  read(engine: NativeStats | undefined): RequestStatistics {
    const own = this.durations.read();
    const succeeded = BigInt(this.outcomes.get("OK") ?? 0);
    if (engine === undefined) {
      const queueNanos = this.waits.total;
      const inferNanos = own.nanos > queueNanos ? own.nanos - queueNanos : 0n;
      const times = { inputNanos: 0n, inferNanos, outputNanos: 0n };
      return {
        outcomes: outcomesOf(this.outcomes, []),
        durations: own,
        failedNanos: this.failures.total,
        inferences: succeeded,
        lastMillis: this.lastMillis,
        phases: { count: succeeded, queueNanos, ...times },
        runs: succeeded > 0n ? [{ rows: 1, runs: succeeded, ...times }] : [],
      };
    }
    const { phases } = engine;
    return {
      outcomes: outcomesOf(this.outcomes, engine.requests),
      durations: joined(own, engine.request),
      failedNanos: this.failures.total + engine.failedRequestNanos,
      inferences: engine.succeeded,
      lastMillis: Math.max(this.lastMillis, engine.lastRunMillis),
      phases: {
        count: phases.count,
        queueNanos: phases.queueNanos,
        inputNanos: phases.gatherNanos,
        inferNanos: phases.runNanos,
        outputNanos: phases.scatterNanos,
      },
      runs: engine.runs.flatMap(({ runs, gatherNanos, runNanos, scatterNanos }, rows) =>
        runs === 0n ? [] : [{ rows, runs, inputNanos: gatherNanos, inferNanos: runNanos, outputNanos: scatterNanos }],
      ),
    };
  }

  private count(code: ErrorCode | "OK"): void {
    this.outcomes.set(code, (this.outcomes.get(code) ?? 0) + 1);
  }
}

function outcomesOf(
  own: ReadonlyMap<ErrorCode | "OK", number>,
  native: readonly bigint[],
): RequestStatistics["outcomes"] {
  const outcomes: Partial<Record<ErrorCode | "OK", bigint>> & { OK: bigint } = { OK: 0n };
  for (const [code, count] of own) outcomes[code] = BigInt(count);
  for (const [index, count] of native.entries()) {
    const code = NATIVE_CODES[index];
    if (code !== undefined && count > 0n) outcomes[code] = (outcomes[code] ?? 0n) + count;
  }
  return outcomes;
}

function joined(one: Durations, other: Durations): Durations {
  return {
    counts: one.counts.map((count, bucket) => count + (other.counts[bucket] ?? 0n)),
    nanos: one.nanos + other.nanos,
  };
}
