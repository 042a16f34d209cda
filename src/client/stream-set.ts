/**
 * Many streams over one WebSocket, each with a handle of its own. One loop takes the answers off the connection and gives each
 * to its handle, which keeps at most `maxInFlight`: a handle that nobody reads holds up its own sends, and no other's.
 */
import { HeadraceError, toHeadraceError } from "../errors.js";
import { InferStream, type StreamConnection } from "./stream.js";
import type { SendOptions, StreamCodec, Trace } from "./stream-codec.js";

/** How a stream of a set begins. */
export interface OpenOptions {
  /** Whether its state is reset first. Default: false, it goes on where it was. */
  readonly start?: boolean;
  /** The trace that its steps belong to, in raw sets. Default: none. */
  readonly trace?: Trace;
}

/** How a stream of a set ends. */
export interface CloseOptions {
  /** Whether its state is freed, in raw sets. Default: false, it stays for the server's `stateTtlSeconds`. */
  readonly end?: boolean;
}

/** A step of one of the streams of a set. */
export interface SetStep<In> {
  readonly key: string | number;
  readonly input: In;
}

/** What comes back; neither an answer nor an error: a begin or end was acknowledged. */
export interface SetAnswer<Out> {
  readonly key: string | number | undefined;
  readonly answer?: Out;
  readonly error?: HeadraceError;
}

/** How the streams of a set are told apart. */
export interface SetCodec<In, Out> extends StreamCodec<SetStep<In>, SetAnswer<Out>> {
  /** A key for a stream that begins. Throws INVALID_ARGUMENT, RESOURCE_EXHAUSTED. */
  take(stateId: string | undefined): string | number;
  /** The stream of a key has ended, and all its answers are there. */
  giveBack(key: string | number): void;
  /** The stream of a key has ended here, but not for the server: its name is free, and the key is not used again. */
  leave(key: string | number): void;
  /** The control frame that begins a stream; undefined: none is needed. */
  opening(key: string | number, stateId: string | undefined, options: OpenOptions): string | undefined;
  /** The control frame that ends it. Throws INVALID_ARGUMENT for options that it cannot have. */
  closing(key: string | number, options: CloseOptions): string | undefined;
}

/** Answers that the connection may owe all its streams; the server closes one that is owed more (`maxInFlightPerConnection`). */
const MAX_IN_FLIGHT = 1024;

/**
 * Many streams over one connection, which is made at once.
 *
 * ```ts
 * const cameras = client.streams({ raw: "image" });
 * const door = cameras.open("door");
 * const yard = cameras.open("yard", { start: true });
 * await Promise.all([door.send(new Float32Array(16)), yard.send(new Float32Array(16))]);
 * const { value: seen } = await door.next();
 * await cameras.close();
 * ```
 */
export class StreamSet<In, Out> {
  readonly #codec: SetCodec<In, Out>;
  readonly #stream: InferStream<SetStep<In>, SetAnswer<Out>>;
  readonly #maxInFlight: number;
  readonly #handles = new Map<string | number, StreamHandle<In, Out>>();
  #ended: { readonly failure: HeadraceError | undefined } | undefined;

  /**
   * For clients, not for users: see `HeadraceClient.streams`.
   *
   * @internal
   */
  constructor(codec: SetCodec<In, Out>, connection: StreamConnection) {
    this.#codec = codec;
    this.#maxInFlight = connection.maxInFlight;
    this.#stream = new InferStream(codec, { ...connection, maxInFlight: MAX_IN_FLIGHT });
    void this.#dispatch();
  }

  /** Resolves once the connection stands. Throws as `InferStream.opened` does. */
  opened(): Promise<void> {
    return this.#stream.opened();
  }

