/** One WebSocket. */
import type { ResponseOwner } from "./http-response.js";

export interface WebSocketLimits {
  /** A larger message ends it with 1009. */
  readonly maxMessageBytes: number;
  /** Without anything from the client, pongs included; 0 is never. */
  readonly idleTimeoutSeconds: number;
  /** More unread bytes end it with 1013. */
  readonly maxUnsentBytes: number;
}

/** Who it is for. */
export interface MessageHandler {
  opened(socket: WebSocket): void;
  /** The bytes are valid until this returns. */
  message(bytes: Uint8Array, isBinary: boolean): void;
  /** All that was sent has been read, after some of it was not. */
  drained?(): void;
  /** Called once; nothing follows. */
  closed(code: number, reason: string): void;
}

/** Bytes that a frame's head takes at most. */
const FRAME_HEAD_BYTES = 10;

export class WebSocket {
  /** At least what is unsent. */
  private bufferedAtMost = 0;

  constructor(
    private readonly owner: ResponseOwner,
    readonly connection: number,
    readonly handler: MessageHandler,
    /** Whether raw frames are answered without JavaScript: then what is sent answers the frame that was handed over. */
    private readonly isRaw: boolean,
  ) {}

  send(data: string | Uint8Array, isBinary: boolean): void {
    this.bufferedAtMost += data.length + FRAME_HEAD_BYTES;
    if (this.isRaw) this.owner.native.reply(this.connection, data);
    else this.owner.native.send(this.connection, data, isBinary);
    this.owner.commanded();
  }

  /** Closes it, after what was sent before. */
  end(code: number, reason: string): void {
    this.owner.native.end(this.connection, code, reason);
    this.owner.commanded();
  }

  /** Ends it at once, without a close frame. */
  abort(): void {
    this.owner.native.abort(this.connection);
    this.owner.commanded();
  }

  /** Ends it with 1001 when all frames are answered. */
  goAway(reason: string): void {
    if (this.isRaw) this.owner.native.goAway(this.connection);
    else this.owner.native.end(this.connection, 1001, reason);
    this.owner.commanded();
  }

  /** Whether more than so many bytes have not been read. Exact, and mostly without asking the thread that writes them. */
  hasUnread(bytes: number): boolean {
    if (this.bufferedAtMost <= bytes) return false;
    this.owner.native.flush();
    this.bufferedAtMost = this.owner.native.unsent(this.connection);
    return this.bufferedAtMost > bytes;
  }

  /** For the server. */
  drained(): void {
    this.handler.drained?.();
  }
}
