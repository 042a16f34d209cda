/** Answers that are whole and wait for their client: it takes them in time, as over HTTP, or does without. */
import { LEAST_BYTES_PER_SECOND, Pace } from "../pace.js";

/** What one client takes, looked at now and then. */
export class Unread {
  private readonly pace = new Pace();
  private readonly first: number;
  private last: number;

  /** @param position Something that changes by one with each byte that is taken. */
  constructor(now: number, position: number) {
    this.pace.begin(now);
    this.first = position;
    this.last = position;
  }

  /**
   * Whether the client takes too long.
   * @param kept Bytes that the socket has and does not tell about before all of them have gone.
   */
  isLate(now: number, position: number, kept = 0): boolean {
    if (position !== this.last) this.pace.moved(now);
    this.last = position;
    return this.pace.isLate(now - (1000 * kept) / LEAST_BYTES_PER_SECOND, Math.abs(position - this.first));
  }
}