  /**
   * Begins a stream, or goes on with one whose state still lives.
   *
   * @param stateId Its name. Default, in raw sets only: none, its state is its own and ends with it.
   * @throws HeadraceError INVALID_ARGUMENT where it is open in this set already or no server takes it for a name,
   * RESOURCE_EXHAUSTED where there are too many.
   */
  open(stateId?: string, options: OpenOptions = {}): StreamHandle<In, Out> {
    if (this.#ended !== undefined)
      throw this.#ended.failure ?? new HeadraceError("UNAVAILABLE", "the streams are closed");
    const key = this.#codec.take(stateId);
    const handle = new StreamHandle<In, Out>({
      key,
      stateId,
      codec: this.#codec,
      maxInFlight: this.#maxInFlight,
      send: (frame) => this.#stream.sendFrame(frame),
      over: (isFree) => {
        this.#handles.delete(key);
        if (isFree) this.#codec.giveBack(key);
        else this.#codec.leave(key);
      },
    });
    this.#handles.set(key, handle);
    handle.begin(options);
    return handle;
  }

  /** Waits until all answers have arrived, and closes the connection. Answers can still be taken from the handles. */
  close(): Promise<void> {
    return this.#stream.close();
  }

  async #dispatch(): Promise<void> {
    let failure: HeadraceError | undefined;
    try {
      for await (const { key, answer, error } of this.#stream) {
        // An error that says of no stream that it is of it would leave one waiting for ever.
        if (key === undefined) throw error ?? new HeadraceError("INTERNAL", "an answer names no stream");
        this.#handles.get(key)?.arrived(error ?? answer);
      }
    } catch (error) {
      failure = toHeadraceError(error);
    }
    this.#ended = { failure };
    for (const handle of this.#handles.values()) handle.lost(failure);
    this.#handles.clear();
  }
}

interface HandleInit<In, Out> {
  readonly key: string | number;
  readonly stateId: string | undefined;
  readonly codec: SetCodec<In, Out>;
  readonly maxInFlight: number;
  send(frame: Uint8Array | string): Promise<void>;
  /** @param isFree  whether its key may be another stream's */
  over(isFree: boolean): void;
}

interface Reader<Out> {
  resolve(result: IteratorResult<Out, undefined>): void;
  reject(error: HeadraceError): void;
}

/**
 * One of the streams that share a connection: `send` steps it, iterating gives the answers in their order. A step that failed
 * throws its error in its place, and the stream goes on.
 *
 * ```ts
 * const door = client.streams({ raw: "x" }).open("door", { start: true });
 * await door.send(Float32Array.of(1, 2));
 * const { value: bytes } = await door.next();
 * await door.close({ end: true });
 * ```
 */
export class StreamHandle<In, Out> implements AsyncIterableIterator<Out, undefined> {
  readonly #init: HandleInit<In, Out>;
  readonly #answers: (Out | HeadraceError)[] = [];
  readonly #readers: Reader<Out>[] = [];
  /** Sends the steps that wait for room, each its own, in the order in which they were given. */
  readonly #waiting: (() => void)[] = [];
  /** What is sent and not acknowledged, and what it is: a step, or a control frame. */
  readonly #sent: ("step" | "open" | "close")[] = [];
  /** Steps whose answers were not taken yet. */
  #outstanding = 0;
  #startsNext = false;
  #closing: Promise<void> | undefined;
  #closed: ((refusal?: HeadraceError) => void) | undefined;
  #isOver = false;
  #failure: HeadraceError | undefined;
  #failureIsThrown = false;

  /** @internal */
  constructor(init: HandleInit<In, Out>) {
    this.#init = init;
  }

  /** Its name; undefined: it has none that others could use. */
  get stateId(): string | undefined {
    return this.#init.stateId;
  }

  /** @internal */
  begin(options: OpenOptions): void {
    const { codec, key, stateId } = this.#init;
    const control = codec.opening(key, stateId, options);
    if (control === undefined) this.#startsNext = options.start ?? false;
    else void this.#control("open", control);
  }

  /**
   * Sends one step. Waits while `maxInFlight` answers of this stream are outstanding, those not taken included. Calls that
   * overlap are sent in the order made.
   *
   * @throws HeadraceError INVALID_ARGUMENT for an input that cannot be encoded, UNAVAILABLE after `close`, or what ended the
   * connection.
   */
  send(input: In, options: SendOptions = {}): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(() => resolve(this.#step(input, options)));
      this.#wake();
    });
  }

