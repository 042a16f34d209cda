/** How far a difference of medians may be chance: a percentile bootstrap over repetitions. */
import { median, quantile } from "./statistics.js";

/** With fewer on either side resampling says more about the sample than about what was measured. */
export const ENOUGH_REPETITIONS = 5;

const RESAMPLES = 4000;
const CONFIDENCE = 0.95;

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Low and high end. */
export type Interval = readonly [low: number, high: number];

/**
 * The 95 % interval of the relative change of the median, `(after - before) / before`; undefined with fewer than
 * `ENOUGH_REPETITIONS` on either side, or where the median before is not above 0.
 */
export function changeInterval(
  before: readonly number[],
  after: readonly number[],
  seed: number,
): Interval | undefined {
  if (Math.min(before.length, after.length) < ENOUGH_REPETITIONS || Math.min(...before) <= 0) return undefined;
  const random = seededRandom(seed);
  const resampled = (values: readonly number[]): number =>
    median(values.map(() => values[Math.floor(random() * values.length)] ?? Number.NaN));
  const changes = Array.from({ length: RESAMPLES }, () => {
    const base = resampled(before);
    return (resampled(after) - base) / base;
  }).sort((a, b) => a - b);
  const tail = (1 - CONFIDENCE) / 2;
  return [quantile(changes, tail), quantile(changes, 1 - tail)];
}
