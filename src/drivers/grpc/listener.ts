/**
 * A port over which one or several drivers of a runtime serve their models. It owns the socket, the connections and the
 * services; each driver brings a GrpcModel, and calls find it by the model's name.
 */
import type { Socket } from "node:net";
import { bug, serverStopping, toHeadraceError } from "../../errors.js";
import type { Logger } from "../../log.js";
import type { DriverMetric, RepositoryControl, SharedListener } from "../../runtime/index.js";
import type { Access } from "../../serving/access.js";
import { checkShared, openAccess } from "../../serving/access-parameters.js";
import { ServedModels } from "../../serving/served-models.js";
import { Call, type CallReceiver } from "./call.js";
import { type CallHead, callHead } from "./call-head.js";
import { ConnectionBytes } from "./connection-bytes.js";
import { GrpcGate } from "./gate.js";
import type { GrpcModel } from "./grpc-model.js";
import { Connection, type ConnectionHost, type ConnectionLimits } from "./http2/connection.js";
import type { HeaderBlock } from "./http2/hpack-decoder.js";
import type { Http2Stream } from "./http2/stream.js";
import { Inferences } from "./infer.js";
import { type ListenerCounters, listenerMetrics } from "./listener-metrics.js";
import { type GrpcParameters, grpcParameters, LISTENER_PARAMETERS, type ListenerParameters } from "./parameters.js";
import { Services } from "./services.js";
import { SharedBytes } from "./shared-bytes.js";
import { type Door, listenOn } from "./sockets.js";
import { httpAnswer, statusOf, trailersOnly } from "./status.js";
import { StreamInfer } from "./stream-infer.js";

export interface ListenerInit {
  readonly parameters: ListenerParameters;
  /** What loads and unloads models, as of now. */
  readonly repository: () => RepositoryControl | undefined;
  readonly log: Logger | undefined;
  /** How often slow clients are looked for, in milliseconds. Default: 1000. */
  readonly tickMillis?: number;
}

/** Bytes of one call that may be on their way before they are consumed. */
const STREAM_WINDOW_BYTES = 1 << 20;
/** Of all calls of a connection. Most of what is taken in is consumed at once, so this is about the line, not about memory. */
const CONNECTION_WINDOW_BYTES = 16 << 20;
/** Of all calls of a connection that have to wait. Beyond it the other calls of the connection wait too. */
const MAX_UNCONSUMED_BYTES = 64 << 20;
/** Messages of one connection that are not whole or not unpacked, in largest messages; at least a connection's window of them. */
const UNFINISHED_MESSAGES = 4;

/** How often slow clients are looked for. */
const TICK_MILLIS = 1000;
/** How long whoever stops waits for the messages of calls that have none. */
const FIRST_MESSAGE_MILLIS = 1000;

/** One connection alone cannot have all the room for answers that wait. */
const UNREAD_SHARES = 8;

const TOO_MUCH_INCOMING =
  "requests that are on their way have too many bytes together (maxIncomingBytes); try again later";
const TOO_MUCH_UNREAD =
  "answers that clients have not read have too many bytes together (maxUnreadBytes); what was asked for is done, its answer is lost";

export class GrpcListener implements SharedListener, ConnectionHost {
  readonly models = new ServedModels<GrpcModel>();
  readonly limits: ConnectionLimits;
  readonly unread: SharedBytes;
  private readonly incoming: SharedBytes;
  private door: Door | undefined;
  private boundPort = 0;
  private opening: Promise<void> | undefined;
  private isClosed = false;
  /** Since when nobody goes on serving here, by the monotonic clock in milliseconds. */
  private drainingSince = Number.POSITIVE_INFINITY;
  private readonly clock: NodeJS.Timeout;
  private readonly users = new Set<object>();
  private readonly connections = new Map<Connection, ConnectionBytes>();
  private readonly streams = new Set<StreamInfer>();
  private readonly inferences = new Inferences(this.models);
  private readonly services: Services;
  private readonly gate: GrpcGate;
  private readonly heads = new WeakMap<HeaderBlock, CallHead>();
  private unwritten: Connection[] = [];
  private refusedConnections = 0;
  /** Calls whose message did not come in time, or whose answer was not taken. */
  private late = 0;

