/**
 * One HTTP/2 connection (RFC 9113), a server's side of it, over any socket: streams, flow control both ways, limits. What it
 * writes in one turn of the event loop goes to the socket in one piece.
 */
import type { Socket } from "node:net";
import { FloodGuard } from "./flood-guard.js";
import {
  ConnectionError,
  FLAG,
  FRAME,
  FRAME_HEADER_BYTES,
  FrameReader,
  H2,
  type H2Code,
  MAX_FRAME_BYTES,
  MAX_WINDOW,
  PREFACE,
  writeFrameHeader,
} from "./frames.js";
import { type HeaderBlock, HpackDecoder } from "./hpack-decoder.js";
import { Output } from "./output.js";
import { readSettings, settingsFrame, type PeerSettings } from "./settings.js";
import { Http2Stream, type Payload } from "./stream.js";

export interface ConnectionLimits {
  /** Requests open at a time; one more is refused, which clients wait for. */
  readonly maxStreams: number;
  /** Bytes of one request that may be on their way before they are consumed. */
  readonly streamWindowBytes: number;
  /** The same for all requests together. */
  readonly connectionWindowBytes: number;
  /** The headers of one request, with 32 bytes added for each. */
  readonly maxHeaderListBytes: number;
  /** What may wait for a client that does not read. */
  readonly maxBackpressureBytes: number;
}

/** Who owns connections. */
export interface ConnectionHost {
  readonly limits: ConnectionLimits;
  /** A new request; its handler must be set before this returns, unless the stream was ended or reset. */
  opened(stream: Http2Stream, block: HeaderBlock): void;
  /** `flush` is due at the end of this turn. */
  wrote(connection: Connection): void;
  closed(connection: Connection): void;
}

/** What HTTP/2 gives the connection itself to begin with. */
const INITIAL_CONNECTION_WINDOW = 65_535;
const HEADER_TABLE_BYTES = 4096;
/** Blocks longer than their headers may be are not even put together. */
const BLOCK_SLACK_BYTES = 4096;

export class Connection {
  readonly streams = new Map<number, Http2Stream>();
  isClosed = false;
  private readonly output = new Output();
  private readonly reader = new FrameReader((type, flags, id, payload) => this.frame(type, flags, id, payload));
  private readonly hpack: HpackDecoder;
  private readonly guard = new FloodGuard();
  private readonly peer: PeerSettings = { initialWindow: 65_535, maxFrameBytes: MAX_FRAME_BYTES };
  private prefaceBytes = 0;
  private hasSettings = false;
  private lastStream = 0;
  private sendWindow = INITIAL_CONNECTION_WINDOW;
  private receiveWindow: number;
  private uncredited = 0;
  /** Streams with DATA that wait for the connection's window or for the socket. */
  private readonly blocked = new Set<Http2Stream>();
  private isPaused = false;
  /** A header block of which more is to come. */
  private continued: { stream: number; flags: number; parts: Buffer[]; bytes: number } | undefined;
  private isGoingAway = false;

