/**
 * One WebSocket stream as a pair of `send` and an async iterator, with a bound on what is under way.
 *
 * An answer counts as outstanding from its request's `send` until it is taken from the iterator. So at most
 * `maxInFlight` answers are buffered, and a consumer that stops makes `send` wait: nothing grows without bound.
 */
import { HeadraceError, toHeadraceError } from "../errors.js";
import { errorOfClose } from "../protocol/index.js";
import { cancelled, type Deadline, deadline } from "./deadline.js";
import type { OpenSocket, Socket } from "./socket.js";
import { readAnswer, type SendOptions, type StreamCodec } from "./stream-codec.js";

export interface StreamConnection {
  readonly url: string;
  /** Milliseconds to connect in. */
  readonly timeoutMs: number;
  readonly maxInFlight: number;
  readonly signal: AbortSignal | undefined;
  readonly open: OpenSocket;
  /** Whether the server sends by itself. What arrives while `maxInFlight` wait to be taken is given to this and dropped. */
  readonly overflow?: (arrived: unknown) => void;
}

interface Reader<Out> {
  resolve(result: IteratorResult<Out, undefined>): void;
  reject(error: HeadraceError): void;
}

/**
 * A stream of steps, answered in the order sent. `In` is what `send` takes, `Out` what iterating gives.
 *
 * A step that failed throws its HeadraceError from the iterator in its place in the order; the stream goes on, so
 * iterate again for the answers after it. A broken connection throws once, after all answers that arrived, and ends.
 *
 * ```ts
 * const stream = client.stream("ben", { raw: "x" });
 * await stream.send(Float32Array.of(1, 2));
 * const { value: bytes } = await stream.next();
 * await stream.close();
 * ```
 */
export class InferStream<In, Out> implements AsyncIterableIterator<Out, undefined> {
  readonly #codec: StreamCodec<In, Out>;
  readonly #connection: StreamConnection;
  readonly #connecting: Deadline;
  #socket: Socket | undefined;
  #socketProblem: string | undefined;
  #isOpen = false;

  /** Settles when the last `send` so far has: sends go out one after the other. */
  #sends: Promise<void> = Promise.resolve();
  /** Requests sent whose answers have not been taken. */
  #outstanding = 0;
  /** Those among them whose answers have not arrived. */
  #unanswered = 0;
  /** Answers that nobody has taken yet, at most `maxInFlight`; none of them is undefined. */
  readonly #arrived: (Out | HeadraceError)[] = [];
  /** Calls of `next` that no answer has come for yet. */
  readonly #readers: Reader<Out>[] = [];
  /** Wakes for whoever waits in `#until`. */
  #sleepers: (() => void)[] = [];

  #closing: Promise<void> | undefined;
  #isOver = false;
  #failure: HeadraceError | undefined;
  #failureIsThrown = false;

  /**
   * Connects at once. For clients, not for users: see `HeadraceClient.stream`.
   *
   * @internal
   */
  constructor(codec: StreamCodec<In, Out>, connection: StreamConnection) {
    this.#codec = codec;
    this.#connection = connection;
    this.#connecting = deadline(connection.timeoutMs, undefined, `connecting to ${connection.url}`);
    this.#connecting.signal.addEventListener("abort", () => this.#finish(this.#connecting.signal.reason));
    connection.signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (connection.signal?.aborted) this.#onAbort();
    else this.#connect().catch((error: unknown) => this.#finish(toHeadraceError(error, "UNAVAILABLE")));
  }

