/** A share of 1 as people read it. */
export const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** @typedef {{ min: number, median: number, max: number }} Summary */

/**
 * @param {number[]} values at least one
 * @returns {Summary}
 */
export function summarise(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { min: sorted[0], median, max: sorted[sorted.length - 1] };
}