  private constructor(
    private readonly init: ListenerInit,
    private readonly access: Access,
  ) {
    this.gate = new GrpcGate(init.parameters, access);
    // What came while this process stood still is read first.
    const tick = (): void => void setImmediate(() => this.tick(performance.now()));
    this.clock = setInterval(tick, init.tickMillis ?? TICK_MILLIS).unref();
    access.onChange(() => {
      for (const call of this.calls()) call.recheck(access);
    });
    const { maxStreamsPerConnection, maxHeaderBytes, maxBackpressureBytes } = init.parameters;
    const { maxMessageBytes, maxIncomingBytes, maxUnreadBytes } = init.parameters;
    // One message alone is always taken.
    this.incoming = new SharedBytes(Math.max(maxIncomingBytes, maxMessageBytes), TOO_MUCH_INCOMING);
    this.unread = new SharedBytes(maxUnreadBytes, TOO_MUCH_UNREAD, maxUnreadBytes / UNREAD_SHARES);
    this.limits = {
      maxStreams: maxStreamsPerConnection,
      streamWindowBytes: STREAM_WINDOW_BYTES,
      connectionWindowBytes: CONNECTION_WINDOW_BYTES,
      maxUnconsumedBytes: MAX_UNCONSUMED_BYTES,
      maxHeaderListBytes: maxHeaderBytes,
      maxBackpressureBytes,
    };
    this.services = new Services(this, this.inferences, (call) => this.openStream(call));
  }

  /**
   * Listens on a port; 0 takes any free one.
   * @throws HeadraceError PORT_IN_USE; INVALID_ARGUMENT or NOT_FOUND where the files of tokens or TLS do not fit, and where others
   *   would reach a server that anybody may use.
   */
  static async open(init: ListenerInit, port: number): Promise<GrpcListener> {
    const listener = new GrpcListener(init, await openAccess(init.parameters, init.log));
    try {
      await listener.listen(port);
      return listener;
    } catch (error) {
      listener.close();
      throw error;
    }
  }

  get port(): number {
    return this.boundPort;
  }

  get parameters(): ListenerParameters {
    return this.init.parameters;
  }

  get repository(): RepositoryControl | undefined {
    return this.init.repository();
  }

  /** Whether nobody goes on serving here. */
  get isDraining(): boolean {
    return this.users.size === 0;
  }

  /** Whether requests are taken, and every model gets on with its own. */
  get isReady(): boolean {
    if (this.isDraining || !(this.repository?.isReady ?? true)) return false;
    return this.models.all().every(({ inference }) => inference.isProgressing());
  }

  /** Whether calls are open, or answers not all written. */
  get isBusy(): boolean {
    for (const connection of this.connections.keys()) if (!connection.isIdle) return true;
    return false;
  }

  /**
   * Someone serves here from now on, until `leave`.
   * @param given What the user said of the parameters that all who share a port have in common.
   * Throws INVALID_ARGUMENT where it is something else than what the listener has.
   */
  async join(user: object, given: Partial<GrpcParameters>): Promise<void> {
    checkShared<ListenerParameters>(this, LISTENER_PARAMETERS, given, grpcParameters(given));
    this.users.add(user);
    // Whoever was last here may have stopped listening, and not be gone yet. All who come then wait for one opening.
    if (this.door !== undefined) return;
    this.opening ??= this.listen(this.port).finally(() => {
      this.opening = undefined;
    });
    try {
      await this.opening;
    } catch (error) {
      this.users.delete(user);
      throw error;
    }
  }

  /**
   * Someone stops serving here. With the last one the door is closed: no connection is taken any more, clients of those that are
   * open are told to go elsewhere, and calls that would never end by themselves end when what they have is answered.
   */
  leave(user: object): void {
    this.users.delete(user);
    if (this.isDraining) {
      this.drainingSince = performance.now();
      this.stopListening();
      for (const connection of this.connections.keys()) connection.goAway();
      const gone = statusOf(serverStopping());
      for (const stream of [...this.streams]) stream.end(gone);
    }
    this.changed();
  }

  /** To be called when a model came, is stopping or has gone. */
  changed(): void {
    this.services.changed(this.isDraining);
  }