  /**
   * Resolves once the connection stands. Only for those who want to know: `send` waits for it too.
   *
   * @throws HeadraceError: what the server refused it with, UNAVAILABLE, DEADLINE_EXCEEDED or CANCELLED.
   */
  async opened(): Promise<void> {
    await this.#until(() => this.#isOpen);
    if (!this.#isOpen) throw this.#whyOver();
  }

  /**
   * Sends one step. Resolves when it is handed to the socket, which waits while `maxInFlight` answers are outstanding;
   * until then the memory behind `input` belongs to the stream. Calls that overlap are sent in the order made.
   *
   * @throws HeadraceError: INVALID_ARGUMENT for an input that cannot be encoded, UNAVAILABLE after `close`, or whatever
   * ended the stream.
   */
  async send(input: In, options: SendOptions = {}): Promise<void> {
    if (this.#closing !== undefined) throw this.#whyOver();
    return this.sendFrame(this.#codec.encode(input, options));
  }

  /**
   * Sends a frame that was encoded already.
   *
   * @internal
   */
  async sendFrame(frame: Uint8Array | string): Promise<void> {
    if (this.#closing !== undefined) throw this.#whyOver();
    const sent = this.#sends.then(() => this.#transmit(frame));
    this.#sends = sent.catch(() => {});
    return sent;
  }

  /**
   * The next answer, in the order of the requests.
   *
   * @throws HeadraceError: the one that this step was answered with (the stream goes on), or whatever ended the stream.
   */
  next(): Promise<IteratorResult<Out, undefined>> {
    return new Promise((resolve, reject) => {
      const reader = { resolve, reject };
      const answer = this.#arrived.shift();
      if (answer !== undefined) this.#give(reader, answer);
      else if (this.#isOver) this.#giveEnd(reader);
      else this.#readers.push(reader);
    });
  }

  /** Leaving a `for await` loop drops the stream: answers still to come are lost. */
  async return(): Promise<IteratorResult<Out, undefined>> {
    this.#finish(undefined);
    return { done: true, value: undefined };
  }

  /** The stream itself: iterating again goes on where it was left, as after a step that failed. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * Sends no more, waits until all answers have arrived, and closes the connection. The answers can still be taken
   * from the iterator, which then ends. Sends that were called before go out first, so keep taking answers meanwhile.
   *
   * @throws HeadraceError whatever ended the stream before.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#sends;
    await this.#until(() => this.#isOpen && this.#unanswered === 0);
    this.#socket?.close(1000);
    await this.#until(() => false);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #connect(): Promise<void> {
    const { url, open } = this.#connection;
    const socket = await open(url, (refusal) => this.#finish(refusal));
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => this.#onOpen());
    socket.addEventListener("message", (event) => this.#onMessage(event.data));
    socket.addEventListener("error", (event) => {
      this.#socketProblem = event.message ?? "";
      // Not every platform tells of a close after a connection that never stood.
      if (!this.#isOpen) this.#finish(this.#connectionError(this.#socketProblem));
    });
    socket.addEventListener("close", (event) => this.#onClose(event.code, event.reason));
    // Given up while the socket was being made.
    if (this.#isOver) socket.close(1000);
  }

  async #transmit(frame: Uint8Array | string): Promise<void> {
    await this.#until(() => this.#isOpen && this.#outstanding < this.#connection.maxInFlight);
    if (this.#isOver) throw this.#whyOver();
    this.#outstanding += 1;
    this.#unanswered += 1;
    this.#socket?.send(frame);
  }

  #onOpen(): void {
    this.#connecting.release();
    this.#isOpen = true;
    this.#wake();
  }

  #onMessage(data: unknown): void {
    if (this.#isOver) return;
    const { overflow, maxInFlight } = this.#connection;
    if (overflow !== undefined) this.#unanswered += 1;
    if (this.#unanswered === 0) {
      this.#finish(new HeadraceError("INTERNAL", "the server sent an answer that nothing was asked for"));
      return;
    }
    this.#unanswered -= 1;
    const answer = readAnswer(this.#codec, data);
    if (overflow !== undefined) {
      if (this.#arrived.length >= maxInFlight) {
        overflow(answer);
        return;
      }
      this.#outstanding += 1;
    }
    const reader = this.#readers.shift();
    if (reader === undefined) this.#arrived.push(answer);
    else this.#give(reader, answer);
    this.#wake();
  }

  #onClose(code: number, reason: string): void {
    const isExpected = this.#unanswered === 0 && (this.#closing !== undefined || code === 1000);
    if (isExpected) this.#finish(undefined);
    else if (this.#socketProblem !== undefined) this.#finish(this.#connectionError(this.#socketProblem));
    else this.#finish(errorOfClose(code, reason));
  }

  /** Also for a server that refused the connection, where the platform keeps its answer to itself, as browsers do. */
  #connectionError(problem: string): HeadraceError {
    return new HeadraceError("UNAVAILABLE", `${this.#connection.url} failed: ${problem || "connection lost"}`);
  }

  readonly #onAbort = (): void => {
    // Whoever aborts wants no answers either.
    this.#arrived.length = 0;
    this.#finish(cancelled(this.#connection.signal?.reason));
  };

  #finish(failure: HeadraceError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = failure;
    this.#connecting.release();
    this.#connection.signal?.removeEventListener("abort", this.#onAbort);
    this.#socket?.close(1000);
    for (const reader of this.#readers.splice(0)) this.#giveEnd(reader);
    this.#wake();
  }

  #whyOver(): HeadraceError {
    return this.#failure ?? new HeadraceError("UNAVAILABLE", "the stream is closed");
  }

  #give(reader: Reader<Out>, answer: Out | HeadraceError): void {
    this.#outstanding -= 1;
    if (answer instanceof HeadraceError) reader.reject(answer);
    else reader.resolve({ done: false, value: answer });
    this.#wake();
  }

  #giveEnd(reader: Reader<Out>): void {
    if (this.#failure === undefined || this.#failureIsThrown) {
      reader.resolve({ done: true, value: undefined });
      return;
    }
    this.#failureIsThrown = true;
    reader.reject(this.#failure);
  }

  /** Waits until the condition holds or the stream is over. */
  async #until(condition: () => boolean): Promise<void> {
    while (!this.#isOver && !condition()) await new Promise<void>((resolve) => this.#sleepers.push(resolve));
  }

  #wake(): void {
    for (const wake of this.#sleepers.splice(0)) wake();
  }
}
