/**
 * ModelStreamInfer: requests and answers in one call, the answers in the order of the requests whatever order they are done in.
 * A request that fails is answered in its turn, and the stream goes on.
 */
import type { HeadraceError } from "../../errors.js";
import { Bytes, type Call, type CallReceiver } from "./call.js";
import type { Payload } from "./http2/stream.js";
import type { InferClient, Inference, Inferences } from "./infer.js";
import { streamError, streamResponse } from "./messages/infer-response.js";
import { OK, type Status } from "./status.js";

export interface StreamLimits {
  /** Requests that wait for their answers; no more are read until there are fewer. */
  readonly maxInFlight: number;
  /** Bytes of answers that the client has not made room for; no more requests are read until there are fewer. */
  readonly maxBackpressureBytes: number;
  /** Called once, when the call is over. */
  over(): void;
}

export class StreamInfer implements CallReceiver {
  /** Oldest first. */
  private readonly slots: Slot[] = [];
  private hasHalfClosed = false;
  /** The status to end with when all answers have gone. */
  private ending: Status | undefined;

  constructor(
    private readonly call: Call,
    private readonly inferences: Inferences,
    private readonly limits: StreamLimits,
  ) {}

  message(bytes: Buffer): void {
    const slot = new Slot(this);
    this.slots.push(slot);
    const refusal = this.call.client?.refusal();
    if (refusal === undefined) slot.inference = this.inferences.begin(bytes, slot);
    else slot.failed(refusal, "");
    this.pauseWhereFull();
  }

  halfClosed(): void {
    this.hasHalfClosed = true;
    this.end(OK);
  }

  cancelled(): void {
    for (const { inference } of this.slots.splice(0)) inference?.cancel();
    this.limits.over();
  }

  drained(): void {
    this.resume();
  }

  /** Takes no more requests, and ends with this status when those that it has are answered. */
  end(status: Status): void {
    this.ending ??= status;
    if (!this.hasHalfClosed) this.call.pause();
    this.finishWhereDone();
  }

  /** Whether it is this answer's turn. */
  isFirst(slot: Slot): boolean {
    return this.slots[0] === slot;
  }

  /** Sends the first answer, and those behind it that are done; whether there was room for the first. */
  send(first: Payload): boolean {
    this.slots.shift();
    const isSent = this.call.send(first);
    for (let next = this.slots[0]; next?.kept !== undefined; next = this.slots[0]) {
      this.slots.shift();
      this.call.send(next.kept);
    }
    if (!this.call.isOver && !this.finishWhereDone()) this.resume();
    return isSent;
  }

  private finishWhereDone(): boolean {
    if (this.ending === undefined || this.slots.length > 0) return false;
    this.call.finish(this.ending);
    this.limits.over();
    return true;
  }

  private resume(): void {
    if (this.ending === undefined && !this.isFull) this.call.resume();
  }

  private pauseWhereFull(): void {
    if (this.isFull) this.call.pause();
  }

  private get isFull(): boolean {
    const { maxInFlight, maxBackpressureBytes } = this.limits;
    return this.slots.length >= maxInFlight || this.call.waitingBytes >= maxBackpressureBytes;
  }
}

/** One request of the stream. */
class Slot implements InferClient {
  inference: Inference | undefined;
  /** The answer, where it is not its turn. */
  kept: Payload | undefined;

  constructor(private readonly stream: StreamInfer) {}

  answer(head: Buffer, id: string, tensors: readonly Uint8Array[]): boolean {
    return this.done(streamResponse(head, id, tensors));
  }

  failed(error: HeadraceError, id: string): void {
    this.done(streamError(error.message, id));
  }

  /** Whether there was room for it, as far as that is known. */
  private done(message: Payload): boolean {
    if (this.stream.isFirst(this)) return this.stream.send(message);
    const bytes = Buffer.allocUnsafe(message.byteLength);
    message.writeTo(bytes, 0);
    this.kept = new Bytes(bytes);
    return true;
  }
}
