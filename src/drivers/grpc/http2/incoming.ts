/**
 * What a client sends on an HTTP/2 connection (RFC 9113): its preface, frames in their order, header blocks put together and
 * decoded. The listener hears of what is well-formed; whether it fits the streams that there are is for the listener to say.
 */
import type { FloodGuard } from "./flood-guard.js";
import { ConnectionError, FLAG, FRAME, FrameReader, H2, PREFACE } from "./frames.js";
import { HeaderParts } from "./header-parts.js";
import { type HeaderBlock, HpackDecoder } from "./hpack-decoder.js";

/** Each may throw ConnectionError. Payloads are valid until the call returns. */
export interface FrameListener {
  /** The client speaks HTTP/2: the preface is whole. */
  onPreface(): void;
  /** @param bytes of the payload with its padding, for which the windows must have room */
  onData(id: number, body: Buffer, bytes: number, isEnd: boolean): void;
  onHeaders(id: number, block: HeaderBlock, isEnd: boolean): void;
  onSettings(payload: Buffer): void;
  onWindowUpdate(id: number, bytes: number): void;
  onReset(id: number): void;
  onPing(payload: Buffer): void;
}

const HEADER_TABLE_BYTES = 4096;
const PRIORITY_BYTES = 5;

export class Incoming {
  private readonly reader = new FrameReader((type, flags, id, payload) => this.frame(type, flags, id, payload));
  private readonly hpack: HpackDecoder;
  private readonly parts: HeaderParts;
  private prefaceBytes = 0;
  private hasSettings = false;
  private isStopped = false;

  /** @param maxHeaderListBytes What the headers of one request may have. */
  constructor(
    private readonly listener: FrameListener,
    private readonly guard: FloodGuard,
    maxHeaderListBytes: number,
  ) {
    this.hpack = new HpackDecoder(HEADER_TABLE_BYTES, maxHeaderListBytes);
    this.parts = new HeaderParts(maxHeaderListBytes);
  }

  /** Whether the client has shown that it speaks HTTP/2. */
  get isHttp2(): boolean {
    return this.prefaceBytes === PREFACE.length;
  }

  /** Throws ConnectionError, also the listener's. */
  read(chunk: Buffer): void {
    const from = this.isHttp2 ? 0 : this.preface(chunk);
    if (this.isHttp2) this.reader.read(chunk, from);
  }

  /** The listener hears of nothing more, also not of what has been read. */
  stop(): void {
    this.isStopped = true;
  }

  private preface(chunk: Buffer): number {
    const count = Math.min(PREFACE.length - this.prefaceBytes, chunk.length);
    const isRight = PREFACE.compare(chunk, 0, count, this.prefaceBytes, this.prefaceBytes + count) === 0;
    if (!isRight) throw new ConnectionError(H2.PROTOCOL_ERROR, "no HTTP/2");
    this.prefaceBytes += count;
    if (this.isHttp2) this.listener.onPreface();
    return count;
  }

  private frame(type: number, flags: number, id: number, payload: Buffer): void {
    if (this.isStopped) return;
    if (!this.hasSettings && (type !== FRAME.SETTINGS || flags & FLAG.ACK)) {
      throw new ConnectionError(H2.PROTOCOL_ERROR, "the first frame is not SETTINGS");
    }
    this.parts.checkFollows(type, id);
    switch (type) {
      case FRAME.DATA:
        this.data(flags, id, payload);
        break;
      case FRAME.HEADERS:
        this.headers(flags, id, payload);
        break;
      case FRAME.WINDOW_UPDATE:
        checkSize("WINDOW_UPDATE", payload, 4);
        this.listener.onWindowUpdate(id, payload.readUInt32BE(0) & 0x7fff_ffff);
        break;
      case FRAME.RST_STREAM:
        checkSize("RST_STREAM", payload, 4);
        this.listener.onReset(id);
        break;
      default:
        this.guard.control();
        this.control(type, flags, id, payload);
    }
  }

  private control(type: number, flags: number, id: number, payload: Buffer): void {
    switch (type) {
      case FRAME.CONTINUATION: {
        const whole = this.parts.add(payload, (flags & FLAG.END_HEADERS) !== 0);
        if (whole !== undefined) this.block(whole.flags, whole.stream, whole.block);
        break;
      }
      case FRAME.SETTINGS:
        this.settings(flags, id, payload);
        break;
      case FRAME.PING:
        if (id !== 0) throw new ConnectionError(H2.PROTOCOL_ERROR, "PING of a stream");
        checkSize("PING", payload, 8);
        if ((flags & FLAG.ACK) === 0) this.listener.onPing(payload);
        break;
      case FRAME.GOAWAY:
        if (id !== 0 || payload.length < 8) throw new ConnectionError(H2.PROTOCOL_ERROR, "a broken GOAWAY");
        break;
      case FRAME.PRIORITY:
        // How important streams are to each other; who sends it must still get it right.
        if (id === 0) throw new ConnectionError(H2.PROTOCOL_ERROR, "PRIORITY of the connection");
        checkSize("PRIORITY", payload, PRIORITY_BYTES);
        break;
      case FRAME.PUSH_PROMISE:
        throw new ConnectionError(H2.PROTOCOL_ERROR, "a client cannot push");
      default:
      // Frames of other types are for those who know them.
    }
  }

  private data(flags: number, id: number, payload: Buffer): void {
    const body = flags & FLAG.PADDED ? withoutPadding(payload) : payload;
    this.listener.onData(id, body, payload.length, (flags & FLAG.END_STREAM) !== 0);
  }

  private headers(flags: number, id: number, payload: Buffer): void {
    if (id % 2 === 0) throw new ConnectionError(H2.PROTOCOL_ERROR, `a client cannot open stream ${id}`);
    let block = flags & FLAG.PADDED ? withoutPadding(payload) : payload;
    if (flags & FLAG.PRIORITY) {
      if (block.length < PRIORITY_BYTES) throw new ConnectionError(H2.FRAME_SIZE_ERROR, "HEADERS without its priority");
      block = block.subarray(PRIORITY_BYTES);
    }
    if (flags & FLAG.END_HEADERS) this.block(flags, id, block);
    else this.parts.begin(id, flags, block);
  }

  /** Decoded also where the stream is of no interest: the table changes with it. */
  private block(flags: number, id: number, bytes: Buffer): void {
    this.listener.onHeaders(id, this.hpack.decode(bytes), (flags & FLAG.END_STREAM) !== 0);
  }

  private settings(flags: number, id: number, payload: Buffer): void {
    if (id !== 0) throw new ConnectionError(H2.PROTOCOL_ERROR, "SETTINGS of a stream");
    if (flags & FLAG.ACK) {
      checkSize("an acknowledgement", payload, 0);
      return;
    }
    this.listener.onSettings(payload);
    this.hasSettings = true;
  }
}

function checkSize(what: string, payload: Buffer, bytes: number): void {
  if (payload.length !== bytes) throw new ConnectionError(H2.FRAME_SIZE_ERROR, `${what} has ${bytes} bytes`);
}

function withoutPadding(payload: Buffer): Buffer {
  const padding = payload[0];
  if (padding !== undefined && padding < payload.length) return payload.subarray(1, payload.length - padding);
  throw new ConnectionError(H2.PROTOCOL_ERROR, "more padding than payload");
}
