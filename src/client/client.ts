/** The client of one Headrace server, or, as far as `infer` and `wait` go, of any server that speaks V2. */
import type { RawTensor } from "../datatype.js";
import { HeadraceError, InvalidArgumentError } from "../errors.js";
import { encodeInferRequest, HEADER_LENGTH_FIELD, joinBytes } from "../protocol/index.js";
import { shown } from "../shown.js";
import { serverUrl } from "./address.js";
import { explained, inferAnswer, jsonField, jsonOf, predictBody, taskError } from "./answers.js";
import { type Deadline, deadline, pause } from "./deadline.js";
import { type CallOptions, type Fetch, HttpTransport } from "./http.js";
import { tlsConnection, tlsFetch } from "./node-tls.js";
import type {
  ClientOptions,
  InferAnswer,
  InferOptions,
  NumberedStreams,
  RawStream,
  RawStreamSet,
  StepOptions,
  StreamOptions,
  StreamSetOptions,
  SubscribeOptions,
  TensorStream,
  TensorStreamSet,
  Values,
} from "./options.js";
import { type SocketSettings, socketOpener } from "./socket.js";
import { InferStream, type StreamConnection } from "./stream.js";
import { numberedCodec, rawCodec, tensorCodec } from "./stream-codec.js";
import { StreamSet } from "./stream-set.js";
import { rawSetCodec, tensorSetCodec } from "./stream-set-codec.js";
import { Subscription } from "./subscription.js";

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_RETRIES = 2;
const DEFAULT_MAX_IN_FLIGHT = 16;
const DEFAULT_MAX_STREAMS = 1024;
const DEFAULT_MAX_BUFFERED = 1024;
/** What a server can tell apart. */
const MOST_STREAMS = 65_536;

/** Milliseconds between two looks at something that is not ready yet. */
const POLL_MS = 25;
/** How long one request waits for a task: well within what proxies and servers allow. */
const TASK_WAIT_MS = 20_000;

/**
 * `new HeadraceClient({ url: "http://127.0.0.1:8000" })`, or `{ process }` with the handle of an HTTP driver.
 *
 * Everything it throws is a HeadraceError with the server's code, or UNAVAILABLE (not reachable), DEADLINE_EXCEEDED,
 * CANCELLED, INVALID_ARGUMENT (refused before sending) or INTERNAL (an answer that makes no sense). `retries` says what is
 * tried again; a prediction that may have reached the server never is. There is nothing to close but streams.
 *
 * ```ts
 * const client = new HeadraceClient({ url: "http://127.0.0.1:8000", model: "accumulator" });
 * await client.wait({ timeoutMs: 10_000 });
 * const { sum } = await client.predict({ x: [1, 2] }, { stateId: "ben" });
 * ```
 */
export class HeadraceClient {
  readonly #http: HttpTransport;
  readonly #model: string | undefined;
  readonly #socket: SocketSettings;

