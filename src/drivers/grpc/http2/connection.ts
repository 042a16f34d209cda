/**
 * One HTTP/2 connection (RFC 9113), a server's side of it, over any socket: its streams, their windows and their ends. What arrives
 * is cut and decoded by Incoming; what is sent is the sender's.
 */
import type { Socket } from "node:net";
import type { SharedBytes } from "../shared-bytes.js";
import { FloodGuard } from "./flood-guard.js";
import { ConnectionError, H2, type H2Code, INITIAL_WINDOW, MAX_WINDOW } from "./frames.js";
import type { HeaderBlock } from "./hpack-decoder.js";
import { type FrameListener, Incoming } from "./incoming.js";
import { areTrailers, isRequest } from "./request-rules.js";
import { Sender, type SenderOwner } from "./sender.js";
import { readSettings, settingsFrame } from "./settings.js";
import { Stall } from "./stall.js";
import { Http2Stream, type Payload } from "./stream.js";

export interface ConnectionLimits {
  /** Requests open at a time; one more is refused, which clients wait for. */
  readonly maxStreams: number;
  /** Bytes of one request that may be on their way before they are consumed. */
  readonly streamWindowBytes: number;
  /** The same for all requests together. */
  readonly connectionWindowBytes: number;
  /** Bytes of all requests that came and are not consumed; beyond it no more are let on their way until some are. */
  readonly maxUnconsumedBytes: number;
  /** The headers of one request, with 32 bytes added for each. */
  readonly maxHeaderListBytes: number;
  /** What may wait for a client that does not read. */
  readonly maxBackpressureBytes: number;
}

/** Who owns connections. */
export interface ConnectionHost {
  readonly limits: ConnectionLimits;
  /** Answers that wait for their clients. */
  readonly unread: SharedBytes;
  /** A new request; its handler must be set before this returns, unless the stream was ended or reset. */
  opened(stream: Http2Stream, block: HeaderBlock): void;
  /** `flush` is due at the end of this turn. */
  wrote(connection: Connection): void;
  closed(connection: Connection): void;
}

/** How long a client may take to read the last of what it was sent, and to close its side. */
const CLOSE_GRACE_MILLIS = 1000;
/** Streams that we have given up and whose frames may still be on their way. */
const MAX_RESETS_REMEMBERED = 4096;

export class Connection implements SenderOwner, FrameListener {
  readonly sender: Sender;
  private readonly streams = new Map<number, Http2Stream>();
  private readonly resets = new Set<number>();
  private readonly guard = new FloodGuard();
  private readonly incoming: Incoming;
  private lastStream = 0;
  private receiveWindow: number;
  private uncredited = 0;
  /** Bytes of requests that came and are not consumed. */
  private unconsumed = 0;
  /** While answers that are all there wait for the client. */
  private stall: Stall | undefined;
  private lastTick = performance.now();
  private isPaused = false;
  private isGoingAway = false;
  private isClosed = false;

  constructor(
    readonly socket: Socket,
    private readonly host: ConnectionHost,
  ) {
    const { limits } = host;
    this.sender = new Sender(socket, this, limits.maxBackpressureBytes, host.unread);
    this.incoming = new Incoming(this, this.guard, limits.maxHeaderListBytes);
    this.receiveWindow = limits.connectionWindowBytes;
    socket.on("data", (chunk: Buffer) => this.received(chunk));
    socket.on("drain", () => this.socketDrained());
    // What went wrong with a client's connection is the client's affair; `close` follows.
    socket.on("error", () => {});
    socket.on("close", () => this.over());
  }

  /** Whether all requests are answered and nothing waits to be written. */
  get isIdle(): boolean {
    return this.sender.isEmpty && this.open.every((stream) => stream.isAnswered);
  }

  /** Requests whose answers have not ended. */
  get open(): readonly Http2Stream[] {
    return [...this.streams.values()];
  }