  constructor(
    readonly socket: Socket,
    private readonly host: ConnectionHost,
  ) {
    const { limits } = host;
    this.hpack = new HpackDecoder(HEADER_TABLE_BYTES, limits.maxHeaderListBytes);
    this.receiveWindow = limits.connectionWindowBytes;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.received(chunk));
    socket.on("drain", () => this.socketDrained());
    // What went wrong with a client's connection is the client's affair; `close` follows.
    socket.on("error", () => {});
    socket.on("close", () => this.over());
    this.write(settingsFrame(limits));
    this.windowUpdate(0, limits.connectionWindowBytes - INITIAL_CONNECTION_WINDOW);
  }

  /** Whether no request is open and nothing waits to be written. */
  get isIdle(): boolean {
    return this.streams.size === 0 && this.output.length === 0 && this.socket.writableLength === 0;
  }

  /** Takes no new requests; those open go on. The client is told, and goes elsewhere with the next one. */
  goAway(): void {
    if (this.isClosed || this.isGoingAway) return;
    this.isGoingAway = true;
    this.writeGoAway(H2.NO_ERROR, "");
  }

  /** Writes what is due and ends the connection. */
  end(): void {
    if (this.isClosed) return;
    this.flush();
    this.socket.end();
    this.over();
  }

  /** Everything written since the last time, in one piece. */
  flush(): void {
    if (this.isClosed || this.output.length === 0) return;
    const whole = this.output.buffer;
    const taken = this.output.take();
    this.socket.write(taken);
    // All of it went to the kernel at once: then the buffer is free again.
    if (this.socket.writableLength === 0) this.output.giveBack(taken, whole);
    else this.pauseWhereBackedUp();
  }

  writeHeaders(stream: Http2Stream, block: Buffer, isEnd: boolean): void {
    const at = this.reserve(FRAME_HEADER_BYTES + block.length);
    const { buffer } = this.output;
    const flags = FLAG.END_HEADERS | (isEnd ? FLAG.END_STREAM : 0);
    writeFrameHeader(buffer, at, block.length, FRAME.HEADERS, flags, stream.id);
    block.copy(buffer, at + FRAME_HEADER_BYTES);
  }

  writeData(stream: Http2Stream, payload: Payload): void {
    const { byteLength } = payload;
    this.guard.useful();
    if (stream.waiting.length === 0 && byteLength <= this.roomFor(stream)) {
      const at = this.beginData(stream, byteLength);
      payload.writeTo(this.output.buffer, at);
      return;
    }
    const data = Buffer.allocUnsafe(byteLength);
    payload.writeTo(data, 0);
    stream.waiting.push({ data });
    stream.waitingBytes += byteLength;
    this.pump(stream);
  }

  writeTrailers(stream: Http2Stream, trailers: Buffer): void {
    stream.hasLocalEnded = true;
    if (stream.waiting.length === 0) this.finish(stream, trailers);
    else stream.waiting.push({ trailers });
  }

  reset(stream: Http2Stream, code: H2Code): void {
    this.resetId(stream.id, code);
    this.forget(stream);
  }

  credit(stream: Http2Stream, bytes: number): void {
    stream.uncredited += bytes;
    if (stream.hasRemoteEnded || 2 * stream.uncredited < this.host.limits.streamWindowBytes) return;
    this.windowUpdate(stream.id, stream.uncredited);
    stream.receiveWindow += stream.uncredited;
    stream.uncredited = 0;
  }

  private received(chunk: Buffer): void {
    if (this.isClosed) return;
    try {
      const from = this.prefaceBytes === PREFACE.length ? 0 : this.preface(chunk);
      if (this.prefaceBytes === PREFACE.length) this.reader.read(chunk, from);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.fail(error);
    }
  }

  private preface(chunk: Buffer): number {
    const count = Math.min(PREFACE.length - this.prefaceBytes, chunk.length);
    const isRight = PREFACE.compare(chunk, 0, count, this.prefaceBytes, this.prefaceBytes + count) === 0;
    if (!isRight) throw new ConnectionError(H2.PROTOCOL_ERROR, "this port speaks gRPC, which is HTTP/2 without an upgrade");
    this.prefaceBytes += count;
    return count;
  }

  private frame(type: number, flags: number, id: number, payload: Buffer): void {
    if (this.isClosed) return;
    if (!this.hasSettings && (type !== FRAME.SETTINGS || flags & FLAG.ACK)) {
      throw new ConnectionError(H2.PROTOCOL_ERROR, "the first frame is not SETTINGS");
    }
    if (this.continued !== undefined && (type !== FRAME.CONTINUATION || id !== this.continued.stream)) {
      throw new ConnectionError(H2.PROTOCOL_ERROR, "another frame in the middle of a header block");
    }
    switch (type) {
      case FRAME.DATA:
        return this.data(flags, id, payload);
      case FRAME.HEADERS:
        return this.headers(flags, id, payload);
      case FRAME.CONTINUATION:
        return this.continuation(flags, payload);
      case FRAME.WINDOW_UPDATE:
        return this.windowUpdated(id, payload);
      case FRAME.RST_STREAM:
        return this.resetByPeer(id, payload);
      default:
        this.guard.control();
        return this.control(type, flags, id, payload);
    }
  }

  private control(type: number, flags: number, id: number, payload: Buffer): void {
    switch (type) {
      case FRAME.SETTINGS:
        return this.settings(flags, id, payload);
      case FRAME.PING:
        return this.ping(flags, id, payload);
      case FRAME.GOAWAY:
        if (id !== 0 || payload.length < 8) throw new ConnectionError(H2.PROTOCOL_ERROR, "a broken GOAWAY");
        return;
      case FRAME.PRIORITY:
        // How important streams are to each other; who sends it must still get it right.
        if (id === 0) throw new ConnectionError(H2.PROTOCOL_ERROR, "PRIORITY of the connection");
        if (payload.length !== 5) throw new ConnectionError(H2.FRAME_SIZE_ERROR, "PRIORITY has 5 bytes");
        return;
      case FRAME.PUSH_PROMISE:
        throw new ConnectionError(H2.PROTOCOL_ERROR, "a client cannot push");
      default:
      // Frames of other types are for those who know them.
    }
  }

  private data(flags: number, id: number, payload: Buffer): void {
    const stream = this.known(id, "DATA");
    const bytes = payload.length;
    this.receiveWindow -= bytes;
    if (this.receiveWindow < 0) throw new ConnectionError(H2.FLOW_CONTROL_ERROR, "more DATA than the window allows");
    this.creditConnection(bytes);
    const body = flags & FLAG.PADDED ? withoutPadding(payload) : payload;
    const isEnd = (flags & FLAG.END_STREAM) !== 0;
    if (body.length > 0) this.guard.useful();
    else if (!isEnd) this.guard.control();
    if (stream === undefined) return;
    if (stream.hasRemoteEnded) return this.lose(stream, H2.STREAM_CLOSED);
    stream.receiveWindow -= bytes;
    if (stream.receiveWindow < 0) return this.lose(stream, H2.FLOW_CONTROL_ERROR);
    if (bytes > body.length) this.credit(stream, bytes - body.length);
    stream.hasRemoteEnded = isEnd;
    if (body.length > 0) stream.handler?.data(body);
    if (isEnd) this.remoteEnded(stream);
  }

  private remoteEnded(stream: Http2Stream): void {
    stream.hasRemoteEnded = true;
    if (stream.isClosed) return;
    if (stream.hasLocalEnded && stream.waiting.length === 0) return this.forget(stream);
    stream.handler?.ended();
  }

  private headers(flags: number, id: number, payload: Buffer): void {
    if (id % 2 === 0) throw new ConnectionError(H2.PROTOCOL_ERROR, `a client cannot open stream ${id}`);
    let block = flags & FLAG.PADDED ? withoutPadding(payload) : payload;
    if (flags & FLAG.PRIORITY) block = block.subarray(5);
    if (flags & FLAG.END_HEADERS) return this.block(flags, id, block);
    this.continued = { stream: id, flags, parts: [Buffer.from(block)], bytes: block.length };
  }

  private continuation(flags: number, payload: Buffer): void {
    const { continued } = this;
    if (continued === undefined) throw new ConnectionError(H2.PROTOCOL_ERROR, "CONTINUATION without HEADERS");
    this.guard.control();
    continued.parts.push(Buffer.from(payload));
    continued.bytes += payload.length;
    if (continued.bytes > this.host.limits.maxHeaderListBytes + BLOCK_SLACK_BYTES) {
      throw new ConnectionError(H2.ENHANCE_YOUR_CALM, "a header block without end");
    }
    if ((flags & FLAG.END_HEADERS) === 0) return;
    this.continued = undefined;
    this.block(continued.flags, continued.stream, Buffer.concat(continued.parts));
  }

  private block(flags: number, id: number, bytes: Buffer): void {
    const decoded = this.hpack.decode(bytes);
    const isEnd = (flags & FLAG.END_STREAM) !== 0;
    if (id <= this.lastStream) return this.trailers(id, isEnd);
    this.lastStream = id;
    if (this.isGoingAway || this.streams.size >= this.host.limits.maxStreams) {
      return this.resetId(id, H2.REFUSED_STREAM);
    }
    const { streamWindowBytes } = this.host.limits;
    const stream = new Http2Stream(this, id, this.peer.initialWindow, streamWindowBytes);
    this.streams.set(id, stream);
    stream.hasRemoteEnded = isEnd;
    this.host.opened(stream, decoded);
    if (isEnd) this.remoteEnded(stream);
  }

  /** Headers of a stream that there was already: the end of a request, or nothing that matters any more. */
  private trailers(id: number, isEnd: boolean): void {
    const stream = this.streams.get(id);
    if (stream === undefined) return this.guard.control();
    if (!isEnd || stream.hasRemoteEnded) return this.lose(stream, H2.PROTOCOL_ERROR);
    this.remoteEnded(stream);
  }

  private settings(flags: number, id: number, payload: Buffer): void {
    if (id !== 0) throw new ConnectionError(H2.PROTOCOL_ERROR, "SETTINGS of a stream");
    if (flags & FLAG.ACK) {
      if (payload.length !== 0) throw new ConnectionError(H2.FRAME_SIZE_ERROR, "an acknowledgement is empty");
      return;
    }
    const before = this.peer.initialWindow;
    readSettings(payload, this.peer);
    this.hasSettings = true;
    const change = this.peer.initialWindow - before;
    for (const stream of this.streams.values()) {
      stream.sendWindow += change;
      if (stream.sendWindow > MAX_WINDOW) throw new ConnectionError(H2.FLOW_CONTROL_ERROR, "a window above 2^31 - 1");
    }
    this.writeFrame(FRAME.SETTINGS, FLAG.ACK, 0, Buffer.alloc(0));
    if (change > 0) for (const stream of [...this.streams.values()]) this.pump(stream);
  }

  private ping(flags: number, id: number, payload: Buffer): void {
    if (id !== 0) throw new ConnectionError(H2.PROTOCOL_ERROR, "PING of a stream");
    if (payload.length !== 8) throw new ConnectionError(H2.FRAME_SIZE_ERROR, "PING has 8 bytes");
    if ((flags & FLAG.ACK) === 0) this.writeFrame(FRAME.PING, FLAG.ACK, 0, payload);
  }

  private windowUpdated(id: number, payload: Buffer): void {
    if (payload.length !== 4) throw new ConnectionError(H2.FRAME_SIZE_ERROR, "WINDOW_UPDATE has 4 bytes");
    const increment = payload.readUInt32BE(0) & 0x7fff_ffff;
    if (id === 0) {
      if (increment === 0) throw new ConnectionError(H2.PROTOCOL_ERROR, "a window that grows by 0");
      this.sendWindow += increment;
      if (this.sendWindow > MAX_WINDOW) throw new ConnectionError(H2.FLOW_CONTROL_ERROR, "a window above 2^31 - 1");
      return this.pumpBlocked();
    }
    const stream = this.known(id, "WINDOW_UPDATE");
    if (stream === undefined) return;
    stream.sendWindow += increment;
    if (increment === 0) return this.lose(stream, H2.PROTOCOL_ERROR);
    if (stream.sendWindow > MAX_WINDOW) return this.lose(stream, H2.FLOW_CONTROL_ERROR);
    this.pump(stream);
  }

  private resetByPeer(id: number, payload: Buffer): void {
    if (payload.length !== 4) throw new ConnectionError(H2.FRAME_SIZE_ERROR, "RST_STREAM has 4 bytes");
    const stream = this.known(id, "RST_STREAM");
    this.guard.reset();
    if (stream === undefined) return;
    this.forget(stream);
    stream.handler?.closed();
  }

  /** The stream of a frame, or undefined where it has ended. Throws where there never was one. */
  private known(id: number, what: string): Http2Stream | undefined {
    const stream = this.streams.get(id);
    if (stream !== undefined || (id !== 0 && id <= this.lastStream)) return stream;
    throw new ConnectionError(H2.PROTOCOL_ERROR, `${what} of stream ${id}, which was never opened`);
  }

  /** The client broke the rules on one stream. */
  private lose(stream: Http2Stream, code: H2Code): void {
    this.reset(stream, code);
    stream.handler?.closed();
  }

  /** Bytes of DATA that can be sent now, in one frame. */
  private roomFor(stream: Http2Stream): number {
    if (this.isBackedUp()) return 0;
    return Math.min(this.sendWindow, stream.sendWindow, this.peer.maxFrameBytes);
  }

  private isBackedUp(): boolean {
    return this.socket.writableLength + this.output.length > this.host.limits.maxBackpressureBytes;
  }

  /** A DATA frame's header; where its payload goes. */
  private beginData(stream: Http2Stream, byteLength: number): number {
    const at = this.reserve(FRAME_HEADER_BYTES + byteLength);
    writeFrameHeader(this.output.buffer, at, byteLength, FRAME.DATA, 0, stream.id);
    this.sendWindow -= byteLength;
    stream.sendWindow -= byteLength;
    return at + FRAME_HEADER_BYTES;
  }

  /** Sends what waits, as far as it goes. */
  private pump(stream: Http2Stream): void {
    if (stream.waiting.length === 0) return;
    for (let first = stream.waiting[0]; first !== undefined; first = stream.waiting[0]) {
      if ("trailers" in first) return this.finish(stream, first.trailers);
      const { data } = first;
      const count = Math.min(this.roomFor(stream), data.length);
      if (count <= 0) {
        // The stream's own window is told of by a frame that names the stream.
        if (stream.sendWindow > 0) this.blocked.add(stream);
        return;
      }
      const at = this.beginData(stream, count);
      data.copy(this.output.buffer, at, 0, count);
      stream.waitingBytes -= count;
      if (count === data.length) stream.waiting.shift();
      else stream.waiting[0] = { data: data.subarray(count) };
    }
    stream.handler?.drained();
  }

  private pumpBlocked(): void {
    const streams = [...this.blocked];
    this.blocked.clear();
    for (const stream of streams) if (!stream.isClosed) this.pump(stream);
  }

  private finish(stream: Http2Stream, trailers: Buffer): void {
    stream.waiting.length = 0;
    this.writeHeaders(stream, trailers, true);
    this.guard.answered();
    if (stream.hasRemoteEnded) this.forget(stream);
    else if (stream.abandonsRest) this.reset(stream, H2.NO_ERROR);
  }

  private forget(stream: Http2Stream): void {
    stream.isClosed = true;
    stream.waiting.length = 0;
    this.blocked.delete(stream);
    this.streams.delete(stream.id);
  }

  private creditConnection(bytes: number): void {
    this.uncredited += bytes;
    if (2 * this.uncredited < this.host.limits.connectionWindowBytes) return;
    this.windowUpdate(0, this.uncredited);
    this.receiveWindow += this.uncredited;
    this.uncredited = 0;
  }

  private windowUpdate(id: number, bytes: number): void {
    if (bytes <= 0) return;
    const payload = Buffer.allocUnsafe(4);
    payload.writeUInt32BE(bytes);
    this.writeFrame(FRAME.WINDOW_UPDATE, 0, id, payload);
  }

  private resetId(id: number, code: H2Code): void {
    const payload = Buffer.allocUnsafe(4);
    payload.writeUInt32BE(code);
    this.writeFrame(FRAME.RST_STREAM, 0, id, payload);
  }

  private writeGoAway(code: H2Code, message: string): void {
    const payload = Buffer.alloc(8 + message.length);
    payload.writeUInt32BE(this.lastStream);
    payload.writeUInt32BE(code, 4);
    payload.write(message, 8, "latin1");
    this.writeFrame(FRAME.GOAWAY, 0, 0, payload);
  }

  private writeFrame(type: number, flags: number, id: number, payload: Buffer): void {
    const at = this.reserve(FRAME_HEADER_BYTES + payload.length);
    writeFrameHeader(this.output.buffer, at, payload.length, type, flags, id);
    payload.copy(this.output.buffer, at + FRAME_HEADER_BYTES);
  }

  private write(bytes: Buffer): void {
    const at = this.reserve(bytes.length);
    bytes.copy(this.output.buffer, at);
  }

  private reserve(bytes: number): number {
    if (this.output.length === 0) this.host.wrote(this);
    return this.output.reserve(bytes);
  }

  /** While a client does not read its answers, its requests are not read either. */
  private pauseWhereBackedUp(): void {
    if (this.isPaused || !this.isBackedUp()) return;
    this.isPaused = true;
    this.socket.pause();
  }

  private socketDrained(): void {
    if (this.isPaused) this.socket.resume();
    this.isPaused = false;
    this.pumpBlocked();
  }

  private fail(error: ConnectionError): void {
    const hasBegun = this.prefaceBytes === PREFACE.length;
    if (hasBegun) this.writeGoAway(error.code, error.message);
    else this.socket.write(HTTP_1_ANSWER);
    if (hasBegun) this.flush();
    this.socket.end();
    this.over();
  }

  private over(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const streams = [...this.streams.values()];
    for (const stream of streams) this.forget(stream);
    for (const stream of streams) stream.handler?.closed();
    this.host.closed(this);
  }
}

/** For a browser or a client that speaks HTTP/1.1: words instead of frames. */
const HTTP_1_TEXT = "This port speaks gRPC, which is HTTP/2 without an upgrade.\n";
const HTTP_1_ANSWER = `HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Type: text/plain\r\nContent-Length: ${HTTP_1_TEXT.length}\r\nConnection: close\r\n\r\n${HTTP_1_TEXT}`;

function withoutPadding(payload: Buffer): Buffer {
  const padding = payload[0];
  if (padding !== undefined && padding < payload.length) return payload.subarray(1, payload.length - padding);
  throw new ConnectionError(H2.PROTOCOL_ERROR, "more padding than payload");
}
