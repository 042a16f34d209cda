/** What tune turns: where a model runs, how many steps share a run, and how long a run waits for more of them. */
import type { ModelDescription } from "../../index.js";

export interface TuneConfiguration {
  readonly execution: "inline" | "lanes";
  /** Threads that run the model; 1 when it runs inline. */
  readonly lanes: number;
  /** Threads that share the work within one run. */
  readonly intraOpThreads: number;
  readonly maxSize: number;
  readonly maxDelayMicros: number;
}

/** One thing to turn and the settings it may have, simplest first. */
export interface Axis {
  readonly name: string;
  readonly settings: readonly Partial<TuneConfiguration>[];
}

/** What is known of the model before anything is served. */
export type Calibration = Pick<
  ModelDescription,
  "batchable" | "whyNotBatchable" | "maxBatch" | "execution" | "lanes" | "timings"
>;

/** What Headrace does when it is told nothing. */
export function defaultConfiguration({ maxBatch, execution, lanes }: Calibration): TuneConfiguration {
  return {
    execution,
    lanes: execution === "inline" ? 1 : lanes,
    intraOpThreads: 1,
    maxSize: maxBatch,
    maxDelayMicros: 0,
  };
}

/** The most steps in a run that are tried, beyond what was timed when the model was loaded. */
const LARGEST_BATCH = 256;

/** A run that takes less has no work to share: handing it to other threads takes tens of microseconds. */
const SHARED_RUN_MICROS = 1000;

const DELAYS = [0, 50, 200, 1000, 5000];

/** Waiting longer than this share of the objective leaves too little of it for the model. */
const DELAY_SHARE = 0.25;

/**
 * The grid. Settings that cannot meet the objective are left out: batches whose run takes longer than the whole limit
 * by calibration, and delays that use up a quarter of it.
 */
export function axes(calibration: Calibration, limitMicros: number, cores: number): Axis[] {
  const placements: Partial<TuneConfiguration>[] = [{ execution: "inline", lanes: 1, maxDelayMicros: 0 }];
  for (let lanes = 1; lanes <= cores; lanes *= 2) placements.push({ execution: "lanes", lanes });
  if (!Number.isInteger(Math.log2(cores))) placements.push({ execution: "lanes", lanes: cores });
  const placement = { name: "execution and lanes", settings: placements };
  const threads = { name: "intraOpThreads", settings: threadCounts(calibration, cores) };
  if (!calibration.batchable) return [placement, threads];
  const sizes = batchSizes(calibration, limitMicros).map((maxSize) => ({ maxSize }));
  const delays = DELAYS.filter((delay) => delay <= limitMicros * DELAY_SHARE).map((maxDelayMicros) => ({
    maxDelayMicros,
  }));
  return [
    { name: "batching.maxSize", settings: sizes },
    placement,
    { name: "batching.maxDelayMicros", settings: delays },
    threads,
  ];
}

function threadCounts(calibration: Calibration, cores: number): Partial<TuneConfiguration>[] {
  const settings = [{ intraOpThreads: 1 }];
  if (runMicros(calibration, calibration.maxBatch) < SHARED_RUN_MICROS) return settings;
  for (let threads = 2; threads <= cores; threads *= 2) settings.push({ intraOpThreads: threads });
  return settings;
}

function batchSizes(calibration: Calibration, limitMicros: number): number[] {
  const sizes = [1, 4, 8, 16, 32, 64, 128, LARGEST_BATCH];
  if (!sizes.includes(calibration.maxBatch)) sizes.push(calibration.maxBatch);
  const possible = sizes.sort((a, b) => a - b).filter((rows) => runMicros(calibration, rows) < limitMicros);
  return possible.length === 0 ? [1] : possible;
}

/** How long one run of so many rows takes, from the calibration; beyond it in proportion to the largest that was timed. */
export function runMicros({ timings }: Calibration, rows: number): number {
  const sorted = timings.toSorted((a, b) => a.rows - b.rows);
  const above = sorted.find((timing) => timing.rows >= rows);
  const below = sorted.findLast((timing) => timing.rows <= rows);
  if (below === undefined) return above?.micros ?? 0;
  if (above === undefined) return (below.micros / below.rows) * rows;
  const share = above.rows === below.rows ? 0 : (rows - below.rows) / (above.rows - below.rows);
  return below.micros + share * (above.micros - below.micros);
}

/** What runs on the thread that takes requests cannot wait for more of them: the engine refuses a delay there. */
export function isPossible({ execution, maxDelayMicros }: TuneConfiguration): boolean {
  return execution === "lanes" || maxDelayMicros === 0;
}

/** Equal for equal configurations. */
export function keyOf({ execution, lanes, intraOpThreads, maxSize, maxDelayMicros }: TuneConfiguration): string {
  return [execution, lanes, intraOpThreads, maxSize, maxDelayMicros].join(" ");
}

/** In a few words: `2 lanes, up to 64 steps a run, no delay`. */
export function configurationText(configuration: TuneConfiguration): string {
  const { execution, lanes, intraOpThreads, maxSize, maxDelayMicros } = configuration;
  const threads = intraOpThreads === 1 ? "" : ` of ${intraOpThreads} threads a run`;
  const where = execution === "inline" ? "inline" : `${lanes} lane${lanes === 1 ? "" : "s"}`;
  const batch = maxSize === 1 ? "one step a run" : `up to ${maxSize} steps a run`;
  return `${where}${threads}, ${batch}, ${maxDelayMicros === 0 ? "no delay" : `${maxDelayMicros} us delay`}`;
}
