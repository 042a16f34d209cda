/** Bytes that came while nobody reads them, in the order in which they came. */

/** Pieces that are smaller are put together: a client that sends byte by byte must cost no more memory than its bytes. */
const PIECE_BYTES = 16 << 10;
const LEAST_PIECE_BYTES = 256;

export class HeldBytes {
  private pieces: Buffer[] = [];
  /** Of the last piece. */
  private used = 0;
  private count = 0;
  private size = 0;

  get bytes(): number {
    return this.count;
  }

  /** What they take, with room for more. */
  get memory(): number {
    return this.size;
  }

  /** Keeps a copy. */
  push(bytes: Buffer): void {
    const last = this.pieces.at(-1);
    const room = last === undefined ? 0 : last.length - this.used;
    const fitting = Math.min(room, bytes.length);
    if (last !== undefined) bytes.copy(last, this.used, 0, fitting);
    this.used += fitting;
    this.count += bytes.length;
    if (fitting === bytes.length) return;
    this.finishLast();
    const rest = bytes.subarray(fitting);
    // As much again as there is, so that the room that is left is never more than the bytes.
    const piece = Buffer.allocUnsafe(Math.max(rest.length, LEAST_PIECE_BYTES, Math.min(this.count, PIECE_BYTES)));
    rest.copy(piece);
    this.used = rest.length;
    this.add(piece);
  }

  /** Takes the first piece. */
  shift(): Buffer | undefined {
    this.finishLast();
    const piece = this.pieces.shift();
    if (piece === undefined) return undefined;
    this.size -= piece.length;
    this.count -= piece.length;
    this.used = this.pieces.at(-1)?.length ?? 0;
    return piece;
  }

  /** Gives the rest of a piece back that was taken first. */
  unshift(rest: Buffer): void {
    if (this.pieces.length === 0) this.used = rest.length;
    this.pieces.unshift(rest);
    this.size += rest.length;
    this.count += rest.length;
  }

  clear(): void {
    this.pieces = [];
    this.used = 0;
    this.count = 0;
    this.size = 0;
  }

  private add(piece: Buffer): void {
    this.pieces.push(piece);
    this.size += piece.length;
  }

  /** Nothing is added to the last piece any more: it is as long as what is in it. */
  private finishLast(): void {
    const last = this.pieces.at(-1);
    if (last === undefined || this.used === last.length) return;
    this.pieces[this.pieces.length - 1] = last.subarray(0, this.used);
    this.size -= last.length - this.used;
  }
}
