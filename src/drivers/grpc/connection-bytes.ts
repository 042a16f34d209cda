/** Requests that have come and that nobody could take yet: bounded for each connection, and for all of them together. */
import { HeadraceError } from "../../errors.js";

/** A connection that has no more is not counted with all others, so that small requests are taken whatever others send. */
const UNCOUNTED_BYTES = 64 << 10;

const counted = (bytes: number): number => (bytes > UNCOUNTED_BYTES ? bytes : 0);

/** Of all connections of a port. */
export class IncomingBytes {
  private bytes = 0;
  private refusals = 0;

  constructor(private readonly limit: number) {}

  get total(): number {
    return this.bytes;
  }

  get refused(): number {
    return this.refusals;
  }

  /** A connection has other bytes than before. Throws RESOURCE_EXHAUSTED where they are more, and too many with all others'. */
  change(before: number, after: number): void {
    this.bytes += counted(after) - counted(before);
    if (counted(after) <= counted(before) || this.bytes <= this.limit) return;
    this.refusals += 1;
    const message = "requests that are on their way have too many bytes together (maxIncomingBytes); try again later";
    throw new HeadraceError("RESOURCE_EXHAUSTED", message);
  }
}

/** Of the calls of one connection. */
export class ConnectionBytes {
  private bytes = 0;
  private unfinished = 0;

  constructor(
    readonly maxMessageBytes: number,
    private readonly maxUnfinishedBytes: number,
    private readonly all: IncomingBytes,
  ) {}

  /**
   * A call has so many more bytes than before, and so many more of messages that are not whole or not unpacked.
   * @throws HeadraceError RESOURCE_EXHAUSTED where it is more, and too much.
   */
  change(more: number, moreUnfinished: number): void {
    const before = this.bytes;
    this.bytes += more;
    this.unfinished += moreUnfinished;
    this.all.change(before, this.bytes);
    if (moreUnfinished <= 0 || this.unfinished <= this.maxUnfinishedBytes) return;
    throw new HeadraceError("RESOURCE_EXHAUSTED", "this connection has too many large messages on their way at a time");
  }
}
