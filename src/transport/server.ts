/**
 * A port. Its I/O threads tell what they cannot answer themselves in blocks of events; everything here happens while such a block is
 * read, and what is said in return goes out together when all blocks have been read.
 */

import { addon } from "../engine/load.js";
import { fromNative } from "../engine/native-errors.js";
import { EVENT_FIELDS, EventField, EventFlags, EventKind, type NativeServer } from "../engine/server-surface.js";
import { InvalidArgumentError } from "../errors.js";
import { ByConnection } from "./by-connection.js";
import { HttpRequest } from "./http-request.js";
import { HttpResponse, type ResponseOwner } from "./http-response.js";
import { listenError } from "./listen-error.js";
import { NativeModel, type RawOptions, type StepFollower } from "./native-model.js";
import { Topics } from "./topics.js";
import { type MessageHandler, WebSocket, type WebSocketLimits } from "./web-socket.js";

export interface ServerHandlers {
  /** A request has come. It is to be answered, now or later; its body is handed over after this returns. */
  request(request: HttpRequest, response: HttpResponse): void;
}

export interface TransportOptions {
  /** Threads that read and write sockets; connections are spread over them. */
  readonly threads: number;
  /** Whether they go before all other threads of the machine that do not. Default: false. */
  readonly realtime?: boolean;
  /** One more is closed at once. */
  readonly maxConnections: number;
  /** Bytes of requests and messages that are not done with, of all clients; what would be more is refused. */
  readonly maxIncomingBytes: number;
  /** Bytes of answers that clients do not read, of all clients; beyond it the slowest are closed. */
  readonly maxUnreadBytes: number;
}

/** A client that is slower than that with a head, or a piece of a body, is not served. */
const HEAD_TIMEOUT_MILLIS = 10_000;
/** Idle connections are closed after that; longer than what proxies keep theirs for. */
const KEEP_ALIVE_TIMEOUT_MILLIS = 75_000;

/** What follows it runs when this turn's JavaScript is over. Cheaper than queueMicrotask, which makes a resource for each call. */
const TURN = Promise.resolve();

function nativeServer(options: TransportOptions, onWake: () => void): NativeServer {
  const timeouts = { headTimeoutMillis: HEAD_TIMEOUT_MILLIS, keepAliveTimeoutMillis: KEEP_ALIVE_TIMEOUT_MILLIS };
  try {
    return new (addon().NativeServer)({ ...options, ...timeouts }, onWake);
  } catch (cause) {
    const error = fromNative(cause);
    // Nothing else that it is given can be wrong.
    throw error.code === "INVALID_ARGUMENT"
      ? new InvalidArgumentError(error.message, { path: "realtime", cause })
      : error;
  }
}

export class TransportServer implements ResponseOwner {
  readonly native: NativeServer;
  readonly topics = new Topics();
  private readonly records: Float64Array;
  private readonly threads: number;
  private readonly responses: ByConnection<HttpResponse>;
  private readonly sockets: ByConnection<WebSocket>;
  private readonly models = new Map<number, NativeModel>();
  private isDraining = false;
  private isFlushScheduled = false;

  /** @throws HeadraceError INVALID_ARGUMENT where its threads may not be `realtime`; RESOURCE_EXHAUSTED for want of descriptors */
  constructor(
    options: TransportOptions,
    private readonly handlers: ServerHandlers,
  ) {
    this.threads = options.threads;
    this.responses = new ByConnection(this.threads);
    this.sockets = new ByConnection(this.threads);
    this.native = nativeServer(options, () => this.drain());
    this.records = this.native.records();
  }

  /**
   * Listens on a port; 0 takes any free one. Returns its number.
   * @param proxied  whether connections begin with a PROXY header (version 2)
   * @throws HeadraceError PORT_IN_USE; INVALID_ARGUMENT for a host that is not known
   */
  listen(host: string, port: number, proxied = false): number {
    try {
      const bound = this.native.listen(host, port, proxied);
      this.native.reference(true);
      return bound;
    } catch (cause) {
      throw listenError(host, port, cause);
    }
  }

  /** Lets nobody in any more. Each answer is its connection's last from now on, and says so. */
  stopListening(): void {
    this.native.stopListening();
  }

  /** Ends all connections, after what was written has been sent, and the threads. Everybody is told. */
  async close(): Promise<void> {
    await this.native.close();
    this.drain();
    this.native.letGo();
  }

  get connections(): number {
    return this.native.connections();
  }

  get refusedConnections(): number {
    return this.native.refusedConnections();
  }

  /** Bytes of requests and messages that are not done with. */
  get incomingBytes(): number {
    return this.native.incomingBytes();
  }

  /** Requests and messages that were refused for that. */
  get refusedIncoming(): number {
    return this.native.refusedIncoming();
  }

  /** Bytes of answers that clients do not read. */
  get unreadBytes(): number {
    return this.native.unreadBytes();
  }