  /** The next answer. Throws the error that the step was answered with, or, once, what ended the connection. */
  next(): Promise<IteratorResult<Out, undefined>> {
    return new Promise((resolve, reject) => {
      const reader = { resolve, reject };
      const answer = this.#answers.shift();
      if (answer !== undefined) this.#give(reader, answer);
      else if (this.#isOver) this.#giveEnd(reader);
      else this.#readers.push(reader);
    });
  }

  /** Leaving a `for await` loop closes the stream. */
  async return(): Promise<IteratorResult<Out, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  /** The stream itself: iterating again goes on where it was left, as after a step that failed. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * Sends no more, and resolves when all answers have arrived, which can still be taken. The others of the set go on.
   *
   * @throws HeadraceError INVALID_ARGUMENT for options that it cannot have, or what the server refused the end with, such as
   * RESOURCE_EXHAUSTED beyond the client's rate. Then the stream goes on.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    if (this.#closing === undefined && !this.#isOver) {
      const { codec, key } = this.#init;
      this.#closing = this.#close(codec.closing(key, options));
      this.#wake();
    }
    await this.#closing;
  }

  /** @internal */
  arrived(answer: Out | HeadraceError | undefined): void {
    const what = this.#sent.shift();
    if (what === "step" && answer !== undefined && !this.#isOver) this.#deliver(answer);
    else if (what === "open" && answer instanceof HeadraceError) this.#refused(answer);
    else if (what === "close") this.#ended(answer instanceof HeadraceError ? answer : undefined);
    if (this.#closed !== undefined && this.#sent.length === 0) this.#finish(undefined);
  }

  /** @internal */
  lost(failure: HeadraceError | undefined): void {
    this.#finish(failure);
  }

  /** Goes out at once, unless it is refused: then nothing has changed. */
  async #step(input: In, options: SendOptions): Promise<void> {
    if (this.#isOver || this.#closing !== undefined) throw this.#whyOver();
    const { codec, key } = this.#init;
    const start = options.start ?? this.#startsNext;
    const frame = codec.encode({ key, input }, start ? { ...options, start } : options);
    this.#startsNext = false;
    this.#outstanding += 1;
    this.#sent.push("step");
    await this.#init.send(frame);
  }

  /** It was not begun. Steps that were sent already have stepped something else, under a key that is to be free again. */
  #refused(error: HeadraceError): void {
    const { codec, key } = this.#init;
    const control = this.#sent.includes("step") ? codec.closing(key, {}) : undefined;
    // One end is enough: the key may be another stream's when a second one is answered.
    if (!this.#sent.includes("close")) {
      if (control === undefined) this.#init.over(true);
      else void this.#control("close", control);
    }
    this.#finish(error);
  }

  /** @param refusal  why the server still has the stream: its key then stays its own, and it can be closed again */
  #ended(refusal: HeadraceError | undefined): void {
    if (refusal === undefined) {
      this.#init.over(true);
    } else if (this.#isOver) {
      this.#init.over(false);
    } else {
      this.#closing = undefined;
      this.#closed?.(refusal);
      this.#closed = undefined;
    }
  }

  async #close(control: string | undefined): Promise<void> {
    const closed = new Promise<void>((resolve, reject) => {
      this.#closed = (refusal) => (refusal === undefined ? resolve() : reject(refusal));
    });
    if (control !== undefined) void this.#control("close", control);
    else if (this.#sent.length === 0) this.#finish(undefined);
    await closed;
    // What has no frame for its end is over with its last answer.
    if (control === undefined) this.#init.over(true);
  }

  async #control(what: "open" | "close", control: string): Promise<void> {
    this.#sent.push(what);
    try {
      await this.#init.send(control);
    } catch (error) {
      this.#finish(toHeadraceError(error));
    }
  }

  #deliver(answer: Out | HeadraceError): void {
    const reader = this.#readers.shift();
    if (reader === undefined) this.#answers.push(answer);
    else this.#give(reader, answer);
  }

  #give(reader: Reader<Out>, answer: Out | HeadraceError): void {
    this.#outstanding -= 1;
    this.#wake();
    if (answer instanceof HeadraceError) reader.reject(answer);
    else reader.resolve({ done: false, value: answer });
  }

  #giveEnd(reader: Reader<Out>): void {
    if (this.#failure === undefined || this.#failureIsThrown) {
      reader.resolve({ done: true, value: undefined });
      return;
    }
    this.#failureIsThrown = true;
    reader.reject(this.#failure);
  }

  #finish(failure: HeadraceError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = failure;
    for (const reader of this.#readers.splice(0)) this.#giveEnd(reader);
    this.#closed?.();
    this.#wake();
  }

  #whyOver(): HeadraceError {
    return this.#failure ?? new HeadraceError("UNAVAILABLE", "the stream is closed");
  }

  /** Sends what there is room for; what cannot be sent any more is told so. */
  #wake(): void {
    const { maxInFlight } = this.#init;
    while (this.#isOver || this.#closing !== undefined || this.#outstanding < maxInFlight) {
      const send = this.#waiting.shift();
      if (send === undefined) return;
      send();
    }
  }
}
