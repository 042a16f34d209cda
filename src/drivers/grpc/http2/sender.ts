/**
 * What a connection sends: frames into one buffer for each turn of the event loop, DATA as far as the windows of connection and
 * stream and the client's reading allow. What has to wait is kept with its stream.
 */
import type { Socket } from "node:net";
import type { SharedBytes } from "../shared-bytes.js";
import {
  ConnectionError,
  FLAG,
  FRAME,
  FRAME_HEADER_BYTES,
  H2,
  type H2Code,
  INITIAL_WINDOW,
  MAX_FRAME_BYTES,
  MAX_WINDOW,
  writeFrameHeader,
} from "./frames.js";
import { Output } from "./output.js";
import type { PeerSettings } from "./settings.js";
import type { Http2Stream, Payload } from "./stream.js";

/** What a sender tells its connection. */
export interface SenderOwner {
  /** Something is to be written: `flush` is due at the end of this turn. */
  wrote(): void;
  /** All of a stream's answer has been written. */
  answered(stream: Http2Stream): void;
}

const EMPTY = Buffer.alloc(0);

export class Sender {
  /** What the client says about itself. */
  readonly peer: PeerSettings = { initialWindow: INITIAL_WINDOW, maxFrameBytes: MAX_FRAME_BYTES };
  private readonly output = new Output();
  /** What may wait for a client that does not read. */
  private readonly maxBackpressureBytes: number;
  /** Bytes that the client takes on the connection. */
  private window = INITIAL_WINDOW;
  /** Streams with DATA that wait for the connection's window or for the socket. */
  private readonly blocked = new Set<Http2Stream>();
  /** Bytes of DATA that wait, of all streams. */
  private waitingBytes = 0;
  /** Bytes that the socket has been given, in all. */
  private handed = 0;
  /** Bytes of DATA sent since the client last widened the connection's window. */
  private sentSinceWidened = 0;

  /**
   * @param maxBackpressureBytes What may wait for a client that does not read; at least what the socket buffers by itself.
   * @param unread DATA that waits for clients, of all connections.
   */
  constructor(
    private readonly socket: Socket,
    private readonly owner: SenderOwner,
    maxBackpressureBytes: number,
    private readonly unread: SharedBytes,
  ) {
    // Of less the socket does not tell when it has gone.
    this.maxBackpressureBytes = Math.max(maxBackpressureBytes, socket.writableHighWaterMark);
  }

  get isEmpty(): boolean {
    return this.kept === 0;
  }

  /** Whether more waits for the client to read than may. */
  get isBackedUp(): boolean {
    return this.kept > this.maxBackpressureBytes;
  }

  /** Bytes that the operating system has taken so far. */
  get takenBytes(): number {
    return this.handed - this.socket.writableLength;
  }

  /** Bytes that may still be on their way to the client. */
  get onTheirWay(): number {
    return Math.max(this.socket.writableLength, this.sentSinceWidened);
  }

  /** Bytes that the operating system has not taken yet. */
  private get kept(): number {
    return this.socket.writableLength + this.output.length;
  }

  /** Everything written since the last time goes to the socket, in one piece. */
  flush(): void {
    if (this.output.length === 0) return;
    const whole = this.output.buffer;
    const taken = this.output.take();
    this.handed += taken.length;
    this.socket.write(taken);
    // All of it went to the kernel at once: then the buffer is free again.
    if (this.socket.writableLength === 0) this.output.giveBack(whole);
  }

  headers(stream: Http2Stream, block: Buffer, isEnd = false): void {
    this.frame(FRAME.HEADERS, FLAG.END_HEADERS | (isEnd ? FLAG.END_STREAM : 0), stream.id, block);
  }

  /** Throws RESOURCE_EXHAUSTED, and sends nothing of it, where it would have to wait and too much does so already. */
  data(stream: Http2Stream, payload: Payload): void {
    const { byteLength } = payload;
    if (stream.waiting.length === 0 && byteLength <= this.roomFor(stream)) {
      const at = this.beginData(stream, byteLength);
      payload.writeTo(this.output.buffer, at);
      return;
    }
    const room = Math.max(0, this.maxBackpressureBytes - this.kept);
    const rest = byteLength - (stream.waiting.length === 0 ? Math.min(room, this.windowOf(stream)) : 0);
    this.unread.admit(this.waitingBytes, this.waitingBytes + rest);
    const data = Buffer.allocUnsafe(byteLength);
    payload.writeTo(data, 0);
    stream.waiting.push({ data });
    this.waits(stream, byteLength);
    this.pump(stream);
  }

  /** Behind the DATA that waits. */
  trailers(stream: Http2Stream, trailers: Buffer): void {
    if (stream.waiting.length === 0) this.finish(stream, trailers);
    else stream.waiting.push({ trailers });
  }

