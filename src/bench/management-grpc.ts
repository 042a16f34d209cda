/** A V2 server asked over gRPC. */
import { type ClientHttp2Session, connect } from "node:http2";
import { MessageCodec, type MessageObject } from "../drivers/grpc/messages/schema.js";
import { HeadraceError, InvalidArgumentError } from "../errors.js";
import {
  at,
  type Management,
  type ModelStatistics,
  readyModels,
  type ServedModel,
  statisticsOf,
  tensorsOf,
} from "./management.js";
import { tlsProblem } from "./tls-tunnel.js";

const SERVICE = "/inference.GRPCInferenceService";
const PREFIX_BYTES = 5;
const NOT_FOUND = "5";
const UNIMPLEMENTED = "12";
const INVALID_ARGUMENT = "3";

interface Answer {
  readonly status: string;
  readonly problem: string;
  readonly body: Buffer;
}

export class GrpcManagement implements Management {
  private readonly session: ClientHttp2Session;
  private failure: Error | undefined;

  /** @param url Such as `grpc://127.0.0.1:8001`; over TLS where it begins with `grpcs:`. */
  constructor(
    private readonly url: string,
    private readonly headers: Readonly<Record<string, string>>,
  ) {
    this.session = connect(url.replace(/^grpc/, "http"));
    this.session.on("error", (error) => {
      this.failure = error;
    });
  }

  async describe(asked: string | undefined): Promise<ServedModel> {
    const server = await this.call("ServerMetadata", {});
    const name = asked ?? (await this.onlyModel());
    const metadata = await this.call("ModelMetadata", { name });
    if (metadata === undefined) {
      throw new HeadraceError("MODEL_NOT_FOUND", `${this.url} serves no model '${name}'`);
    }
    const config = await this.call("ModelConfig", { name });
    const version = { name: String(at(server, "name") ?? "unknown"), version: String(at(server, "version") ?? "") };
    return {
      name,
      inputs: tensorsOf(at(metadata, "inputs")),
      outputs: tensorsOf(at(metadata, "outputs")),
      stateful: at(config, "config", "scheduling_choice") === "sequence_batching",
      server: server === undefined ? undefined : version,
    };
  }

  async statistics(name: string): Promise<ModelStatistics | undefined> {
    return statisticsOf(await this.call("ModelStatistics", { name }));
  }

  close(): void {
    this.session.destroy();
  }

  private async onlyModel(): Promise<string> {
    const names = readyModels(at(await this.call("RepositoryIndex", { ready: true }), "models"));
    const [only, second] = names;
    if (only !== undefined && second === undefined) return only;
    const which = only === undefined ? "the server does not say which models it has" : `one of ${names.join(", ")}`;
    throw new InvalidArgumentError(`which model? ${which}`, { path: "--model" });
  }

  /** Undefined where the server has no such method or object. */
  private async call(method: string, request: MessageObject): Promise<MessageObject | undefined> {
    const message = new MessageCodec(`inference.${method}Request`).encode(request);
    const prefix = Buffer.alloc(PREFIX_BYTES);
    prefix.writeUInt32BE(message.byteLength, 1);
    const { status, problem, body } = await this.send(`${SERVICE}/${method}`, Buffer.concat([prefix, message]));
    if ([NOT_FOUND, UNIMPLEMENTED, INVALID_ARGUMENT].includes(status)) return undefined;
    if (status !== "0") {
      throw new HeadraceError("UNAVAILABLE", `${this.url}${SERVICE}/${method}: status ${status}: ${problem}`);
    }
    return new MessageCodec(`inference.${method}Response`).decode(body.subarray(PREFIX_BYTES));
  }

  private send(path: string, body: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error | undefined): void => {
        // A stream may hear of it before its session does.
        const known = this.failure ?? (error?.cause instanceof Error ? error.cause : error);
        const why = known === undefined ? "the connection was closed" : tlsProblem(known);
        reject(new HeadraceError("UNAVAILABLE", `nobody answers at ${this.url}: ${why}`));
      };
      const stream = this.session.request({
        ...this.headers,
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
      });
      const chunks: Buffer[] = [];
      let trailers: Readonly<Record<string, unknown>> = {};
      stream.on("response", (headers) => {
        trailers = headers;
      });
      stream.on("trailers", (headers) => {
        trailers = headers;
      });
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("error", fail);
      stream.on("close", () => {
        const status = trailers["grpc-status"];
        if (status === undefined) return fail(undefined);
        resolve({
          status: String(status),
          problem: String(trailers["grpc-message"] ?? ""),
          body: Buffer.concat(chunks),
        });
      });
      stream.end(body);
    });
  }
}