  /** Connections that were closed for that. */
  get closedUnread(): number {
    return this.native.closedUnread();
  }

  /** A model whose raw streams the threads serve. */
  addModel(engineToken: number, follower: StepFollower): NativeModel {
    const model = new NativeModel(this.native, engineToken, () => this.commanded(), follower);
    this.models.set(model.handle, model);
    return model;
  }

  removeModel(model: NativeModel): void {
    model.close();
    this.models.delete(model.handle);
  }

  /** Makes a request's connection a WebSocket. `fields`: more lines of the answer, each ended by CRLF. */
  accept(response: HttpResponse, fields: string, limits: WebSocketLimits, handler: MessageHandler): void {
    response.accept(fields, limits);
    this.open(response, handler, false);
  }

  /** The same, and its raw frames go to a model without coming here. */
  acceptRaw(
    response: HttpResponse,
    fields: string,
    model: NativeModel,
    options: RawOptions,
    handler: MessageHandler,
  ): void {
    model.accept(response.connection, fields, options);
    this.open(response, handler, true);
  }

  commanded(): void {
    if (this.isDraining || this.isFlushScheduled) return;
    this.isFlushScheduled = true;
    // After what else is said in this turn, and before the event loop waits.
    void TURN.then(this.flush);
  }

  private readonly flush = (): void => {
    this.isFlushScheduled = false;
    this.native.flush();
  };

  over(connection: number): void {
    this.responses.delete(connection);
  }

  private open({ connection }: HttpResponse, handler: MessageHandler, isRaw: boolean): void {
    this.responses.delete(connection);
    const socket = new WebSocket(this, connection, handler, isRaw);
    this.sockets.add(socket);
    handler.opened(socket);
  }

  private drain(): void {
    this.isDraining = true;
    try {
      for (let thread = 0; thread < this.threads; ++thread) {
        for (let count = this.native.drain(thread); count > 0; count = this.native.drain(thread)) this.read(count);
      }
    } finally {
      this.isDraining = false;
      this.native.flush();
    }
  }

  private read(count: number): void {
    const block = Buffer.from(this.native.block());
    for (let index = 0; index < count; ++index) {
      try {
        this.handle(index * EVENT_FIELDS, block);
      } catch (error) {
        // One connection's failure must not cost the others of its block their events.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  private handle(at: number, block: Buffer): void {
    const { records } = this;
    const connection = records[at + EventField.connection] as number;
    const from = records[at + EventField.offset] as number;
    const flags = records[at + EventField.flags] as number;
    const middle = from + (records[at + EventField.headBytes] as number);
    // Not a Buffer, of which `slice` is no copy.
    const body = new Uint8Array(block.buffer, block.byteOffset + middle, records[at + EventField.bodyBytes] as number);
    switch (records[at + EventField.kind]) {
      case EventKind.request:
        this.request(connection, block.toString("latin1", from, middle), body, flags);
        break;
      case EventKind.body:
        this.responses.get(connection)?.body(body, (flags & EventFlags.bodyComplete) !== 0);
        break;
      case EventKind.aborted:
        this.aborted(connection);
        break;
      case EventKind.sent:
        this.sent(connection);
        break;
      case EventKind.message:
      case EventKind.control:
        this.sockets.get(connection)?.handler.message(body, (flags & EventFlags.binary) !== 0);
        break;
      case EventKind.closed:
        this.closed(connection, records[at + EventField.extra] as number, Buffer.from(body).toString());
        break;
      case EventKind.tapped:
        this.tapped(at, body, flags);
        break;
    }
  }

  private request(connection: number, head: string, body: Uint8Array, flags: number): void {
    const response = new HttpResponse(this, connection, (flags & EventFlags.upgrade) !== 0);
    this.responses.add(response);
    response.begun(body, (flags & EventFlags.bodyComplete) !== 0);
    this.handlers.request(new HttpRequest(head), response);
    response.handOverFirst();
  }

  private aborted(connection: number): void {
    const response = this.responses.get(connection);
    this.responses.delete(connection);
    response?.aborted();
    // It was accepted as a WebSocket, but its client had gone by then.
    this.closed(connection, 1006, "");
  }

  private sent(connection: number): void {
    const socket = this.sockets.get(connection);
    if (socket === undefined) this.responses.get(connection)?.sent();
    else socket.drained();
  }

  private closed(connection: number, code: number, reason: string): void {
    const socket = this.sockets.get(connection);
    this.sockets.delete(connection);
    socket?.handler.closed(code, reason);
  }

  private tapped(at: number, outputs: Uint8Array, flags: number): void {
    const key = this.records[at + EventField.extra] as number;
    const model = this.models.get(this.records[at + EventField.extra + 1] as number);
    model?.follower(key, (flags & EventFlags.succeeded) === 0 ? undefined : outputs);
  }
}