  /** The client has made room on the connection. Throws ConnectionError. */
  widened(bytes: number): void {
    if (bytes === 0) throw new ConnectionError(H2.PROTOCOL_ERROR, "a window that grows by 0");
    this.window += bytes;
    this.sentSinceWidened = 0;
    if (this.window > MAX_WINDOW) throw new ConnectionError(H2.FLOW_CONTROL_ERROR, "a window above 2^31 - 1");
    this.pumpBlocked();
  }

  /** Sends of a stream what waits, as far as it goes. */
  pump(stream: Http2Stream): void {
    if (stream.waiting.length === 0) return;
    for (let first = stream.waiting[0]; first !== undefined; first = stream.waiting[0]) {
      if ("trailers" in first) {
        this.finish(stream, first.trailers);
        return;
      }
      const { data } = first;
      const count = Math.min(this.roomFor(stream), data.length);
      if (count <= 0) {
        // The stream's own window is told of by a frame that names the stream.
        if (stream.sendWindow > 0) this.blocked.add(stream);
        return;
      }
      const at = this.beginData(stream, count);
      data.copy(this.output.buffer, at, 0, count);
      this.waits(stream, -count);
      if (count === data.length) stream.waiting.shift();
      else stream.waiting[0] = { data: data.subarray(count) };
    }
    stream.handler?.drained();
  }

  /** Sends what waited for the connection's window or for the socket. */
  pumpBlocked(): void {
    if (this.blocked.size === 0 || this.window <= 0) return;
    const streams = [...this.blocked];
    this.blocked.clear();
    for (const stream of streams) if (!stream.isClosed) this.pump(stream);
  }

  forget(stream: Http2Stream): void {
    stream.waiting.length = 0;
    this.waits(stream, -stream.waitingBytes);
    this.blocked.delete(stream);
  }

  windowUpdate(id: number, bytes: number): void {
    if (bytes > 0) this.frame(FRAME.WINDOW_UPDATE, 0, id, uint32(bytes));
  }

  reset(id: number, code: H2Code): void {
    this.frame(FRAME.RST_STREAM, 0, id, uint32(code));
  }

  acknowledgeSettings(): void {
    this.frame(FRAME.SETTINGS, FLAG.ACK, 0, EMPTY);
  }

  pong(payload: Buffer): void {
    this.frame(FRAME.PING, FLAG.ACK, 0, payload);
  }

  /** @param lastStream Streams above it were not looked at. */
  goAway(lastStream: number, code: H2Code, message: string): void {
    this.frame(FRAME.GOAWAY, 0, 0, Buffer.concat([uint32(lastStream), uint32(code), Buffer.from(message)]));
  }

  /** Frames that were put together elsewhere. */
  raw(bytes: Buffer): void {
    const at = this.reserve(bytes.length);
    bytes.copy(this.output.buffer, at);
  }

  private finish(stream: Http2Stream, trailers: Buffer): void {
    stream.waiting.length = 0;
    this.headers(stream, trailers, true);
    this.owner.answered(stream);
  }

  /** So many bytes of a stream's DATA wait more than before. */
  private waits(stream: Http2Stream, more: number): void {
    const before = this.waitingBytes;
    this.waitingBytes += more;
    stream.waitingBytes += more;
    this.unread.change(before, this.waitingBytes);
  }

  /** Bytes of DATA that the client takes now. */
  private windowOf(stream: Http2Stream): number {
    return this.isBackedUp ? 0 : Math.max(0, Math.min(this.window, stream.sendWindow));
  }

  /** Bytes of DATA that can be sent now, in one frame. */
  private roomFor(stream: Http2Stream): number {
    return Math.min(this.windowOf(stream), this.peer.maxFrameBytes);
  }

  /** A DATA frame's header; where its payload goes. */
  private beginData(stream: Http2Stream, byteLength: number): number {
    const at = this.reserve(FRAME_HEADER_BYTES + byteLength);
    writeFrameHeader(this.output.buffer, at, byteLength, FRAME.DATA, 0, stream.id);
    this.window -= byteLength;
    this.sentSinceWidened += byteLength;
    stream.sentBytes += byteLength;
    stream.sentSinceWidened += byteLength;
    stream.sendWindow -= byteLength;
    return at + FRAME_HEADER_BYTES;
  }

  private frame(type: number, flags: number, id: number, payload: Buffer): void {
    const at = this.reserve(FRAME_HEADER_BYTES + payload.length);
    writeFrameHeader(this.output.buffer, at, payload.length, type, flags, id);
    payload.copy(this.output.buffer, at + FRAME_HEADER_BYTES);
  }

  private reserve(bytes: number): number {
    if (this.output.length === 0) this.owner.wrote();
    return this.output.reserve(bytes);
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
