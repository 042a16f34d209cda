/** Requests that have come and that nobody could take yet: bounded for each connection, and for all of them together. */
import { HeadraceError } from "../../errors.js";

/** A call that has no more is not counted with all others', so that small requests are taken whatever others send. */
const UNCOUNTED_BYTES = 64 << 10;

const counted = (bytes: number): number => (bytes > UNCOUNTED_BYTES ? bytes : 0);

/** Of all connections of a port. */
export class IncomingBytes {
  private bytes = 0;

  constructor(private readonly limit: number) {}

  /** A call has other bytes than before. Throws RESOURCE_EXHAUSTED where they are more, and too many with all others'. */
  change(before: number, after: number): void {
    this.bytes += counted(after) - counted(before);
    if (counted(after) <= counted(before) || this.bytes <= this.limit) return;
    const message = "requests that are on their way have too many bytes together (maxIncomingBytes); try again later";
    throw new HeadraceError("RESOURCE_EXHAUSTED", message);
  }
}

/** Of the calls of one connection. */
export class ConnectionBytes {
  private unfinished = 0;

  constructor(
    readonly maxMessageBytes: number,
    private readonly maxUnfinishedBytes: number,
    private readonly all: IncomingBytes,
  ) {}

  /**
   * A call has other bytes than before, and so many more of messages that are not whole or not unpacked.
   * @throws HeadraceError RESOURCE_EXHAUSTED where it is more, and too much.
   */
  change(before: number, after: number, moreUnfinished: number): void {
    this.unfinished += moreUnfinished;
    this.all.change(before, after);
    if (moreUnfinished <= 0 || this.unfinished <= this.maxUnfinishedBytes) return;
    throw new HeadraceError("RESOURCE_EXHAUSTED", "this connection has too many large messages on their way at a time");
  }
}
