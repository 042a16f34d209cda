/** How slow a client may be with one thing, a message or an answer: as over HTTP. */

/** Something moves within that, and beyond it as a whole with at least that pace. */
export const PATIENCE_MILLIS = 10_000;
export const LEAST_BYTES_PER_SECOND = 512;

/** Times are of the monotonic clock, in milliseconds. */
export class Pace {
  private began = 0;
  private last = 0;

  begin(now: number): void {
    this.began = now;
    this.last = now;
  }

  /** There was more of it. */
  moved(now: number): void {
    this.last = now;
  }

  /** @param bytes All that moved so far. */
  isLate(now: number, bytes: number): boolean {
    const due = this.began + PATIENCE_MILLIS + (1000 * bytes) / LEAST_BYTES_PER_SECOND;
    return now > due || now - this.last > PATIENCE_MILLIS;
  }
}
