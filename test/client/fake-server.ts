/**
 * A server that speaks Headrace's protocol over real sockets and predicts nothing: every model echoes its inputs and
 * counts the steps of each sequence. Tests steer how it answers.
 */

import uWS from "uWebSockets.js";
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
import { decodeBinaryInfer, decodeJsonInfer, decodeStreamRequest } from "../support/decode.js";

interface Connection {
  readonly raw: string | undefined;
  readonly sequenceId: string | undefined;
  readonly authorization: string;
}

type Peer = uWS.WebSocket<Connection>;

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

  readonly #app = uWS.App();
  readonly #sequences = new Map<string, bigint>();
  readonly #held: (() => void)[] = [];
  #peer: Peer | undefined;
  #onArrival: (() => void)[] = [];

  async listen(): Promise<string> {
    this.#routes();
    const port = await new Promise<number>((resolve) => {
      this.#app.listen("127.0.0.1", 0, (socket) => {
        resolve(socket === false ? 0 : uWS.us_socket_local_port(socket));
      });
    });
    return `http://127.0.0.1:${port}`;
  }

  close(): void {
    this.#app.close();
  }

  /** Answers what is held. */
  release(): void {
    this.holds = false;
    for (const answer of this.#held.splice(0)) answer();
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
    this.#peer?.close();
  }

  sendUnasked(frame: string): void {
    this.#peer?.send(frame);
  }

  #routes(): void {
    this.#app
      .get("/v2/health/ready", (res) => {
        if (this.unreadyPolls-- > 0)
          res.writeStatus("503").end(encodeV2Error(new HeadraceError("UNAVAILABLE", "loading")));
        else res.end('{"ready":true}');
      })
      .post("/predict", (res) => this.#withBody(res, (body) => this.#predict(res, body)))
      .post("/tasks", (res) =>
        this.#withBody(res, (body) => {
          this.lastBody = JSON.parse(String(body)) as RestBody;
          res.writeStatus("202").end('{"taskId":"t/1"}');
        }),
      )
      .get("/tasks/t%2F1", (res) => this.#task(res))
      .post("/v2/models/echo/infer", (res, req) => {
        const length = req.getHeader(HEADER_LENGTH_FIELD.toLowerCase());
        this.#withBody(res, (body) => this.#infer(res, body, parseHeaderLength(length)));
      })
      .ws<Connection>("/v2/models/echo/stream", this.#stream())
      .any("/*", (res) => {
        res.writeStatus("404").end(encodeV2Error(new HeadraceError("MODEL_NOT_FOUND", "no such model")));
      });
  }

  #withBody(res: uWS.HttpResponse, use: (body: Buffer) => void): void {
    const chunks: Buffer[] = [];
    res.onAborted(() => {});
    res.onData((chunk, isLast) => {
      chunks.push(Buffer.from(chunk.slice(0)));
      if (isLast) use(Buffer.concat(chunks));
    });
  }

  #predict(res: uWS.HttpResponse, body: Buffer): void {
    this.lastBody = JSON.parse(String(body)) as RestBody;
    const answer = this.predictAnswer;
    if (answer === "hang") return;
    if (answer === undefined) res.end(`{"outputs":${JSON.stringify(this.lastBody.inputs)},"big":9007199254740993}`);
    else if (answer instanceof HeadraceError) res.writeStatus(String(answer.httpStatus)).end(encodeRestError(answer));
    else res.writeStatus(answer.status).end(answer.body);
  }

  #task(res: uWS.HttpResponse): void {
    if (this.pendingPolls-- > 0) res.end('{"taskId":"t/1","status":"pending"}');
    else if (this.predictAnswer instanceof HeadraceError) {
      res.end(`{"taskId":"t/1","status":"failed",${encodeRestError(this.predictAnswer).slice(1)}`);
    } else res.end(`{"taskId":"t/1","status":"done","outputs":${JSON.stringify(this.lastBody?.inputs)}}`);
  }

  #infer(res: uWS.HttpResponse, body: Uint8Array, headerLength: number | undefined): void {
    try {
      const request = headerLength === undefined ? decodeJsonInfer(body) : decodeBinaryInfer(body, headerLength);
      const wanted = request.outputs?.map(({ name }) => name);
      const outputs = this.#echo(request).filter(({ name }) => wanted?.includes(name) ?? true);
      const message = encodeInferResponse(
        { modelName: "echo", modelVersion: "1", id: request.id, outputs },
        () => request.binaryOutputDefault,
      );
      if (message.headerLength !== undefined) res.writeHeader(HEADER_LENGTH_FIELD, String(message.headerLength));
      res.end(joinBytes([message.header, ...message.parts], message.total));
    } catch (error) {
      const known = toHeadraceError(error);
      res.writeStatus(String(known.httpStatus)).end(encodeV2Error(known));
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

  #stream(): uWS.WebSocketBehavior<Connection> {
    return {
      upgrade: (res, req, context) => {
        const connection = {
          raw: req.getQuery("raw"),
          sequenceId: req.getQuery("sequence_id"),
          authorization: req.getHeader("authorization"),
        };
        this.lastConnection = connection;
        const key = req.getHeader("sec-websocket-key");
        res.upgrade(connection, key, "", "", context);
      },
      open: (peer) => {
        this.#peer = peer;
      },
      message: (peer, message, isBinary) => {
        // Held answers outlive the callback, the message's memory does not.
        const frame = new Uint8Array(message.slice(0));
        const step = ++this.steps;
        const answer = () => this.#step(peer, frame, isBinary, step);
        if (this.holds) this.#held.push(answer);
        else answer();
        for (const wake of this.#onArrival.splice(0)) wake();
      },
    };
  }

  #step(peer: Peer, frame: Uint8Array, isBinary: boolean, step: number): void {
    const { raw, sequenceId } = peer.getUserData();
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
      peer.send(encodeStreamError(toHeadraceError(error)));
    }
  }
}

/** A port that nobody listens on: it was just given out and handed back. */
export async function deadUrl(): Promise<string> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
}
