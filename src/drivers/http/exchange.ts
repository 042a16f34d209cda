/** One HTTP request and its answer: the body in, the answer out, and what happens when the client goes. */

import { STATUS_CODES } from "node:http";
import { HeadraceError, serverStopping } from "../../errors.js";
import type { Logger } from "../../log.js";
import type { EncodedMessage } from "../../protocol/index.js";
import { HEADER_LENGTH_FIELD } from "../../protocol/index.js";
import type { InferHandle } from "../../serving/infer-types.js";
import { type Encoding, inflateAll, type Packed } from "../../serving/inflate.js";
import type { RequestSpan } from "../../serving/tracing.js";
import type { HttpRequest, HttpResponse } from "../../transport/index.js";
import {
  answerEncoding,
  bodyEncoding,
  compressed,
  inflateError,
  MIN_COMPRESSED_BYTES,
  UnsupportedEncodingError,
} from "./compression.js";
import type { RequestTrace } from "./request-trace.js";

const JSON_TYPE = "application/json";
/** Never compressed: what has been sent has to be readable at once. */
const EVENTS_TYPE = "text/event-stream";
const BINARY_TYPE = "application/octet-stream";
const JSON_HEAD = `200 OK\r\nContent-Type: ${JSON_TYPE}\r\n`;
const BINARY_HEAD = `200 OK\r\nContent-Type: ${BINARY_TYPE}\r\n`;
/** Answers up to this size are put together in one buffer that is used again and again: the transport copies it. */
const SCRATCH_BYTES = 64 << 10;
const scratch = new Uint8Array(SCRATCH_BYTES);
/** What a body that comes in pieces has room for at first. */
const FIRST_BODY_BYTES = 256 << 10;

/** Takes a body piece by piece. */
export interface BodyPieces {
  /** The next piece, valid until this returns. */
  piece(bytes: Uint8Array, isLast: boolean): void;
  /** The rest will not come. */
  abandon(): void;
}

/** A status line without the version; a class without a standard text gets one of ours. */
function statusLine(status: number): string {
  return `${status} ${STATUS_CODES[status] ?? (status === 499 ? "Client Closed Request" : "Error")}`;
}

/** Who counts the exchanges under way. */
export interface ExchangeCounter {
  begun(): void;
  /** Called once, when the answer has been written or the client has gone. */
  ended(): void;
}

/** A model that requests are for. */
export interface ExchangeModel extends ExchangeCounter {
  /** Where its requests are logged; undefined: they are not. */
  readonly accessLog: Logger | undefined;
  /** Called once for each of its requests that is answered. */
  answered(status: number): void;
}

/** Where the exchange takes place. */
export interface ExchangeOwner extends ExchangeCounter {
  /** Whether nobody is let in any more. */
  isDraining(): boolean;
}

/** More headers of an answer. */
export type AnswerHeaders = readonly (readonly [string, string])[];

const NO_HEADERS: AnswerHeaders = [];
interface AnswerHead {
  readonly status: number;
  readonly type: string;
  readonly headers: AnswerHeaders;
}

/** Compressed bytes are others than those that the tag is of, and mean the same. */
function weakTag(tag: string): string {
  return tag.startsWith("W/") ? tag : `W/${tag}`;
}

/** An error in the shape of a surface: encodeV2Error or encodeRestError. */
export type ErrorEncoder = (error: HeadraceError, requestId?: string) => string;

export class Exchange {
  /** Set where the request has an id, because one was sent or requests are logged. */
  trace: RequestTrace | undefined;
  /** What pages of other origins need to read the answer; none where they may not. */
  pageHeaders: AnswerHeaders | undefined;
  /** Set where the request is traced. */
  span: RequestSpan | undefined;
  private over = false;
  private isEnded = false;
  private work: InferHandle | undefined;
  private model: ExchangeModel | undefined;

  /**
   * Must be made synchronously in the route's handler.
   * @param acceptEncoding What the client takes compressed; "": nothing.
   */
  constructor(
    private readonly response: HttpResponse,
    private readonly owner: ExchangeOwner,
    private readonly encodeError: ErrorEncoder,
    /** The pattern that its path matched; "" where there is none. */
    readonly route: string,
    private readonly acceptEncoding: string,
  ) {
    owner.begun();
    response.onAborted(() => {
      this.trace?.aborted();
      this.span?.failed("CANCELLED", "the client went away", false);
      this.end();
      if (this.over) return;
      this.over = true;
      this.work?.cancel();
    });
  }

  /** Whether the answer was given or the client has gone. */
  get isOver(): boolean {
    return this.over;
  }