  constructor(options: ClientOptions) {
    checkOptions(options);
    const { token, tls, timeoutMs = DEFAULT_TIMEOUT_MS, retries = DEFAULT_RETRIES } = options;
    if (!(Number.isInteger(retries) && retries >= 0))
      throw new InvalidArgumentError(`expected a number of attempts from 0 on, got ${retries}`, { path: "retries" });
    const platformFetch: Fetch = (url, init) => globalThis.fetch(url, init);
    if (tls !== undefined && options.fetch !== undefined)
      throw new InvalidArgumentError("goes without fetch, which has its own", { path: "tls" });
    const connection = tls && tlsConnection(tls);
    const fetch = options.fetch ?? (connection === undefined ? platformFetch : tlsFetch(connection));
    const headers = { ...options.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
    this.#socket = { headers: options.headers ?? {}, token, tls: connection };
    this.#http = new HttpTransport({ url: serverUrl(options), headers, timeoutMs, retries, fetch });
    this.#model = options.model;
  }

  /** Where the server is, without a slash at the end. */
  get url(): string {
    return this.#http.url;
  }

  /**
   * Resolves as soon as the server is ready to predict.
   *
   * @throws HeadraceError DEADLINE_EXCEEDED when it is not within `timeoutMs` (default: the client's); UNAUTHENTICATED and
   *   PERMISSION_DENIED at once, because waiting does not help.
   */
  async wait(options: CallOptions = {}): Promise<void> {
    const timeoutMs = options.timeoutMs ?? this.#http.timeoutMs;
    const limit = deadline(timeoutMs, options.signal, `waiting for ${this.url} to be ready`);
    let last: unknown;
    try {
      while (!limit.signal.aborted) {
        try {
          const { signal } = limit;
          await this.#http.call({ method: "GET", path: "/v2/health/ready", timeoutMs, signal, retries: 0 });
          return;
        } catch (error) {
          if (isRefusal(error)) throw error;
          if (!limit.signal.aborted) last = error;
        }
        await pause(POLL_MS, limit.signal).catch(() => {});
      }
    } finally {
      limit.release();
    }
    throw explained(limit.signal.reason, last);
  }

  /**
   * One prediction with plain values. Typed arrays are sent as JSON arrays, integers above 2^53 as decimal strings, NaN
   * and infinities as strings; integers above 2^53 in the answer are bigints. For tensors `infer` is faster.
   *
   * @returns The outputs by name.
   */
  async predict<Out extends Values = Values>(inputs: Readonly<Values>, options: StepOptions = {}): Promise<Out> {
    return jsonField(await this.#postJson("/predict", inputs, options), "outputs") as Out;
  }

  /**
   * Starts a prediction and returns at once.
   *
   * @param options `timeoutMs` limits the prediction, and sending the request.
   * @returns The task's id for `taskResult`; the server keeps the outcome for its `taskTtlSeconds`.
   *
   * ```ts
   * const taskId = await client.predictTask({ input: 1 });
   * const { output } = await client.taskResult(taskId, { timeoutMs: 60_000 });
   * ```
   */
  async predictTask(inputs: Readonly<Values>, options: StepOptions = {}): Promise<string> {
    return String(jsonField(await this.#postJson("/tasks", inputs, options), "taskId"));
  }

  /**
   * The outputs of a task, waiting for it to be done. Can be asked again until the server forgets the task. Giving up
   * leaves the task as it is; `deleteTask` ends it.
   *
   * @throws HeadraceError: the task's own error, NOT_FOUND, or DEADLINE_EXCEEDED when it is not done within `timeoutMs`.
   */
  async taskResult<Out extends Values = Values>(taskId: string, options: CallOptions = {}): Promise<Out> {
    const limit = deadline(options.timeoutMs ?? this.#http.timeoutMs, options.signal, `waiting for task ${taskId}`);
    try {
      for (;;) {
        const task = await this.#task(taskId, limit);
        const status = jsonField(task, "status");
        if (status === "done") return jsonField(task, "outputs") as Out;
        if (status === "failed") throw taskError(jsonField(task, "error"));
        // A server that does not wait must not be asked without a break.
        await pause(POLL_MS, limit.signal);
      }
    } catch (error) {
      throw limit.signal.aborted ? limit.signal.reason : error;
    } finally {
      limit.release();
    }
  }

  /**
   * Cancels a task that is pending, its state staying as it was, and forgets one that is finished.
   *
   * @throws HeadraceError NOT_FOUND for a task that the server does not know, or no longer.
   */
  async deleteTask(taskId: string, options: CallOptions = {}): Promise<void> {
    const { timeoutMs, signal } = options;
    await this.#http.call({ method: "DELETE", path: taskPath(taskId), timeoutMs, signal });
  }

  /**
   * One V2 inference with tensors, binary both ways.
   *
   * @returns Outputs by name, as views over the answer's memory.
   */
  async infer(inputs: Readonly<Record<string, RawTensor>>, options: InferOptions = {}): Promise<InferAnswer> {
    const { stateId, start, end, id, outputs, priority, timeoutMs, signal } = options;
    const timeoutMicros = timeoutMs === undefined || timeoutMs === Infinity ? undefined : Math.ceil(timeoutMs * 1000);
    const request = { id, sequenceId: stateId, sequenceStart: start, sequenceEnd: end, priority, timeoutMicros };
    const message = encodeInferRequest({ ...request, inputs, outputs }, { binary: true });
    const answer = await this.#http.call({
      method: "POST",
      path: `${this.#modelPath(options.model)}/infer`,
      body: joinBytes([message.header, ...message.parts], message.total),
      headers: { "content-type": "application/octet-stream", [HEADER_LENGTH_FIELD]: String(message.headerLength) },
      timeoutMs,
      signal,
    });
    return inferAnswer(answer);
  }

  /**
   * A stream of steps over one WebSocket, connecting at once. Without `stateId` the connection is a stream of its own,
   * whose state ends with it; with one, its state stays for the server's `stateTtlSeconds`.
   *
   * @param options `raw`: the name of an input, to send only its bytes and get only the outputs' bytes: the cheapest way.
   *   `streams`: how many raw streams share the connection, each step with the number of its stream. Their state ids are
   *   then `stateId`, a slash and the number.
   */
  stream(
    stateId: string | undefined,
    options: StreamOptions & { readonly raw: string; readonly streams: number },
  ): NumberedStreams;
  stream(stateId: string | undefined, options: StreamOptions & { readonly raw: string }): RawStream;
  stream(stateId?: string, options?: StreamOptions): TensorStream;
  stream(
    stateId?: string,
    options: StreamOptions & { readonly raw?: string; readonly streams?: number } = {},
  ): NumberedStreams | RawStream | TensorStream {
    const { raw, streams } = options;
    if (streams !== undefined) checkStreams(streams, "streams");
    if (streams !== undefined && raw === undefined)
      throw new InvalidArgumentError("only raw streams share a connection by number", { path: "streams" });
    const query = new URLSearchParams();
    if (raw !== undefined) query.set("raw", raw);
    if (streams !== undefined) query.set("streams", String(streams));
    if (stateId !== undefined) query.set("sequence_id", stateId);
    const connection = this.#connection("stream", query, options);
    if (raw === undefined) return new InferStream(tensorCodec, connection);
    return streams === undefined
      ? new InferStream(rawCodec, connection)
      : new InferStream(numberedCodec(streams), connection);
  }

  /**
   * Many streams over one WebSocket, connecting at once: `open` begins one, or goes on with one whose state still lives. None
   * waits for another.
   *
   * @param options `raw`: the name of an input, to send only its bytes and get only the outputs' bytes: the cheapest way.
   *
   * ```ts
   * const streams = client.streams();
   * const ben = streams.open("ben");
   * await ben.send({ x: { datatype: "FP32", shape: [1, 2], data: Float32Array.of(1, 2) } });
   * const { value: outputs } = await ben.next();
   * await streams.close();
   * ```
   */
  streams(options: StreamSetOptions & { readonly raw: string }): RawStreamSet;
  streams(options?: StreamSetOptions): TensorStreamSet;
  streams(options: StreamSetOptions & { readonly raw?: string } = {}): RawStreamSet | TensorStreamSet {
    const { raw, maxStreams = DEFAULT_MAX_STREAMS } = options;
    checkStreams(maxStreams, "maxStreams");
    if (raw === undefined) {
      const query = new URLSearchParams({ order: "stream" });
      return new StreamSet(tensorSetCodec(), this.#connection("stream", query, options));
    }
    const query = new URLSearchParams({ raw, streams: String(maxStreams) });
    return new StreamSet(rawSetCodec(maxStreams), this.#connection("stream", query, options));
  }

  /**
   * Follows state ids: the results of their steps, whoever makes them, and their ends.
   *
   * ```ts
   * for await (const event of client.subscribe("camera-7")) {
   *   if (event.type === "step") console.log(event.step, event.outputs);
   * }
   * ```
   */
  subscribe(stateId: string | readonly string[], options: SubscribeOptions = {}): Subscription {
    const { maxBuffered = DEFAULT_MAX_BUFFERED, format = "binary", model, signal } = options;
    if (!(maxBuffered >= 1))
      throw new InvalidArgumentError(`expected at least 1, got ${maxBuffered}`, { path: "maxBuffered" });
    const query = new URLSearchParams({ format });
    for (const name of typeof stateId === "string" ? [stateId] : stateId) query.append("stateId", name);
    return new Subscription(this.#connection("subscribe", query, { model, signal, maxInFlight: maxBuffered }));
  }

  #connection(
    route: string,
    query: URLSearchParams,
    { model, signal, maxInFlight = DEFAULT_MAX_IN_FLIGHT }: ConnectionOptions,
  ): StreamConnection {
    if (!(maxInFlight >= 1))
      throw new InvalidArgumentError(`expected at least 1, got ${maxInFlight}`, { path: "maxInFlight" });
    const search = query.size === 0 ? "" : `?${query}`;
    const url = `${this.url.replace(/^http/, "ws")}${this.#modelPath(model)}/${route}${search}`;
    const { timeoutMs } = this.#http;
    return { url, timeoutMs, maxInFlight, signal, open: socketOpener(this.#socket) };
  }

  /** A task as the server has it, as soon as it is finished or the server has waited long enough. */
  async #task(taskId: string, { remainingMs, signal }: Deadline): Promise<unknown> {
    const waitMs = Math.ceil(Math.min(remainingMs(), TASK_WAIT_MS));
    const path = `${taskPath(taskId)}?waitMs=${waitMs}`;
    return jsonOf(await this.#http.call({ method: "GET", path, timeoutMs: waitMs + this.#http.timeoutMs, signal }));
  }

  #modelPath(model = this.#model): string {
    if (model === undefined)
      throw new InvalidArgumentError("name a model, here or in the client's options", { path: "model" });
    return `/v2/models/${encodeURIComponent(model)}`;
  }

  async #postJson(path: string, inputs: Readonly<Values>, options: StepOptions): Promise<unknown> {
    const { timeoutMs, signal } = options;
    const headers = { "content-type": "application/json" };
    const body = predictBody(inputs, options);
    return jsonOf(await this.#http.call({ method: "POST", path, headers, body, timeoutMs, signal }));
  }
}

type ConnectionOptions = { readonly [Option in keyof StreamOptions]: StreamOptions[Option] | undefined };

/** Whoever writes JavaScript may give nothing, or the URL alone. */
function checkOptions(options: unknown): void {
  if (typeof options === "object" && options !== null) return;
  const message = `expected an object such as { url: "http://127.0.0.1:8000" }, got ${shown(options)}`;
  throw new InvalidArgumentError(message, { path: "options" });
}

/** Whether the server does not let this client in: who waits for that to change waits for ever. */
function isRefusal(error: unknown): boolean {
  return error instanceof HeadraceError && (error.code === "UNAUTHENTICATED" || error.code === "PERMISSION_DENIED");
}

function checkStreams(count: number, path: string): void {
  if (Number.isInteger(count) && count >= 1 && count <= MOST_STREAMS) return;
  throw new InvalidArgumentError(`expected an integer from 1 to ${MOST_STREAMS}, got ${count}`, { path });
}

function taskPath(taskId: string): string {
  return `/tasks/${encodeURIComponent(taskId)}`;
}
