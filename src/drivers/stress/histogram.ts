/** Buckets per doubling: each is 2^(1/8), about 9 %, wide. */
const PER_DOUBLING = 8;
/** From 1 µs to 2^36 µs, about 19 hours. */
const DOUBLINGS = 36;
const LAST = PER_DOUBLING * DOUBLINGS;

/**
 * Latencies in 289 counters, whatever their number. Bucket 0 counts what took up to 1 µs, bucket i what took more than
 * 2^((i-1)/8) and up to 2^(i/8) µs; the last one takes all that is longer.
 */
export class LatencyHistogram {
  private readonly counts = new Float64Array(LAST + 1);
  private total = 0;
  private longest = 0;

  /** @param micros Microseconds. */
  record(micros: number): void {
    const bucket = micros <= 1 ? 0 : Math.min(Math.ceil(Math.log2(micros) * PER_DOUBLING), LAST);
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.total += 1;
    this.longest = Math.max(this.longest, micros);
  }

  /**
   * The upper bound, in microseconds, of the bucket with the ⌈fraction · n⌉-th shortest of n latencies, or the longest
   * latency where that is shorter: never less than the true value, and at most 9.1 % more. 0 where there is none.
   */
  percentile(fraction: number): number {
    const rank = Math.max(1, Math.ceil(fraction * this.total));
    let seen = 0;
    for (const [bucket, count] of this.counts.entries()) {
      seen += count;
      if (seen >= rank) return bucket === LAST ? this.longest : Math.min(2 ** (bucket / PER_DOUBLING), this.longest);
    }
    return 0;
  }

  /** The longest latency in microseconds, exactly. */
  get max(): number {
    return this.longest;
  }
}