  /** Whether its client cannot send, because nothing more is taken of it. */
  get isHoldingBack(): boolean {
    return this.isPaused || this.unconsumed > this.host.limits.maxUnconsumedBytes;
  }

  /** Takes no new requests; those open go on. The client is told, and goes elsewhere with the next one. */
  goAway(): void {
    if (this.isClosed || this.isGoingAway) return;
    this.isGoingAway = true;
    // Before our settings nothing may come.
    if (this.incoming.isHttp2) this.sender.goAway(this.lastStream, H2.NO_ERROR, "");
  }

  /**
   * Gives up whole answers that their client does not take in time.
   * @param now By the monotonic clock, in milliseconds.
   * @returns How many that were.
   */
  tick(now: number): number {
    const elapsed = now - this.lastTick;
    this.lastTick = now;
    const unread = this.open.filter((stream) => stream.isUnread);
    if (unread.length === 0) {
      this.stall = undefined;
      return 0;
    }
    // What is in the socket cannot have been answered with a wider window.
    const held = this.sender.isEmpty ? unread.filter((stream) => stream.sendWindow <= 0) : [];
    const late = held.filter((stream) => isStalled(stream, elapsed));
    for (const stream of late) this.reset(stream, H2.ENHANCE_YOUR_CALM);
    if (held.length === unread.length) return late.length;
    this.stall ??= new Stall();
    this.stall.held(elapsed, this.sender.takenBytes);
    if (!this.stall.isTooLong(this.sender.onTheirWay)) return late.length;
    this.fail(new ConnectionError(H2.ENHANCE_YOUR_CALM, "answers were not taken in time"));
    return unread.length;
  }

  /** Writes what is due and ends the connection. */
  end(): void {
    if (this.isClosed) return;
    this.sender.flush();
    this.socket.end();
    this.over();
    // Its end is to be seen; a client that never ends its side must not keep the socket, nor the process.
    this.socket.resume();
    const timer = setTimeout(() => this.socket.destroy(), CLOSE_GRACE_MILLIS);
    this.socket.once("close", () => clearTimeout(timer));
  }

  /** Everything written since the last time goes to the socket. A client that does not read it is not read either. */
  flush(): void {
    if (this.isClosed) return;
    this.sender.flush();
    if (!this.sender.isBackedUp) {
      // 'drain' follows only where the system did not take all at once.
      this.sender.pumpBlocked();
    } else if (!this.isPaused) {
      this.isPaused = true;
      this.socket.pause();
    }
  }

  send(stream: Http2Stream, payload: Payload): void {
    this.guard.useful();
    this.sender.data(stream, payload);
  }

  reset(stream: Http2Stream, code: H2Code): void {
    this.refuse(stream.id, code);
    this.forget(stream);
  }

  /** The stream's request needs so many bytes of memory less. */
  credit(stream: Http2Stream, bytes: number): void {
    stream.unconsumed -= bytes;
    this.unconsumed -= bytes;
    this.creditConnection();
    stream.uncredited += bytes;
    if (stream.hasRemoteEnded || 2 * stream.uncredited < this.host.limits.streamWindowBytes) return;
    this.sender.windowUpdate(stream.id, stream.uncredited);
    stream.receiveWindow += stream.uncredited;
    stream.uncredited = 0;
  }

  wrote(): void {
    this.host.wrote(this);
  }

  answered(stream: Http2Stream): void {
    this.guard.answered();
    if (stream.hasRemoteEnded) this.forget(stream);
    else if (stream.abandonsRest) this.reset(stream, H2.NO_ERROR);
  }

  private received(chunk: Buffer): void {
    if (this.isClosed) return;
    try {
      this.incoming.read(chunk);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.fail(error);
    }
  }

  /** Not before it is clear that the client speaks HTTP/2: one that does not is to have an answer that it understands. */
  onPreface(): void {
    const { limits } = this.host;
    this.sender.raw(settingsFrame(limits));
    this.sender.windowUpdate(0, limits.connectionWindowBytes - INITIAL_WINDOW);
    if (this.isGoingAway) this.sender.goAway(this.lastStream, H2.NO_ERROR, "");
  }

