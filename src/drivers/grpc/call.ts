/** One call: messages in and out over an HTTP/2 stream, its deadline, its status. */
import { HeadraceError, toHeadraceError } from "../../errors.js";
import type { Access } from "../../serving/access.js";
import type { AdmittedClient } from "../../serving/client-gate.js";
import type { Encoding, Packed } from "../../serving/inflate.js";
import type { CallHead } from "./call-head.js";
import { pack, unpack } from "./compression.js";
import type { ConnectionBytes } from "./connection-bytes.js";
import { HeldBytes } from "./held-bytes.js";
import type { Http2Stream, Payload, StreamHandler } from "./http2/stream.js";
import { MessageReader } from "./message-reader.js";
import { answerHeaders, OK, type Status, statusOf, trailers, trailersOnly } from "./status.js";

/** What a method does with a call's messages. What it throws ends the call. */
export interface CallReceiver {
  /** A message of the client's, valid until this returns. After it `call.pause()` may have been called. */
  message(bytes: Buffer): void;
  /** The client sends no more messages. */
  halfClosed(): void;
  /** Nobody waits any more: the client has gone or its deadline has passed. */
  cancelled(): void;
  /** What waited for the client to read has gone. */
  drained?(): void;
}

const PREFIX_BYTES = 5;
/** Timers of more than 31 bits go off at once. */
const MAX_TIMER_MILLIS = 2 ** 31 - 1;

export class Call implements StreamHandler {
  /** Set before the first byte comes. */
  receiver: CallReceiver | undefined;
  /** Who makes one that goes on as long as its client wants; undefined: another kind of call, or anybody may do anything. */
  client: AdmittedClient | undefined;
  private readonly reader: MessageReader;
  private hasHeaders = false;
  private isFinished = false;
  private hasHalfClosed = false;
  private hasBegun = false;
  private timer: NodeJS.Timeout | undefined;
  /** Bytes that came while the call was paused. */
  private readonly held = new HeldBytes();
  /** Whether the receiver wants no more for now. */
  private isStopped = false;
  /** Whether a message is being unpacked: those behind it wait. */
  private isUnpacking = false;
  /** Bytes of that message, as it came. */
  private packedBytes = 0;
  /** What `bytes` knows of this call, and how much of it is of a message that is not whole or not unpacked. */
  private counted = 0;
  private countedUnfinished = 0;

  constructor(
    readonly head: CallHead,
    private readonly stream: Http2Stream,
    private readonly bytes: ConnectionBytes,
  ) {
    this.reader = new MessageReader(bytes.maxMessageBytes, (message, isPacked, isOurs) => {
      this.received(message, isPacked, isOurs);
    });
    const { timeoutMillis } = head;
    if (timeoutMillis !== undefined && timeoutMillis <= MAX_TIMER_MILLIS) {
      this.timer = setTimeout(() => this.expired(), Math.ceil(timeoutMillis));
    }
  }

  /** Whether it has its status, or nobody waits for one. */
  get isOver(): boolean {
    return this.isFinished;
  }

  /** Bytes of answers that the client has not made room for. */
  get waitingBytes(): number {
    return this.stream.waitingBytes;
  }

  /**
   * Sends a message. It may be in memory that is gone after this call.
   * @returns false: it was not sent. The call is over, perhaps because there was no room for the message.
   */
  send(message: Payload): boolean {
    if (this.isFinished) return false;
    const { encoding } = this.head;
    if (!this.hasHeaders) this.stream.sendHeaders(answerHeaders(encoding));
    this.hasHeaders = true;
    const packed = encoding === undefined ? undefined : pack(message, encoding);
    try {
      this.stream.sendData(packed === undefined ? new Prefixed(0, message) : new Prefixed(1, new Bytes(packed)));
      return true;
    } catch (error) {
      this.giveUp(error);
      return false;
    }
  }

  /** Ends the call. Does nothing where it is over. */
  finish(status: Status = OK): void {
    if (this.isFinished) return;
    // Of a call that had its message nothing but its end can follow, which costs nothing to wait for.
    const abandonsRest = status.code !== 0 || this.held.bytes > 0;
    this.over();
    this.stream.end(this.hasHeaders ? trailers(status) : trailersOnly(status), abandonsRest && !this.hasHalfClosed);
  }

  /** Ends at once where its client is not known any more. */
  recheck(access: Access): void {
    if (this.isFinished || this.client === undefined || access.knows(this.client.principal)) return;
    this.giveUp(new HeadraceError("UNAUTHENTICATED", "what this call was made with is no longer good"));
  }

  fail(error: unknown): void {
    this.finish(statusOf(toHeadraceError(error)));
  }

  /** Takes no more messages until `resume`: the client can send no more than its window. */
  pause(): void {
    this.isStopped = true;
  }

  resume(): void {
    if (!this.isStopped) return;
    this.isStopped = false;
    this.reader.forgive();
    this.readHeld();
  }

  /** Ends where its client takes too long over a message, while nothing here holds it up; whether it did. */
  tick(now: number): boolean {
    if (this.isFinished || this.isPaused) return false;
    if (this.stream.connection.isHoldingBack) this.reader.forgive();
    if (!this.reader.isLate(now)) return false;
    this.giveUp(
      new HeadraceError("DEADLINE_EXCEEDED", "the message did not come in time; send it at once, or not at all"),
    );
    return true;
  }

