/** What a connection is about to write: frames are put behind each other in one buffer, which goes to the socket whole. */

const INITIAL_BYTES = 16 << 10;
/** A buffer that grew beyond this is not kept for the next time. */
const MAX_KEPT_BYTES = 256 << 10;

export class Output {
  /** Room for frames; those written are its first `length` bytes. */
  buffer: Buffer = Buffer.alloc(0);
  length = 0;

  /** Makes room for so many bytes and counts them as written; where they go in `buffer`. */
  reserve(bytes: number): number {
    const at = this.length;
    if (at + bytes > this.buffer.length) this.grow(at + bytes);
    this.length = at + bytes;
    return at;
  }

  /** All that was written; the buffer is the caller's until it is given back. */
  take(): Buffer {
    const taken = this.buffer.subarray(0, this.length);
    this.buffer = Buffer.alloc(0);
    this.length = 0;
    return taken;
  }

  /** Takes a buffer that the socket needs no more, to be used again. */
  giveBack(whole: Buffer): void {
    if (this.length === 0 && whole.length <= MAX_KEPT_BYTES) this.buffer = whole;
  }

  private grow(bytes: number): void {
    // Not from Node's pool: the buffer may stay for as long as the connection does.
    const larger = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * this.buffer.length, INITIAL_BYTES));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}
