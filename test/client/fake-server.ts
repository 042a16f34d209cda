/**
 * A server that speaks Headrace's protocol over real sockets and predicts nothing: every model echoes its inputs and
 * counts the steps of each sequence. Tests steer how it answers.
 */

import { createServer } from "node:net";
import type { RawTensor } from "../../src/datatype.js";
import { HeadraceError, toHeadraceError } from "../../src/errors.js";
import {
  closeFrameOf,
  type DecodedRequest,
  decodeRawInfer,
  encodeInferResponse,
  encodeRawAnswer,
  encodeRestError,
  encodeStreamError,
  encodeStreamFrame,
  encodeV2Error,
  HEADER_LENGTH_FIELD,
  joinBytes,
  type NamedTensor,
  parseHeaderLength,
  toNamedTensor,
} from "../../src/protocol/index.js";
import {
  type HttpRequest,
  type HttpResponse,
  type MessageHandler,
  Router,
  TransportServer,
  type WebSocket,
} from "../../src/transport/index.js";
import { decodeBinaryInfer, decodeJsonInfer, decodeStreamRequest } from "../support/decode.js";

interface Connection {
  readonly raw: string | undefined;
  readonly sequenceId: string | undefined;
  readonly authorization: string;
}

type Handler = (request: HttpRequest, response: HttpResponse) => void;

const LIMITS = { maxMessageBytes: 1 << 20, idleTimeoutSeconds: 0, maxUnsentBytes: 1 << 24 };

interface RestBody {
  inputs: Record<string, unknown>;
  [option: string]: unknown;
}

export class FakeServer {
  /** Answers of 503 that the readiness route still gives. */
  unreadyPolls = 0;
  /** Polls that a task stays pending for. */
  pendingPolls = 0;
  /** What a plain prediction answers with: an error, or a status and a body of its own; nothing for "hang". */
  predictAnswer: HeadraceError | { status: string; body: string } | "hang" | undefined;
  /** Called for each step of a stream, in order; what it throws is the step's answer. */
  onStep: (step: number) => void = () => {};
  /** While true, steps of streams wait for `release`. */
  holds = false;
  /** The last body of a REST prediction. */
  lastBody: RestBody | undefined;
  lastConnection: Connection | undefined;
  /** Steps that arrived on streams. */
  steps = 0;

  readonly #routes = new Router<Handler>();
  readonly #server: TransportServer;
  readonly #sequences = new Map<string, bigint>();
  readonly #held: (() => void)[] = [];
  #peer: WebSocket | undefined;
  #onArrival: (() => void)[] = [];

