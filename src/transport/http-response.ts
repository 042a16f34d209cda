/** The answer to one request, and the body of the request while it comes. */
import { type NativeServer, RespondFlags } from "../engine/server-surface.js";
import type { WebSocketLimits } from "./web-socket.js";

/** Takes a piece of a body, valid until it returns. */
export type BodyHandler = (piece: Uint8Array, isLast: boolean) => void;

/** What its server does for it. */
export interface ResponseOwner {
  readonly native: NativeServer;
  /** A command was given: it is to reach the thread soon. */
  commanded(): void;
  /** Nothing more comes for this connection until its next request. */
  over(connection: number): void;
}

export class HttpResponse {
  private isOver = false;
  private first: Uint8Array | undefined;
  private firstIsLast = false;
  private onBody: BodyHandler | undefined;
  private onGone: (() => void) | undefined;
  private onSent: (() => void) | undefined;

  /** @param canUpgrade  whether the request asks for a WebSocket */
  constructor(
    private readonly owner: ResponseOwner,
    readonly connection: number,
    readonly canUpgrade: boolean,
  ) {}

  /** Calls `gone` where the client goes before it has been sent the whole answer. */
  onAborted(gone: () => void): void {
    this.onGone = gone;
  }

  /** Hands the request's body over, piece by piece, the last one perhaps empty. To be called in the route's handler. */
  onData(handler: BodyHandler): void {
    this.onBody = handler;
  }

  /**
   * Answers.
   * @param head  A status line without the version, such as "200 OK", then fields, each line ended by CRLF; length, date and
   *   connection are added. The same of `respondEmpty`.
   * @param sent  called when the system has taken all of it
   */
  respond(head: string, body: string | Uint8Array, sent?: () => void): void {
    if (this.isOver) return;
    this.isOver = true;
    const flags = sent === undefined ? 0 : RespondFlags.tell;
    this.owner.native.respond(this.connection, head, body, flags);
    this.onSent = sent;
    if (sent === undefined) this.owner.over(this.connection);
    this.owner.commanded();
  }

  /** Answers without a body, as 204 and 304 have none. */
  respondEmpty(head: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.owner.native.respond(this.connection, head, undefined, RespondFlags.noBody);
    this.owner.over(this.connection);
    this.owner.commanded();
  }

  /** Ends the connection at once. */
  abort(): void {
    this.isOver = true;
    this.owner.native.abort(this.connection);
    this.owner.over(this.connection);
    this.owner.commanded();
  }

  /** For the server: makes the connection a WebSocket. */
  accept(fields: string, limits: WebSocketLimits): void {
    this.isOver = true;
    const { maxMessageBytes, idleTimeoutSeconds, maxUnsentBytes } = limits;
    this.owner.native.accept(this.connection, fields, maxMessageBytes, idleTimeoutSeconds, maxUnsentBytes);
    this.owner.commanded();
  }

  /** For the server: what came with the head, handed over once the route's handler has returned. */
  begun(piece: Uint8Array, isLast: boolean): void {
    this.first = piece;
    this.firstIsLast = isLast;
  }

  handOverFirst(): void {
    const { first } = this;
    this.first = undefined;
    if (first !== undefined && (first.byteLength > 0 || this.firstIsLast)) this.onBody?.(first, this.firstIsLast);
  }

  body(piece: Uint8Array, isLast: boolean): void {
    this.onBody?.(piece, isLast);
  }

  aborted(): void {
    this.isOver = true;
    this.onGone?.();
  }

  sent(): void {
    const { onSent } = this;
    this.onSent = undefined;
    if (this.isOver) this.owner.over(this.connection);
    onSent?.();
  }
}
