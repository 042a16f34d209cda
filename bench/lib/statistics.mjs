/** A share of 1 as people read it. */
export const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** @param {readonly number[]} values @returns {number} the middle one, or the mean of the middle two; NaN of none */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * @param {readonly number[]} values
 * @param {number} share
 * @returns {number} the value that this share of them does not exceed; 0: the least; NaN of none
 */
export function percentile(values, share) {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/** @typedef {{ min: number, median: number, max: number }} Summary */

/**
 * @param {readonly number[]} values at least one
 * @returns {Summary}
 */
export function summarise(values) {
  return { min: Math.min(...values), median: median(values), max: Math.max(...values) };
}