  close(): void {
    this.isClosed = true;
    clearInterval(this.clock);
    this.access.close();
    this.stopListening();
    for (const connection of [...this.connections.keys()]) connection.end();
  }

  counters(): ListenerCounters {
    return {
      connections: this.connections.size,
      incomingBytes: this.incoming.total,
      unreadBytes: this.unread.total,
      refused: {
        ...this.gate.clients.refused,
        too_many_connections: this.refusedConnections,
        too_many_bytes: this.incoming.refused,
        too_many_unread: this.unread.refused,
        too_slow: this.late,
      },
    };
  }

  /** The port among the metrics of its models: one of them tells. */
  metricsOf(model: GrpcModel): DriverMetric[] {
    const [first] = this.models.all();
    return model === first ? listenerMetrics(this.counters()) : [];
  }

  /** Gives up messages that do not come in time, and answers that are not taken; `now` by the monotonic clock, in milliseconds. */
  tick(now: number): void {
    for (const connection of [...this.connections.keys()]) this.late += connection.tick(now);
    const isOverdue = this.isDraining && now - this.drainingSince > FIRST_MESSAGE_MILLIS;
    for (const call of this.calls()) {
      if (call.tick(now)) this.late += 1;
      if (isOverdue) call.endUnlessBegun(serverStopping());
    }
  }

  opened(stream: Http2Stream, block: HeaderBlock): void {
    const head = this.headOf(block);
    if (head.httpError !== undefined) {
      stream.end(httpAnswer(head.httpError), true);
      return;
    }
    const { connection } = stream;
    const bytes = this.connections.get(connection);
    if (bytes === undefined) throw bug("a call came over a connection that has gone");
    try {
      if (head.error !== undefined) throw head.error;
      const { role, isStream, open } = this.services.find(head.path);
      const client = this.gate.admit(head, connection.socket, role);
      const call = new Call(head, stream, bytes);
      if (isStream) call.client = client;
      stream.handler = call;
      call.receiver = open(call);
    } catch (error) {
      stream.end(trailersOnly(statusOf(toHeadraceError(error))), true);
    }
  }

  wrote(connection: Connection): void {
    if (this.unwritten.length === 0) queueMicrotask(() => this.flush());
    this.unwritten.push(connection);
  }

  closed(connection: Connection): void {
    this.connections.delete(connection);
  }

  /** Everything that was written to connections in this turn goes to their sockets, in one piece each. */
  private flush(): void {
    const connections = this.unwritten;
    this.unwritten = [];
    for (const connection of connections) connection.flush();
  }

  private *calls(): Iterable<Call> {
    for (const connection of this.connections.keys()) {
      for (const { handler } of connection.open) if (handler instanceof Call) yield handler;
    }
  }

  private openStream(call: Call): CallReceiver {
    const stream = new StreamInfer(call, this.inferences, {
      maxInFlight: this.parameters.maxInFlightPerStream,
      maxBackpressureBytes: this.parameters.maxBackpressureBytes,
      over: () => this.streams.delete(stream),
    });
    this.streams.add(stream);
    return stream;
  }

  /** The same block object comes again with each call that has the same headers. */
  private headOf(block: HeaderBlock): CallHead {
    const known = this.heads.get(block);
    if (known !== undefined) return known;
    const head = callHead(block);
    this.heads.set(block, head);
    return head;
  }

  private connected(socket: Socket): void {
    const { maxMessageBytes } = this.parameters;
    const maxUnfinishedBytes = Math.max(UNFINISHED_MESSAGES * maxMessageBytes, CONNECTION_WINDOW_BYTES);
    const bytes = new ConnectionBytes(maxMessageBytes, maxUnfinishedBytes, this.incoming);
    this.connections.set(new Connection(socket, this), bytes);
  }

  private async listen(port: number): Promise<void> {
    const { host, tls, maxConnections } = this.parameters;
    this.door = await listenOn(
      { host, port, tls, maxConnections },
      {
        connected: (socket) => this.connected(socket),
        refused: () => {
          this.refusedConnections += 1;
        },
      },
    );
    this.boundPort = this.door.port;
    // Whoever wanted it may have given up meanwhile.
    if (this.isClosed) this.stopListening();
  }

  private stopListening(): void {
    this.door?.close();
    this.door = undefined;
  }
}
