/** Histograms of latencies as results have them: upper bounds in microseconds and counts. */
import type { BatchSize, HistogramBucket } from "./result.js";

/** One histogram of all steps of several; buckets of the same bound are added up. */
export function mergeHistograms(histograms: readonly (readonly HistogramBucket[])[]): HistogramBucket[] {
  return added(histograms.flat());
}

/** One distribution of the runs of several. */
export function mergeBatchSizes(sizes: readonly (readonly BatchSize[])[]): BatchSize[] {
  return added(sizes.flat());
}

function added(pairs: readonly (readonly [number, number])[]): [number, number][] {
  const sums = new Map<number, number>();
  for (const [key, count] of pairs) sums.set(key, (sums.get(key) ?? 0) + count);
  return [...sums].sort(([a], [b]) => a - b);
}

/** A point of a percentile spectrum. */
export interface SpectrumPoint {
  /** 1 in so many steps took longer: 10 is the 90th percentile, 1000 the 99.9th. */
  readonly oneIn: number;
  readonly micros: number;
}

/**
 * The percentile spectrum of a histogram, from half of all steps to the slowest one, at points that are evenly spaced
 * on a logarithmic axis. What one bucket covers becomes one point: no finer than the histogram is.
 */
export function spectrum(histogram: readonly HistogramBucket[], points = 160): SpectrumPoint[] {
  const total = histogram.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return [];
  const step = Math.log(Math.max(total, 2)) / points;
  const result: SpectrumPoint[] = [];
  let seen = 0;
  let bucket = 0;
  for (let i = 0; i <= points; i += 1) {
    const oneIn = i === points ? total : Math.exp(i * step);
    // At the very end the slowest step, whatever rounding makes of the share.
    const wanted = i === points ? total : total * (1 - 1 / oneIn);
    while (bucket < histogram.length - 1 && seen + (histogram[bucket]?.[1] ?? 0) < wanted) {
      seen += histogram[bucket]?.[1] ?? 0;
      bucket += 1;
    }
    result.push({ oneIn, micros: histogram[bucket]?.[0] ?? 0 });
  }
  return result;
}
