/**
 * Frames that are the bytes of one row, and of several streams by the numbers in front of them.
 *
 * A frame takes the short way where it can: its stream hands it to the engine, and the answer is written when the round of
 * outcomes is complete. Everything else takes slots, which keep the order by themselves.
 */
import { type HeadraceError, InvalidArgumentError } from "../../errors.js";
import { decodeRawInfer, encodeRawAnswer, type TensorMetadata, traceParameters } from "../../protocol/index.js";
import { type AnswerLane, NUMBER_BYTES } from "./answers.js";
import { type FrameOwner, refuse, reject, run, settle } from "./frames.js";
import { Stream } from "./stream.js";
import { type CloseStream, type OpenStream, readControl } from "./stream-control.js";

const NOTHING = new Uint8Array(0);
const NO_NAMES = { sequenceId: undefined, start: false, trace: undefined };

/** Told which numbers stand for which state ids, where somebody else steps them. */
export interface NumberListener {
  opened(number: number, stateId: string, ownsState: boolean): void;
  ended(number: number, dropsState: boolean): void;
}

export class RawFrames {
  private listener: NumberListener | undefined;
  private readonly streams: (Stream | undefined)[] = [];

  /**
   * @param input  the model's only one
   * @param count  how many streams share the connection, each frame with its stream's number
   */
  constructor(
    private readonly owner: FrameOwner,
    private readonly input: TensorMetadata,
    private readonly count: number,
  ) {}

  /** Tells of the numbers that are opened and ended from now on. */
  tell(listener: NumberListener): void {
    this.listener = listener;
  }

  /** Those that have begun and have not ended. */
  get open(): Stream[] {
    return this.streams.filter((stream) => stream !== undefined);
  }

  /** A frame of a connection that has a single stream. */
  take(stream: Stream, bytes: Uint8Array): void {
    this.step(stream, bytes, 0);
  }

  /** A frame with a number in front. */
  takeNumbered(bytes: Uint8Array): void {
    const number = numberOf(bytes) ?? -1;
    const stream = this.streams[number];
    if (stream !== undefined && bytes.byteLength > NUMBER_BYTES) this.step(stream, bytes, NUMBER_BYTES);
    else if (number < 0 || number >= this.count) {
      const found = number < 0 ? `${bytes.byteLength} bytes` : String(number);
      const { answers } = this.owner;
      reject(this.owner, answers.slot(answers.main), this.wrongNumber(found, "frame", ", as u32"));
    } else if (bytes.byteLength === NUMBER_BYTES) this.endByFrame(number);
    else this.begin(number, bytes);
  }

  /** A frame that is not to be run. */
  refuse(bytes: Uint8Array, isNumbered: boolean, error: HeadraceError): void {
    const { answers } = this.owner;
    const number = isNumbered ? numberOf(bytes) : undefined;
    const isKnown = number !== undefined && number < this.count;
    const slot = isKnown ? answers.slot(this.lane(number), number) : answers.slot(answers.main);
    refuse(this.owner, slot, error);
  }

  /**
   * A text that is a control frame, and then done with.
   * @param refusal  why it is not to be done
   */
  control(text: string, refusal: HeadraceError | undefined): boolean {
    let frame: OpenStream | CloseStream | undefined;
    try {
      frame = readControl(text);
    } catch (error) {
      const { answers } = this.owner;
      refuse(this.owner, answers.slot(answers.main), error);
      return true;
    }
    if (frame === undefined) return false;
    const number = "open" in frame ? frame.open : frame.close;
    const isKnown = number < this.count;
    const slot = this.owner.answers.slot(
      isKnown ? this.lane(number) : this.owner.answers.main,
      isKnown ? number : undefined,
    );
    try {
      if (refusal !== undefined) throw refusal;
      if (!isKnown) throw this.wrongNumber(String(number), "open" in frame ? "open" : "close");
      settle(this.owner, slot, "open" in frame ? this.openByControl(frame) : this.closeByControl(frame));
    } catch (error) {
      refuse(this.owner, slot, error);
    }
    return true;
  }

  private lane(number: number): AnswerLane {
    return this.owner.answers.lane(number);
  }

  /** The first frame of a number that was not opened by a control frame. */
  private begin(number: number, bytes: Uint8Array): void {
    let stream: Stream;
    try {
      stream = this.openStream(number, NO_NAMES);
    } catch (error) {
      reject(this.owner, this.owner.answers.slot(this.lane(number), number), error);
      return;
    }
    this.step(stream, bytes, NUMBER_BYTES);
  }

  private openStream(number: number, { sequenceId, start, trace }: Omit<OpenStream, "open">): Stream {
    const { ids, endpoint } = this.owner;
    ids.openNumber();
    const stateId = sequenceId ?? `${ids.base}/${number}`;
    const ownsState = sequenceId === undefined && ids.isOwn;
    // What was there under this name is another stream's; its steps that are under way finish as such.
    if (start) endpoint.inference.dropState(stateId);
    const lane = this.lane(number);
    lane.isHeld = true;
    const stream = new Stream(this.owner, endpoint.inference, { stateId, ownsState, number, trace }, lane);
    this.streams[number] = stream;
    // What belongs to a trace is told to those who follow the stream, which only this side does.
    if (trace === undefined) this.listener?.opened(number, stateId, ownsState);
    return stream;
  }

  private openByControl(frame: OpenStream): string {
    const { open, sequenceId, trace } = frame;
    if (this.streams[open] !== undefined) {
      throw new InvalidArgumentError(`stream ${open} is open already; close it first`, { path: "open" });
    }
    this.openStream(open, frame);
    return JSON.stringify({ open, sequence_id: sequenceId, ...traceParameters(trace) });
  }

  private closeByControl({ close, end }: CloseStream): string {
    this.endStream(close, end);
    return JSON.stringify({ close });
  }

  /** Nothing but a number: its state ends after the steps before, the next step begins afresh. Answered by itself. */
  private endByFrame(number: number): void {
    const slot = this.owner.answers.slot(this.lane(number), number);
    this.endStream(number, true);
    settle(this.owner, slot, NOTHING);
  }

  private endStream(number: number, dropsState: boolean): void {
    const stream = this.streams[number];
    if (stream === undefined) return;
    stream.end(dropsState);
    this.listener?.ended(number, dropsState);
    this.streams[number] = undefined;
    this.owner.ids.closeNumber();
    this.owner.answers.release(stream.lane);
  }

  private step(stream: Stream, bytes: Uint8Array, offset: number): void {
    const { answers, endpoint } = this.owner;
    const { lane } = stream;
    if (lane.isClear && !endpoint.isDraining && stream.step(bytes, offset)) {
      answers.rawSent(lane);
      return;
    }
    const slot = answers.slot(lane, stream.number);
    try {
      const request = { ...decodeRawInfer(bytes.subarray(offset), this.input), trace: stream.trace };
      const stateId = endpoint.inference.stateful ? stream.stateId : undefined;
      run(this.owner, slot, request, stateId, {}, (outputs) => encodeRawAnswer(outputs).slice());
    } catch (error) {
      reject(this.owner, slot, error);
    }
  }

  private wrongNumber(found: string, path: string, how = ""): InvalidArgumentError {
    const message = `expected the number of a stream, 0 to ${this.count - 1}${how}, got ${found}`;
    return new InvalidArgumentError(message, { path });
  }
}

/** The number in front of a frame; undefined where there is none. */
function numberOf(bytes: Uint8Array): number | undefined {
  if (bytes.byteLength < NUMBER_BYTES) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, NUMBER_BYTES).getUint32(0, true);
}
