/** Bytes that clients make the server keep, of all connections of a port together. */
import { HeadraceError } from "../../errors.js";

/** A connection that has no more is not counted with all others, so that small things go on whatever others do. */
const UNCOUNTED_BYTES = 64 << 10;

const counted = (bytes: number): number => (bytes > UNCOUNTED_BYTES ? bytes : 0);

export class SharedBytes {
  private bytes = 0;
  private refusals = 0;

  /**
   * @param refusal What is said to whoever would have more than the limit.
   * @param share What one connection may have, unless that is a single thing.
   */
  constructor(
    private readonly limit: number,
    private readonly refusal: string,
    private readonly share = limit,
  ) {}

  get total(): number {
    return this.bytes;
  }

  get refused(): number {
    return this.refusals;
  }

  /**
   * A connection would like to have more than before.
   * @throws HeadraceError RESOURCE_EXHAUSTED where that is too much with all others'.
   */
  admit(before: number, after: number): void {
    const more = counted(after) - counted(before);
    const isShared = counted(before) > 0 && after > this.share;
    if (more <= 0 || (this.bytes + more <= this.limit && !isShared)) return;
    this.refusals += 1;
    throw new HeadraceError("RESOURCE_EXHAUSTED", this.refusal);
  }

  /** A connection has others than before. */
  change(before: number, after: number): void {
    this.bytes += counted(after) - counted(before);
  }
}