  /** Ends where nothing of its first message has come: whoever stops does not wait for it. */
  endUnlessBegun(error: HeadraceError): void {
    if (!this.isFinished && !this.hasHalfClosed && !this.hasBegun) this.giveUp(error);
  }

  data(bytes: Buffer): void {
    this.hasBegun = true;
    if (this.isFinished) {
      this.stream.consumed(bytes.length);
      return;
    }
    const isWaiting = this.isPaused || this.held.bytes > 0;
    const used = isWaiting ? 0 : this.read(bytes);
    if (used < bytes.length) this.held.push(bytes.subarray(used));
    this.count();
  }

  ended(): void {
    this.hasHalfClosed = true;
    if (this.held.bytes === 0 && !this.isPaused) this.halfClosed();
  }

  closed(): void {
    if (this.isFinished) return;
    this.over();
    this.receiver?.cancelled();
  }

  drained(): void {
    if (!this.isFinished) this.receiver?.drained?.();
  }

  /** Reads messages until there are no more, or the call is paused; how many bytes that took: all, where the call is over. */
  private read(bytes: Buffer): number {
    let at = 0;
    try {
      while (at < bytes.length && !this.isPaused && !this.isFinished) at = this.reader.read(bytes, at);
    } catch (error) {
      this.giveUp(error);
    }
    if (this.isFinished) at = bytes.length;
    this.stream.consumed(at);
    return at;
  }

  private readHeld(): void {
    while (!this.isPaused) {
      const first = this.held.shift();
      if (first === undefined) break;
      const used = this.read(first);
      if (used < first.length) this.held.unshift(first.subarray(used));
    }
    this.count();
    if (this.hasHalfClosed && this.held.bytes === 0 && !this.isPaused) this.halfClosed();
  }

  private received(bytes: Buffer, isPacked: boolean, isOurs: boolean): void {
    if (!isPacked) {
      this.receiver?.message(bytes);
      return;
    }
    const { encoding } = this.head;
    if (encoding === undefined) {
      throw new HeadraceError("INVALID_ARGUMENT", "is packed, but there is no grpc-encoding", { path: "message" });
    }
    this.isUnpacking = true;
    this.packedBytes = bytes.length;
    this.unpackAndGoOn({ bytes, isOurs }, encoding).catch((error: unknown) => this.giveUp(error));
  }

  private async unpackAndGoOn(packed: Packed, encoding: Encoding): Promise<void> {
    const bytes = await unpack(packed, encoding, this.bytes.maxMessageBytes, () => !this.isFinished);
    if (bytes === undefined || this.isFinished) return;
    this.isUnpacking = false;
    this.packedBytes = 0;
    this.count();
    this.receiver?.message(bytes);
    this.readHeld();
  }

  private get isPaused(): boolean {
    return this.isStopped || this.isUnpacking;
  }

  private halfClosed(): void {
    if (this.isFinished) return;
    try {
      if (!this.reader.isBetweenMessages) {
        throw new HeadraceError("INVALID_ARGUMENT", "ends in the middle", { path: "message" });
      }
      this.receiver?.halfClosed();
    } catch (error) {
      this.giveUp(error);
    }
  }

  /** Ends the call before its receiver is done with it. */
  private giveUp(error: unknown): void {
    this.receiver?.cancelled();
    this.fail(error);
  }

  private expired(): void {
    if (this.isFinished) return;
    const message = "the deadline passed before the call was done; a state is as it was before the step";
    this.giveUp(new HeadraceError("DEADLINE_EXCEEDED", message));
  }

  private over(): void {
    this.isFinished = true;
    clearTimeout(this.timer);
    this.stream.consumed(this.held.bytes);
    this.held.clear();
    this.tell(0, 0);
  }

  /** Tells how much memory that takes which the receiver has not had yet; ends the call where there is too much. */
  private count(): void {
    if (this.isFinished) return;
    const unfinished = this.reader.buffered + this.packedBytes;
    try {
      this.tell(unfinished + this.held.memory, unfinished);
    } catch (error) {
      this.giveUp(error);
    }
  }

  private tell(all: number, unfinished: number): void {
    const more = all - this.counted;
    const moreUnfinished = unfinished - this.countedUnfinished;
    if (more === 0 && moreUnfinished === 0) return;
    this.bytes.change(more, moreUnfinished);
    this.counted = all;
    this.countedUnfinished = unfinished;
  }
}

/** A message with its five bytes in front. */
class Prefixed implements Payload {
  readonly byteLength: number;

  constructor(
    private readonly flag: 0 | 1,
    private readonly message: Payload,
  ) {
    this.byteLength = PREFIX_BYTES + message.byteLength;
  }

  writeTo(to: Buffer, at: number): void {
    to[at] = this.flag;
    to.writeUInt32BE(this.message.byteLength, at + 1);
    this.message.writeTo(to, at + PREFIX_BYTES);
  }
}

/** Bytes as a payload. */
export class Bytes implements Payload {
  constructor(private readonly bytes: Uint8Array) {}

  get byteLength(): number {
    return this.bytes.byteLength;
  }

  writeTo(to: Buffer, at: number): void {
    to.set(this.bytes, at);
  }
}