  onPing(payload: Buffer): void {
    this.sender.pong(payload);
  }

  onData(id: number, body: Buffer, bytes: number, isEnd: boolean): void {
    const stream = this.known(id, "DATA");
    this.receiveWindow -= bytes;
    if (this.receiveWindow < 0) throw new ConnectionError(H2.FLOW_CONTROL_ERROR, "more DATA than the window allows");
    this.uncredited += bytes;
    this.creditConnection();
    if (body.length > 0) this.guard.useful();
    else if (!isEnd) this.guard.control();
    if (stream === undefined) {
      this.checkClosed(id);
      return;
    }
    stream.receiveWindow -= bytes;
    if (stream.hasRemoteEnded || stream.receiveWindow < 0) {
      this.lose(stream, stream.hasRemoteEnded ? H2.STREAM_CLOSED : H2.FLOW_CONTROL_ERROR);
      return;
    }
    stream.unconsumed += bytes;
    this.unconsumed += bytes;
    stream.hasRemoteEnded = isEnd;
    if (bytes > body.length) this.credit(stream, bytes - body.length);
    if (body.length > 0) stream.handler?.data(body);
    if (isEnd) this.remoteEnded(stream);
  }

  private remoteEnded(stream: Http2Stream): void {
    stream.hasRemoteEnded = true;
    if (stream.isClosed) return;
    if (stream.hasLocalEnded && stream.waiting.length === 0) this.forget(stream);
    else stream.handler?.ended();
  }

  onHeaders(id: number, block: HeaderBlock, isEnd: boolean): void {
    if (id <= this.lastStream) {
      this.trailers(id, isEnd, block);
      return;
    }
    this.lastStream = id;
    if (this.isGoingAway || this.streams.size >= this.host.limits.maxStreams) {
      this.guard.control();
      this.refuse(id, H2.REFUSED_STREAM);
      return;
    }
    block.isRequest ??= block.isTooLarge || isRequest(block.headers);
    if (!block.isRequest) {
      this.guard.reset();
      this.refuse(id, H2.PROTOCOL_ERROR);
      return;
    }
    const { initialWindow } = this.sender.peer;
    const stream = new Http2Stream(this, id, initialWindow, this.host.limits.streamWindowBytes);
    this.streams.set(id, stream);
    stream.hasRemoteEnded = isEnd;
    this.host.opened(stream, block);
    if (isEnd) this.remoteEnded(stream);
  }

  /** Headers of a stream that there was already: the end of a request, or nothing that matters any more. */
  private trailers(id: number, isEnd: boolean, { headers }: HeaderBlock): void {
    const stream = this.streams.get(id);
    if (stream === undefined) this.checkClosed(id);
    else if (stream.hasRemoteEnded) this.lose(stream, H2.STREAM_CLOSED);
    else if (!isEnd || !areTrailers(headers)) this.lose(stream, H2.PROTOCOL_ERROR);
    else this.remoteEnded(stream);
  }

  /** A frame of a stream that is over: it may have been on its way when we gave the stream up, and never else. */
  private checkClosed(id: number): void {
    this.guard.control();
    if (!this.resets.has(id)) throw new ConnectionError(H2.STREAM_CLOSED, `a frame of stream ${id}, which has ended`);
  }

  /** Gives a stream up; what still comes of it does not matter. */
  private refuse(id: number, code: H2Code): void {
    this.sender.reset(id, code);
    this.resets.add(id);
    if (this.resets.size <= MAX_RESETS_REMEMBERED) return;
    for (const oldest of this.resets) {
      this.resets.delete(oldest);
      break;
    }
  }