  /** Says which model the request is for, once, as soon as that is known. */
  isFor(model: ExchangeModel): void {
    // The client may have gone while that was found out.
    if (this.isEnded) return;
    this.model = model;
    if (this.trace !== undefined) this.trace.log = model.accessLog;
    model.begun();
  }

  /** What to cancel when the client goes before its answer. */
  whenGone(work: InferHandle): void {
    this.work = work;
  }

  json(status: number, body: string, headers: AnswerHeaders = []): void {
    this.answer(status, JSON_TYPE, body, headers);
  }

  /** An answer of any content type. */
  answer(status: number, type: string, body: string | Uint8Array, headers: AnswerHeaders = []): void {
    if (this.over) return;
    this.over = true;
    const head = { status, type, headers };
    const encoding = type.startsWith(EVENTS_TYPE) ? undefined : this.encodingOf(body.length);
    if (encoding === undefined) this.send(head, body);
    else this.compress(head, typeof body === "string" ? Buffer.from(body) : body, encoding);
  }

  /** An answer that has no body by its status: 204 or 304. */
  empty(status: 204 | 304, headers: AnswerHeaders = []): void {
    if (this.over) return;
    this.over = true;
    this.answered(status, 0);
    this.end();
    this.response.respondEmpty(`${statusLine(status)}\r\n${this.fields(headers)}`);
  }

  error(given: HeadraceError): void {
    // Models go before the last connections do: who asks for one then is not to take it for one that never was.
    const isGone = given.code === "MODEL_NOT_FOUND" && this.owner.isDraining();
    const error = isGone ? serverStopping() : given;
    this.span?.failed(error.code, error.message, error.httpStatus >= 500);
    this.json(error.httpStatus, this.encodeError(error, this.trace?.id), errorHeaders(error));
  }

  /** A V2 message; its parts may be views over memory that is gone after this call. */
  message(message: EncodedMessage): void {
    if (this.over) return;
    this.over = true;
    const { header, parts, total, headerLength } = message;
    const encoding = this.encodingOf(total);
    const isLent = total <= SCRATCH_BYTES && encoding === undefined;
    const body = isLent ? scratch.subarray(0, total) : new Uint8Array(total);
    body.set(header, 0);
    let at = header.byteLength;
    for (const part of parts) {
      body.set(part, at);
      at += part.byteLength;
    }
    if (encoding !== undefined) {
      const headers = headerLength === undefined ? [] : ([[HEADER_LENGTH_FIELD, String(headerLength)]] as const);
      this.compress(
        { status: 200, type: headerLength === undefined ? JSON_TYPE : BINARY_TYPE, headers },
        body,
        encoding,
      );
      return;
    }
    this.answered(200, total);
    const type = headerLength === undefined ? JSON_HEAD : BINARY_HEAD;
    const length = headerLength === undefined ? "" : `${HEADER_LENGTH_FIELD}: ${headerLength}\r\n`;
    this.write(`${type}${this.fields(NO_HEADERS)}${length}`, body);
  }

  /**
   * Reads the body and hands it over once, whole and inflated. The bytes are valid until `done` returns. Bodies that come in pieces
   * go to `pieces` where it takes them, else they are put together in one buffer.
   * @param request Only for its headers, read before this returns.
   * @param limit More bytes than this, also when they are inflated, end in PAYLOAD_TOO_LARGE.
   * @param pieces Given the first piece of a body that comes in several, and the most bytes that it can have in all; what it
   *   returns takes that one and the others.
   */
  readBody(
    request: HttpRequest,
    limit: number,
    done: (body: Uint8Array) => void,
    failed: (error: HeadraceError) => void,
    pieces?: (first: Uint8Array, most: number) => BodyPieces | undefined,
  ): void {
    const announced = Number(request.header("content-length")) || 0;
    if (announced > limit) {
      failed(tooLarge(announced, limit));
      return;
    }
    const encoding = bodyEncoding(request.header("content-encoding"));
    if (encoding === undefined) this.receive(announced, limit, done, failed, pieces);
    else
      this.receive(
        announced,
        limit,
        (bytes, isOurs) => this.inflate({ bytes, isOurs }, encoding, limit, done, failed),
        failed,
      );
  }

  /** @param done Told whether the body is ours from then on, and not only until it returns. */
  private receive(
    announced: number,
    limit: number,
    done: (body: Uint8Array, isOurs: boolean) => void,
    failed: (error: HeadraceError) => void,
    pieces: (first: Uint8Array, most: number) => BodyPieces | undefined = () => undefined,
  ): void {
    let buffer: Uint8Array | undefined;
    let length = 0;
    let taker: BodyPieces | undefined;
    this.response.onData((chunk, isLast) => {
      if (this.over) return;
      const needed = length + chunk.byteLength;
      if (needed > limit) {
        taker?.abandon();
        return failed(tooLarge(needed, limit));
      }
      if (isLast && length === 0) return done(chunk, false);
      if (length === 0) taker = pieces(chunk, announced || limit);
      if (taker !== undefined) {
        length = needed;
        taker.piece(chunk, isLast);
        return;
      }
      if (buffer === undefined || buffer.byteLength < needed) buffer = grown(buffer, length, needed, announced);
      buffer.set(chunk, length);
      length = needed;
      if (isLast) done(buffer.subarray(0, length), true);
    });
  }