  constructor() {
    this.#routes.add("GET /v2/health/ready", (_request, response) => this.#ready(response));
    this.#routes.add("POST /predict", (_request, response) =>
      withBody(response, (body) => this.#predict(response, body)),
    );
    this.#routes.add("POST /tasks", (_request, response) =>
      withBody(response, (body) => {
        this.lastBody = JSON.parse(String(body)) as RestBody;
        answer(response, '{"taskId":"t/1"}', 202);
      }),
    );
    this.#routes.add("GET /tasks/t%2F1", (_request, response) => this.#task(response));
    this.#routes.add("POST /v2/models/echo/infer", (request, response) => {
      const length = parseHeaderLength(request.header(HEADER_LENGTH_FIELD.toLowerCase()));
      withBody(response, (body) => this.#infer(response, body, length));
    });
    this.#routes.add("GET /v2/models/echo/stream", (request, response) => this.#accept(request, response));
    const noModel = encodeV2Error(new HeadraceError("MODEL_NOT_FOUND", "no such model"));
    this.#server = new TransportServer(
      { threads: 1, maxConnections: 1000, maxIncomingBytes: 1 << 30, maxUnreadBytes: 1 << 30 },
      {
        request: (request, response) => {
          const found = this.#routes.find(`${request.method} ${request.path}`);
          if (found === undefined) answer(response, noModel, 404);
          else found.value(request, response);
        },
      },
    );
  }

  async listen(): Promise<string> {
    return `http://127.0.0.1:${this.#server.listen("127.0.0.1", 0)}`;
  }

  async close(): Promise<void> {
    this.#server.stopListening();
    await this.#server.close();
  }

  /** Answers what is held. */
  release(): void {
    this.holds = false;
    for (const respond of this.#held.splice(0)) respond();
  }

  /** Resolves when `count` steps have arrived on streams. */
  async arrived(count: number): Promise<void> {
    while (this.steps < count) await new Promise<void>((resolve) => this.#onArrival.push(resolve));
  }

  endStream(error: HeadraceError): void {
    const { code, reason } = closeFrameOf(error);
    this.#peer?.end(code, reason);
  }

  /** Breaks the connection without a close frame. */
  breakStream(): void {
    this.#peer?.abort();
  }

  sendUnasked(frame: string): void {
    this.#peer?.send(frame, false);
  }

  #ready(response: HttpResponse): void {
    if (this.unreadyPolls-- > 0) answer(response, encodeV2Error(new HeadraceError("UNAVAILABLE", "loading")), 503);
    else answer(response, '{"ready":true}');
  }

  #predict(response: HttpResponse, body: Buffer): void {
    this.lastBody = JSON.parse(String(body)) as RestBody;
    const given = this.predictAnswer;
    if (given === "hang") return;
    if (given === undefined) {
      answer(response, `{"outputs":${JSON.stringify(this.lastBody.inputs)},"big":9007199254740993}`);
    } else if (given instanceof HeadraceError) answer(response, encodeRestError(given), given.httpStatus);
    else answer(response, given.body, given.status);
  }

  #task(response: HttpResponse): void {
    if (this.pendingPolls-- > 0) answer(response, '{"taskId":"t/1","status":"pending"}');
    else if (this.predictAnswer instanceof HeadraceError) {
      answer(response, `{"taskId":"t/1","status":"failed",${encodeRestError(this.predictAnswer).slice(1)}`);
    } else answer(response, `{"taskId":"t/1","status":"done","outputs":${JSON.stringify(this.lastBody?.inputs)}}`);
  }

  #infer(response: HttpResponse, body: Uint8Array, jsonBytes: number | undefined): void {
    try {
      const request = jsonBytes === undefined ? decodeJsonInfer(body) : decodeBinaryInfer(body, jsonBytes);
      const wanted = request.outputs?.map(({ name }) => name);
      const outputs = this.#echo(request).filter(({ name }) => wanted?.includes(name) ?? true);
      const message = encodeInferResponse(
        { modelName: "echo", modelVersion: "1", id: request.id, outputs },
        () => request.binaryOutputDefault,
      );
      const { header, parts, total, headerLength } = message;
      const field = headerLength === undefined ? "" : `${HEADER_LENGTH_FIELD}: ${headerLength}\r\n`;
      answer(response, joinBytes([header, ...parts], total), 200, field);
    } catch (error) {
      const known = toHeadraceError(error);
      answer(response, encodeV2Error(known), known.httpStatus);
    }
  }

  /** The inputs and, as INT64, which step of its sequence this is. */
  #echo(request: DecodedRequest): NamedTensor[] {
    const id = request.sequenceId ?? "";
    const before = request.sequenceStart || id === "" ? 0n : (this.#sequences.get(id) ?? 0n);
    this.#sequences.set(id, before + 1n);
    if (request.sequenceEnd) this.#sequences.delete(id);
    const step: RawTensor = { datatype: "INT64", shape: [1], data: BigInt64Array.of(before + 1n) };
    return [...request.inputs.map(toNamedTensor), { name: "step", ...step }];
  }

  #accept(request: HttpRequest, response: HttpResponse): void {
    const connection = {
      raw: request.query("raw"),
      sequenceId: request.query("sequence_id"),
      authorization: request.header("authorization"),
    };
    this.lastConnection = connection;
    this.#server.accept(response, "", LIMITS, this.#stream(connection));
  }

  #stream(connection: Connection): MessageHandler {
    let peer: WebSocket;
    return {
      opened: (socket) => {
        peer = socket;
        this.#peer = socket;
      },
      message: (message, isBinary) => {
        // Held answers outlive the callback, the message's memory does not.
        const frame = message.slice();
        const step = ++this.steps;
        const respond = (): void => this.#step(peer, connection, frame, isBinary, step);
        if (this.holds) this.#held.push(respond);
        else respond();
        for (const wake of this.#onArrival.splice(0)) wake();
      },
      closed: () => {},
    };
  }

  #step(peer: WebSocket, { raw, sequenceId }: Connection, frame: Uint8Array, isBinary: boolean, step: number): void {
    try {
      this.onStep(step);
      if (!isBinary) throw new HeadraceError("UNIMPLEMENTED", "the fake server takes binary frames only");
      if (raw !== undefined) {
        const request = decodeRawInfer(frame, { name: raw, datatype: "UINT8", shape: [-1, -1] }, { sequenceId });
        peer.send(encodeRawAnswer(this.#echo(request)), true);
        return;
      }
      const request = decodeStreamRequest(frame);
      const outputs = this.#echo({ ...request, sequenceId: request.sequenceId ?? sequenceId });
      peer.send(encodeStreamFrame(encodeInferResponse({ modelName: "echo", outputs }, () => true)), true);
    } catch (error) {
      peer.send(encodeStreamError(toHeadraceError(error)), false);
    }
  }
}

function withBody(response: HttpResponse, use: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  response.onData((chunk, isLast) => {
    chunks.push(Buffer.from(chunk));
    if (isLast) use(Buffer.concat(chunks));
  });
}

/** @param status  a number, or a whole status line without the version */
function answer(response: HttpResponse, body: string | Uint8Array, status: number | string = 200, fields = ""): void {
  response.respond(`${status}${String(status).includes(" ") ? "" : " -"}\r\n${fields}`, body);
}

/** A port that nobody listens on: it was just given out and handed back. */
export async function deadUrl(): Promise<string> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
}
