/** One request and its answer on an HTTP/2 connection. */
import { bug } from "../../../errors.js";
import type { Connection } from "./connection.js";
import type { H2Code } from "./frames.js";
import type { Stall } from "./stall.js";

/** Who answers a stream. */
export interface StreamHandler {
  /**
   * Bytes of the request, valid until this returns. Each must be given to `stream.consumed` sooner or later: the client may
   * send no more than the window until then.
   */
  data(bytes: Buffer): void;
  /** The request is whole. */
  ended(): void;
  /** The client has given the stream up, or the connection is gone: nothing can be written any more. */
  closed(): void;
  /** All that was written has gone to the socket. */
  drained(): void;
}

/** Bytes to be sent as DATA, which can write themselves where they are to go. */
export interface Payload {
  readonly byteLength: number;
  writeTo(to: Buffer, at: number): void;
}

/** What waits to be sent: DATA, or the trailers that end the stream. */
type Waiting = { readonly data: Buffer } | { readonly trailers: Buffer };

export class Http2Stream {
  handler: StreamHandler | undefined;
  /** Bytes that the client takes for this stream. */
  sendWindow: number;
  /** Bytes that the client may still send. */
  receiveWindow: number;
  /** Bytes that came and are not consumed. */
  unconsumed = 0;
  /** Bytes consumed that the client has not been told of. */
  uncredited = 0;
  hasRemoteEnded = false;
  hasLocalEnded = false;
  /** After the answer the rest of the request is of no interest. */
  abandonsRest = false;
  isClosed = false;
  /** Oldest first. */
  readonly waiting: Waiting[] = [];
  /** Bytes of DATA that wait. */
  waitingBytes = 0;
  /** Bytes of DATA sent, in all and since the client last widened the window. */
  sentBytes = 0;
  sentSinceWidened = 0;
  /** Since all of the answer is there and waits for the client. */
  stall: Stall | undefined;

  constructor(
    readonly connection: Connection,
    readonly id: number,
    sendWindow: number,
    receiveWindow: number,
  ) {
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }

  /** Whether all of the answer is there, and some of it waits. */
  get isUnread(): boolean {
    return this.hasLocalEnded && this.waitingBytes > 0;
  }

  /** Whether all of the answer has been sent. */
  get isAnswered(): boolean {
    return this.hasLocalEnded && this.waiting.length === 0;
  }

  /** The headers of the answer: first, and once. */
  sendHeaders(block: Buffer): void {
    if (!this.isClosed) this.connection.sender.headers(this, block);
  }

  /**
   * Sends a payload as far as windows and socket allow; the rest is copied and follows.
   * @throws HeadraceError RESOURCE_EXHAUSTED where too much waits for clients already; then nothing of it is sent.
   */
  sendData(payload: Payload): void {
    if (this.isClosed) return;
    if (this.hasLocalEnded) throw bug("DATA after the end of a stream");
    this.connection.send(this, payload);
  }

  /**
   * Ends the answer, behind what still waits.
   * @param abandonsRest Whether a client that has not sent all of its request need not do so.
   */
  end(trailers: Buffer, abandonsRest: boolean): void {
    if (this.isClosed) return;
    this.abandonsRest = abandonsRest;
    this.hasLocalEnded = true;
    this.connection.sender.trailers(this, trailers);
  }

  /** Gives the stream up. */
  reset(code: H2Code): void {
    if (!this.isClosed) this.connection.reset(this, code);
  }

  /** So many bytes of the request need no memory any more. */
  consumed(bytes: number): void {
    if (!this.isClosed) this.connection.credit(this, bytes);
  }
}
