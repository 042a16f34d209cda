/** The results of streams that others make, as an async iterator. */
import type { RawTensor } from "../datatype.js";
import type { HeadraceError } from "../errors.js";
import {
  byName,
  decodeInferResponse,
  decodeStreamResponse,
  type InferResponse,
  parseTensorJson,
} from "../protocol/index.js";
import { InferStream, type StreamConnection } from "./stream.js";
import type { StreamCodec, Trace } from "./stream-codec.js";

/** The result of one step of a state id that is followed. */
export interface StepEvent {
  readonly type: "step";
  readonly stateId: string;
  /** Counts the results of the state id while anybody follows it. */
  readonly step: number;
  /** How many results of this state id were lost before this one, because they were not taken fast enough. */
  readonly dropped: number;
  /** The id of the request that made the step, where it had one. */
  readonly id: string | undefined;
  /** Whether the step began from the initial state. */
  readonly start: boolean;
  /** Whether the state was freed after the step. */
  readonly end: boolean;
  readonly trace: Trace | undefined;
  /** All outputs by name, as views over the message's memory. */
  readonly outputs: Readonly<Record<string, RawTensor>>;
}

/** A stream is over. Its state id may come again. */
export interface EndEvent {
  readonly type: "end";
  readonly stateId: string;
  /** "end": it was freed on request; "ttl": it was idle for too long; "lru": another one needed its room. */
  readonly reason: "end" | "ttl" | "lru";
}

/** What a subscription gives. */
export type StreamEvent = StepEvent | EndEvent;

/** A notice of how many results were dropped is no event, and null: the next result has it. */
type Arrived = StreamEvent | null;

/**
 * The results of state ids, whoever makes their steps. They are kept until they are taken, up to `maxBuffered`; those that come
 * then are lost and counted, by `dropped` of the next one. It ends when the connection does, with an error unless it was closed
 * here.
 *
 * ```ts
 * const subscription = client.subscribe(["camera-7", "camera-8"]);
 * for await (const event of subscription) {
 *   if (event.type === "step") console.log(event.stateId, event.step, event.outputs);
 *   else break;
 * }
 * ```
 */
export class Subscription implements AsyncIterableIterator<StreamEvent, undefined> {
  readonly #stream: InferStream<never, Arrived>;

  /**
   * For clients, not for users: see `HeadraceClient.subscribe`.
   *
   * @internal
   */
  constructor(connection: Omit<StreamConnection, "overflow">) {
    const codec = new EventCodec();
    this.#stream = new InferStream(codec, { ...connection, overflow: (arrived) => codec.lost(arrived as Arrived) });
  }

  /**
   * Resolves once the connection stands: steps that are made after that are told.
   *
   * @throws HeadraceError: what the server refused it with, UNAVAILABLE, DEADLINE_EXCEEDED or CANCELLED.
   */
  opened(): Promise<void> {
    return this.#stream.opened();
  }

  /** The next event. Throws once what ended the connection. */
  async next(): Promise<IteratorResult<StreamEvent, undefined>> {
    for (;;) {
      const { value, done } = await this.#stream.next();
      if (done) return { done: true, value: undefined };
      if (value !== null) return { done: false, value };
    }
  }

  /** Leaving a `for await` loop ends the subscription. */
  async return(): Promise<IteratorResult<StreamEvent, undefined>> {
    await this.#stream.return();
    return { done: true, value: undefined };
  }

  /** The subscription itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends the subscription; what has arrived can still be taken. */
  close(): Promise<void> {
    return this.#stream.close();
  }
}

class EventCodec implements StreamCodec<never, Arrived> {
  /** Results that were dropped since the last one, by state id. */
  readonly #dropped = new Map<string, number>();

  encode(): never {
    throw new TypeError("nothing is sent on a subscription");
  }

  decode(frame: Uint8Array): StreamEvent {
    return this.#step(decodeStreamResponse(frame));
  }

  decodeText(frame: string): Arrived {
    const notice = parseTensorJson(frame, "frame") as Readonly<Record<string, unknown>>;
    const stateId = String(notice.sequence_id);
    if (typeof notice.dropped === "number") {
      this.#add(stateId, notice.dropped);
      return null;
    }
    const { end } = notice;
    if (end === "end" || end === "ttl" || end === "lru") return { type: "end", stateId, reason: end };
    return this.#step(decodeInferResponse(new TextEncoder().encode(frame), undefined));
  }

  decodeError(): undefined {
    return undefined;
  }

  /** An event that there was no room for. */
  lost(arrived: Arrived | HeadraceError): void {
    if (arrived !== null && "type" in arrived && arrived.type === "step") {
      this.#add(arrived.stateId, arrived.dropped + 1);
    }
  }

  #add(stateId: string, count: number): void {
    this.#dropped.set(stateId, (this.#dropped.get(stateId) ?? 0) + count);
  }

  #step({ id, parameters = {}, outputs }: InferResponse): StepEvent {
    const stateId = String(parameters.sequence_id);
    const dropped = this.#dropped.get(stateId) ?? 0;
    this.#dropped.delete(stateId);
    const { traceparent, tracestate } = parameters;
    return {
      type: "step",
      stateId,
      step: Number(parameters.step),
      dropped,
      id,
      start: parameters.sequence_start === true,
      end: parameters.sequence_end === true,
      trace:
        typeof traceparent === "string"
          ? { traceparent, tracestate: typeof tracestate === "string" ? tracestate : undefined }
          : undefined,
      outputs: byName(outputs),
    };
  }
}
