/** How long a client has held something up, by what it took meanwhile: as over HTTP, it may be slow but not still. */
import { LEAST_BYTES_PER_SECOND, PATIENCE_MILLIS } from "../pace.js";

const worth = (bytes: number): number => (1000 * bytes) / LEAST_BYTES_PER_SECOND;

export class Stall {
  private millis: number | undefined;
  private last = 0;

  /**
   * It is held up now, and was since the last time, unless this is the first.
   * @param elapsed Milliseconds since then.
   * @param taken Bytes that the client took so far, of whatever counts.
   */
  held(elapsed: number, taken: number): void {
    this.millis = this.millis === undefined ? 0 : Math.max(0, this.millis + elapsed - worth(taken - this.last));
    this.last = taken;
  }

  /** @param onTheirWay Bytes that the client may not have had yet. */
  isTooLong(onTheirWay: number): boolean {
    return (this.millis ?? 0) > PATIENCE_MILLIS + worth(onTheirWay);
  }
}
