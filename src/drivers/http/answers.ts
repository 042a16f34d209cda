/**
 * The answers of one WebSocket on their way out, and their order: those of one lane come in the order of their frames, those
 * of different lanes as soon as they are there.
 */

import type { InferHandle } from "../../serving/infer-types.js";
import type { WebSocket } from "../../transport/index.js";

export type Frame = Uint8Array | string;

/** In front of the raw frames of a connection with several streams, and of their answers: a u32, little-endian. */
export const NUMBER_BYTES = 4;

/** An answer in its place in a lane. */
export interface Slot {
  readonly lane: AnswerLane;
  /** The number of its stream, where it is a raw answer of a connection that has several. */
  readonly number: number | undefined;
  /** Undefined until it is there. */
  answer: Frame | undefined;
  handle: InferHandle | undefined;
}

/** Raw frames on the short way keep their order by themselves and are only counted; all others take slots. */
export class AnswerLane {
  /** Raw frames before all slots that have no answer yet. */
  rawPending = 0;
  /** Whether a stream is open whose answers come here. */
  isHeld = false;
  readonly slots: Slot[] = [];

  /** @param key  by which a connection finds it while something is in it; undefined: it stays */
  constructor(readonly key: string | number | undefined) {}

  /** Whether a raw frame may go the short way: no slot is before it. */
  get isClear(): boolean {
    return this.slots.length === 0;
  }
}

export class Answers {
  /** Frames that have no answer yet, or whose answer waits for its turn. */
  inFlight = 0;
  /** The lane of what has none of its own. */
  readonly main = new AnswerLane(undefined);
  private readonly lanes = new Map<string | number, AnswerLane>();
  /** What is to be written, and beside it the numbers of the streams. */
  private readonly out: Frame[] = [];
  private readonly outNumbers: (number | undefined)[] = [];

  /** The lane of a state id, or of the number of a stream. */
  lane(key: string | number): AnswerLane {
    const known = this.lanes.get(key);
    if (known !== undefined) return known;
    const lane = new AnswerLane(key);
    this.lanes.set(key, lane);
    return lane;
  }

  /** The stream of a lane has ended: the lane goes with its last answer. */
  release(lane: AnswerLane): void {
    lane.isHeld = false;
    this.drop(lane);
  }

  /** The place of an answer that is to come. */
  slot(lane: AnswerLane, number?: number): Slot {
    const slot: Slot = { lane, number, answer: undefined, handle: undefined };
    lane.slots.push(slot);
    this.inFlight += 1;
    return slot;
  }

  /** The answer of a slot; it is written when its turn has come. */
  settle(slot: Slot, answer: Frame): void {
    slot.answer = answer;
    this.moveReady(slot.lane);
  }

  /** A raw frame has gone the short way. */
  rawSent(lane: AnswerLane): void {
    lane.rawPending += 1;
    this.inFlight += 1;
  }

  /** The answer to the first raw frame of a lane that went the short way; it may be a view that is good until `write`. */
  rawAnswered(lane: AnswerLane, answer: Frame, number: number | undefined): void {
    lane.rawPending -= 1;
    this.put(answer, number);
    if (lane.rawPending > 0) return;
    if (lane.slots.length > 0) this.moveReady(lane);
    else this.drop(lane);
  }

  get hasOutput(): boolean {
    return this.out.length > 0;
  }

  /** Writes what is ready; it has been copied when this returns. */
  write(socket: WebSocket): void {
    let index = 0;
    for (const frame of this.out) {
      const number = this.outNumbers[index++];
      if (typeof frame === "string") socket.send(frame, false);
      else socket.send(number === undefined ? frame : numbered(frame, number), true);
    }
    this.out.length = 0;
    this.outNumbers.length = 0;
  }

  /** Nobody reads any more: cancels what has not been answered. */
  abandon(): void {
    for (const lane of [this.main, ...this.lanes.values()]) {
      for (const { handle } of lane.slots) handle?.cancel();
      lane.slots.length = 0;
    }
    this.lanes.clear();
    this.out.length = 0;
    this.outNumbers.length = 0;
    this.inFlight = 0;
  }

  /** Slots whose turn it is: raw frames before them have been answered, and so have the slots before them. */
  private moveReady(lane: AnswerLane): void {
    if (lane.rawPending > 0) return;
    let ready = 0;
    for (const { answer, number } of lane.slots) {
      if (answer === undefined) break;
      this.put(answer, number);
      ready += 1;
    }
    if (ready > 0) lane.slots.splice(0, ready);
    this.drop(lane);
  }

  /** A lane that nothing is in and nobody holds is made again when it is needed. */
  private drop({ key, isHeld, rawPending, isClear }: AnswerLane): void {
    if (key !== undefined && !isHeld && rawPending === 0 && isClear) this.lanes.delete(key);
  }

  private put(frame: Frame, number: number | undefined): void {
    this.inFlight -= 1;
    this.out.push(frame);
    this.outNumbers.push(number);
  }
}

let answerFrame = new Uint8Array(NUMBER_BYTES);
let answerView = new DataView(answerFrame.buffer);

/** An answer with its stream's number in front, valid until the next call: what is sent is copied at once. */
function numbered(answer: Uint8Array, number: number): Uint8Array {
  if (answerFrame.byteLength !== NUMBER_BYTES + answer.byteLength) {
    answerFrame = new Uint8Array(NUMBER_BYTES + answer.byteLength);
    answerView = new DataView(answerFrame.buffer);
  }
  answerView.setUint32(0, number, true);
  answerFrame.set(answer, NUMBER_BYTES);
  return answerFrame;
}
