/** Requests of one connection that have come and that nobody could take yet. */
import { HeadraceError } from "../../errors.js";
import type { SharedBytes } from "./shared-bytes.js";

export class ConnectionBytes {
  private bytes = 0;
  private unfinished = 0;

  constructor(
    readonly maxMessageBytes: number,
    private readonly maxUnfinishedBytes: number,
    private readonly all: SharedBytes,
  ) {}

  /**
   * A call has so many more bytes than before, and so many more of messages that are not whole or not unpacked.
   * @throws HeadraceError RESOURCE_EXHAUSTED where it is more, and too much; then it counts as before.
   */
  change(more: number, moreUnfinished: number): void {
    const after = this.bytes + more;
    const unfinished = this.unfinished + moreUnfinished;
    if (moreUnfinished > 0 && unfinished > this.maxUnfinishedBytes) {
      const message = "this connection has too many large messages on their way at a time";
      throw new HeadraceError("RESOURCE_EXHAUSTED", message);
    }
    this.all.admit(this.bytes, after);
    this.all.change(this.bytes, after);
    this.bytes = after;
    this.unfinished = unfinished;
  }
}