  /** Nothing is handed over where the answer was given meanwhile, or the client has gone. */
  private inflate(
    packed: Packed,
    encoding: Encoding,
    limit: number,
    done: (body: Uint8Array) => void,
    failed: (error: HeadraceError) => void,
  ): void {
    const unlessOver = <Value>(hand: (value: Value) => void) => {
      return (value: Value): void => {
        if (!this.over) hand(value);
      };
    };
    inflateAll(packed, encoding, limit, {
      isWanted: () => !this.over,
      inflated: unlessOver(done),
      refused: unlessOver((result) => failed(inflateError(result, encoding, limit))),
      failed: unlessOver(failed),
    });
  }

  /** What to compress an answer of so many bytes with. */
  private encodingOf(bytes: number): Encoding | undefined {
    if (this.acceptEncoding === "" || bytes < MIN_COMPRESSED_BYTES) return undefined;
    return answerEncoding(this.acceptEncoding);
  }

  private compress(head: AnswerHead, body: Uint8Array, encoding: Encoding): void {
    compressed(body, encoding, (packed) => {
      if (this.isEnded) return; // the client has gone meanwhile
      if (packed === undefined) {
        this.send(head, body);
        return;
      }
      const headers = [
        ["Content-Encoding", encoding],
        ["Vary", "Accept-Encoding"],
        ...head.headers.map(([name, value]) => [name, name === "ETag" ? weakTag(value) : value] as const),
      ] as const;
      this.send({ ...head, headers }, packed);
    });
  }

  private send({ status, type, headers }: AnswerHead, body: string | Uint8Array): void {
    this.answered(status, typeof body === "string" ? Buffer.byteLength(body) : body.byteLength);
    this.write(`${statusLine(status)}\r\nContent-Type: ${type}\r\n${this.fields(headers)}`, body);
  }

  /** These headers, and those that every answer to this request has, as lines. */
  private fields(headers: AnswerHeaders): string {
    let lines = "";
    for (const [name, value] of headers) lines += `${name}: ${value}\r\n`;
    for (const [name, value] of this.pageHeaders ?? NO_HEADERS) lines += `${name}: ${value}\r\n`;
    if (this.trace !== undefined) lines += `X-Request-Id: ${this.trace.id}\r\n`;
    if (this.span !== undefined) lines += `traceresponse: ${this.span.traceResponse}\r\n`;
    return lines;
  }

  private answered(status: number, bytes: number): void {
    this.trace?.answered(status, bytes);
    this.span?.set("http.response.status_code", status);
    this.model?.answered(status);
  }

  /** The exchange of a large answer lasts until the client has read it, as far as the system knows. */
  private write(head: string, body: string | Uint8Array): void {
    if (body.length > SCRATCH_BYTES) this.response.respond(head, body, () => this.end());
    else {
      this.end();
      this.response.respond(head, body);
    }
  }

  private end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.trace?.ended();
    this.span?.end();
    this.model?.ended();
    this.owner.ended();
  }
}

function errorHeaders(error: HeadraceError): AnswerHeaders {
  if (error instanceof UnsupportedEncodingError) return error.headers;
  const { code, retryAfterSeconds = 1 } = error;
  if (code === "RESOURCE_EXHAUSTED") return [["Retry-After", String(Math.max(1, Math.ceil(retryAfterSeconds)))]];
  return code === "UNAUTHENTICATED" ? [["WWW-Authenticate", 'Bearer realm="headrace"']] : NO_HEADERS;
}

/** Memory for what has come and not for what was announced: it doubles, so that many small pieces do not copy it each time. */
function grown(old: Uint8Array | undefined, length: number, needed: number, announced: number): Uint8Array {
  const wanted = Math.max(needed, 2 * length, FIRST_BODY_BYTES);
  const result = new Uint8Array(announced >= needed ? Math.min(wanted, announced) : wanted);
  if (old !== undefined) result.set(old.subarray(0, length));
  return result;
}

function tooLarge(bytes: number, limit: number): HeadraceError {
  return new HeadraceError(
    "PAYLOAD_TOO_LARGE",
    `the body has ${bytes} bytes or more, at most ${limit} are allowed (maxBodyBytes)`,
  );
}