  onSettings(payload: Buffer): void {
    const { peer } = this.sender;
    const before = peer.initialWindow;
    readSettings(payload, peer);
    const change = peer.initialWindow - before;
    const streams = [...this.streams.values()];
    for (const stream of streams) {
      stream.sendWindow += change;
      if (stream.sendWindow > MAX_WINDOW) throw new ConnectionError(H2.FLOW_CONTROL_ERROR, "a window above 2^31 - 1");
    }
    this.sender.acknowledgeSettings();
    if (change > 0) for (const stream of streams) this.sender.pump(stream);
  }

  onWindowUpdate(id: number, bytes: number): void {
    if (id === 0) {
      this.sender.widened(bytes);
      return;
    }
    const stream = this.known(id, "WINDOW_UPDATE");
    if (stream === undefined) return;
    stream.sendWindow += bytes;
    stream.sentSinceWidened = 0;
    if (bytes === 0) this.lose(stream, H2.PROTOCOL_ERROR);
    else if (stream.sendWindow > MAX_WINDOW) this.lose(stream, H2.FLOW_CONTROL_ERROR);
    else this.sender.pump(stream);
  }

  onReset(id: number): void {
    const stream = this.known(id, "RST_STREAM");
    this.guard.reset();
    if (stream === undefined) return;
    this.forget(stream);
    stream.handler?.closed();
  }

  /** The stream of a frame, or undefined where it has ended. Throws where there never was one. */
  private known(id: number, what: string): Http2Stream | undefined {
    const stream = this.streams.get(id);
    if (stream !== undefined || (id % 2 === 1 && id <= this.lastStream)) return stream;
    throw new ConnectionError(H2.PROTOCOL_ERROR, `${what} of stream ${id}, which was never opened`);
  }

  /** The client broke the rules on one stream. */
  private lose(stream: Http2Stream, code: H2Code): void {
    this.guard.reset();
    this.reset(stream, code);
    stream.handler?.closed();
  }

  private forget(stream: Http2Stream): void {
    stream.isClosed = true;
    this.sender.forget(stream);
    this.streams.delete(stream.id);
    this.unconsumed -= stream.unconsumed;
    if (!this.isClosed) this.creditConnection();
  }

  /** Lets the client send as much as came, whether it is consumed or not: calls that wait are not to hold up the others. */
  private creditConnection(): void {
    const { connectionWindowBytes, maxUnconsumedBytes } = this.host.limits;
    if (2 * this.uncredited < connectionWindowBytes || this.unconsumed > maxUnconsumedBytes) return;
    this.sender.windowUpdate(0, this.uncredited);
    this.receiveWindow += this.uncredited;
    this.uncredited = 0;
  }

  private socketDrained(): void {
    if (this.isPaused) this.socket.resume();
    this.isPaused = false;
    this.sender.pumpBlocked();
  }

  private fail(error: ConnectionError): void {
    if (this.incoming.isHttp2) this.sender.goAway(this.lastStream, error.code, error.message);
    else this.socket.write(HTTP_1_ANSWER);
    this.end();
  }

  private over(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.incoming.stop();
    const streams = [...this.streams.values()];
    for (const stream of streams) this.forget(stream);
    for (const stream of streams) stream.handler?.closed();
    this.host.closed(this);
  }
}

/** Whether the client has not widened the window of a stream for too long, by what the last one let through. */
function isStalled(stream: Http2Stream, elapsed: number): boolean {
  stream.stall ??= new Stall();
  stream.stall.held(elapsed, stream.sentBytes);
  return stream.stall.isTooLong(stream.sentSinceWidened);
}

/** For a browser or a client that speaks HTTP/1.1: words instead of frames. */
const HTTP_1_TEXT = "This port speaks gRPC, which is HTTP/2 without an upgrade.\n";
const HTTP_1_ANSWER = `HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Type: text/plain\r\nContent-Length: ${HTTP_1_TEXT.length}\r\nConnection: close\r\n\r\n${HTTP_1_TEXT}`;
