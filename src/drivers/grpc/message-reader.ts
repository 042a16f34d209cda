/** Cuts a call's bytes into messages: each has five bytes in front, whether it is packed and how long it is. */
import { HeadraceError } from "../../errors.js";
import { Pace } from "./pace.js";

const PREFIX_BYTES = 5;
/** A message takes no more memory than this ahead of its bytes, whatever it says about its length. */
const FIRST_BYTES = 64 << 10;

/**
 * @param isPacked Whether it is in the call's encoding.
 * @param isPutTogether Whether it has been put together, and stays as it is; otherwise the bytes are valid until this returns.
 */
export type OnMessage = (bytes: Buffer, isPacked: boolean, isPutTogether: boolean) => void;

export class MessageReader {
  private readonly prefix = Buffer.alloc(PREFIX_BYTES);
  private prefixHave = 0;
  private length = 0;
  /** A message of which only a part has come. */
  private partial: Buffer | undefined;
  private have = 0;
  private readonly pace = new Pace();

  /** @param limit Bytes of the largest message. */
  constructor(
    private readonly limit: number,
    private readonly onMessage: OnMessage,
  ) {}

  /** Bytes of a message that is not whole. */
  get buffered(): number {
    return this.have;
  }

  /** Whether the bytes so far end with a message. */
  get isBetweenMessages(): boolean {
    return this.prefixHave === 0;
  }

  /** Whether a message that has begun takes too long. */
  isLate(now: number): boolean {
    return !this.isBetweenMessages && this.pace.isLate(now, this.have);
  }

  /** It was not the client who held a message up until now. */
  forgive(): void {
    this.pace.begin(performance.now());
  }

  /**
   * Reads up to and including the next message.
   * @returns where it stopped: `bytes.length` unless there was a message before.
   * @throws HeadraceError PAYLOAD_TOO_LARGE, INVALID_ARGUMENT
   */
  read(bytes: Buffer, from: number): number {
    let at = from;
    const isNew = this.prefixHave === 0;
    if (this.prefixHave < PREFIX_BYTES) {
      const copied = bytes.copy(this.prefix, this.prefixHave, at, at + PREFIX_BYTES - this.prefixHave);
      this.prefixHave += copied;
      at += copied;
      if (this.prefixHave < PREFIX_BYTES) {
        this.moved(isNew);
        return at;
      }
      this.begin();
    }
    const rest = this.length - this.have;
    if (this.have === 0 && bytes.length - at >= rest) {
      this.finish(bytes.subarray(at, at + rest), false);
      return at + rest;
    }
    this.moved(isNew);
    const count = Math.min(rest, bytes.length - at);
    this.append(bytes.subarray(at, at + count));
    if (count === rest) this.finish(this.partial?.subarray(0, this.length) ?? Buffer.alloc(0), true);
    return at + count;
  }

  /** There is more of a message that is not whole yet. */
  private moved(isNew: boolean): void {
    if (isNew) this.forgive();
    else this.pace.moved(performance.now());
  }

  private begin(): void {
    this.length = this.prefix.readUInt32BE(1);
    if ((this.prefix[0] ?? 0) > 1) {
      throw new HeadraceError("INVALID_ARGUMENT", "begins with neither 0 nor 1", { path: "message" });
    }
    if (this.length <= this.limit) return;
    throw new HeadraceError(
      "PAYLOAD_TOO_LARGE",
      `the message has ${this.length} bytes, at most ${this.limit} are allowed (maxMessageBytes)`,
    );
  }

  private append(bytes: Buffer): void {
    const needed = this.have + bytes.length;
    if (this.partial === undefined || this.partial.length < needed) {
      const larger = Buffer.allocUnsafe(Math.min(this.length, Math.max(needed, 2 * this.have, FIRST_BYTES)));
      this.partial?.copy(larger, 0, 0, this.have);
      this.partial = larger;
    }
    bytes.copy(this.partial, this.have);
    this.have = needed;
  }

  private finish(message: Buffer, isPutTogether: boolean): void {
    const isPacked = this.prefix[0] === 1;
    this.prefixHave = 0;
    this.have = 0;
    this.partial = undefined;
    this.onMessage(message, isPacked, isPutTogether);
  }
}
