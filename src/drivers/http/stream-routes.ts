/** The WebSockets of a listener: which model and which streams a connection is for. */
import type { HttpRequest, WebSocket } from "uWebSockets.js";
import { HeadraceError, InvalidArgumentError, toHeadraceError } from "../../errors.js";
import { canonicalSequenceId, encodeV2Error, type TensorMetadata } from "../../protocol/index.js";
import type { AdmittedClient } from "../../serving/client-gate.js";
import type { AppLease, StreamLimits } from "./app-pool.js";
import { chosenProtocol } from "./gate.js";
import type { HttpListener } from "./listener.js";
import type { ListenerParameters } from "./listener-parameters.js";
import type { ModelEndpoint } from "./model-endpoint.js";
import { roleOf } from "./route-roles.js";
import { StreamConnection } from "./stream-connection.js";
import { Subscriber } from "./subscriber.js";
import type { ResultForm } from "./subscriptions.js";

/** What uWebSockets.js can count. */
const MAX_FRAME_BYTES = 2 ** 31;

/** What a WebSocket is for. */
interface Connection {
  opened(socket: WebSocket<unknown>): void;
  message(bytes: ArrayBuffer, isBinary: boolean): void;
  /** Some of what was written has been read. */
  drained?(): void;
  closed(): void;
}

/** uWebSockets.js copies the properties of what it is given, so the connection must be one. */
interface UserData {
  readonly connection: Connection;
}

/** Makes the connection that an upgrade asks for. */
type Opener = (request: HttpRequest, endpoint: ModelEndpoint, client: AdmittedClient | undefined) => Connection;

/** What uWebSockets.js itself enforces. */
export function streamLimits(parameters: ListenerParameters): StreamLimits<UserData> {
  const { maxBodyBytes, maxFrameBytes, idleTimeoutSeconds } = parameters;
  return {
    // Ours to refuse (StreamConnection.message), with a close code: uWebSockets.js just drops the connection. It still
    // does so for what is far too large, before it is all there.
    maxPayloadLength: Math.min(2 * Math.min(maxBodyBytes, maxFrameBytes), MAX_FRAME_BYTES),
    // Ours to watch (StreamConnection.flush): uWebSockets.js would drop answers silently.
    maxBackpressure: 0,
    idleTimeout: idleTimeoutSeconds,
    sendPingsAutomatically: true,
  };
}

export class StreamRoutes {
  constructor(private readonly listener: HttpListener) {}

  register(app: AppLease, limits: StreamLimits<UserData>): void {
    for (const [name, open] of [
      ["stream", (request, endpoint, client) => this.stream(request, endpoint, client)],
      ["subscribe", (request, endpoint, client) => this.subscriber(request, endpoint, client)],
    ] satisfies [string, Opener][]) {
      this.route(app, `/v2/models/:model/${name}`, false, limits, open);
      this.route(app, `/v2/models/:model/versions/:version/${name}`, true, limits, open);
    }
  }

  private route(
    app: AppLease,
    pattern: string,
    versioned: boolean,
    limits: StreamLimits<UserData>,
    open: Opener,
  ): void {
    const role = roleOf("WS", pattern);
    app.stream<UserData>(pattern, limits, {
      upgrade: (response, request, context) => {
        let connection: Connection;
        let protocol: string;
        try {
          const client = this.listener.gate.admitStream(response, request, role);
          connection = open(request, this.endpoint(request, versioned), client);
          protocol = chosenProtocol(request);
        } catch (error) {
          this.listener.exchanges.open(response, request, encodeV2Error).error(toHeadraceError(error));
          return;
        }
        response.upgrade(
          { connection },
          request.getHeader("sec-websocket-key"),
          protocol,
          request.getHeader("sec-websocket-extensions"),
          context,
        );
      },
      open: (socket) => socket.getUserData().connection.opened(socket),
      message: (socket, message, isBinary) => socket.getUserData().connection.message(message, isBinary),
      drain: (socket) => socket.getUserData().connection.drained?.(),
      close: (socket) => socket.getUserData().connection.closed(),
    });
  }

  private endpoint(request: HttpRequest, versioned: boolean): ModelEndpoint {
    const { models } = this.listener;
    const endpoint = models.find(request.getParameter(0) ?? "", versioned ? request.getParameter(1) : undefined);
    if (endpoint.isDraining) throw new HeadraceError("UNAVAILABLE", "the server is stopping");
    return endpoint;
  }

  private stream(request: HttpRequest, endpoint: ModelEndpoint, client: AdmittedClient | undefined): Connection {
    const raw = request.getQuery("raw");
    const streams = request.getQuery("streams");
    const limit = endpoint.parameters.maxStreamsPerConnection;
    const { outbox, decoder } = this.listener;
    return new StreamConnection(endpoint, outbox, decoder, {
      client,
      isTracing: this.listener.isTracing,
      sequenceId: canonicalSequenceId(request.getQuery("sequence_id"), "sequence_id"),
      raw: raw === undefined ? undefined : rawInput(endpoint.service.inputs, raw),
      streams: streams === undefined ? undefined : numberOfStreams(streams, raw, limit),
      isOrderedByStream: orderOf(request.getQuery("order")) === "stream",
    });
  }

  private subscriber(request: HttpRequest, endpoint: ModelEndpoint, client: AdmittedClient | undefined): Connection {
    if (!endpoint.inference.stateful) {
      throw new InvalidArgumentError("the model keeps no state, so there are no streams to follow", {
        path: "stateId",
      });
    }
    const query = new URLSearchParams(request.getQuery());
    const limit = endpoint.parameters.maxStreamsPerConnection;
    return new Subscriber(endpoint, client, watchedStates(query.getAll("stateId"), limit), formOf(query.get("format")));
  }
}

/** The state ids of a subscription, each once. */
function watchedStates(names: readonly string[], limit: number): string[] {
  if (names.includes("*")) {
    throw new InvalidArgumentError("there is no subscription to all state ids; name each, as in ?stateId=a&stateId=b", {
      path: "stateId",
    });
  }
  const stateIds = new Set(names.map((name) => canonicalSequenceId(name, "stateId")).filter((id) => id !== undefined));
  if (stateIds.size === 0) throw new InvalidArgumentError("name at least one, as in ?stateId=a", { path: "stateId" });
  if (stateIds.size <= limit) return [...stateIds];
  const message = `${stateIds.size} are more than a connection may have (maxStreamsPerConnection: ${limit})`;
  throw new InvalidArgumentError(message, { path: "stateId" });
}

function formOf(format: string | null): ResultForm {
  if (format === null || format === "json") return "json";
  if (format === "binary") return "binary";
  throw new InvalidArgumentError(`expected json or binary, got '${format}'`, { path: "format" });
}

function rawInput(inputs: readonly TensorMetadata[], name: string): TensorMetadata {
  const [only, ...others] = inputs;
  if (only?.name === name && others.length === 0) return only;
  const known = inputs.map((input) => input.name).join(", ");
  throw new InvalidArgumentError(
    others.length > 0
      ? `a raw stream needs a model with a single input, this one has ${known}`
      : `there is no input '${name}'; the model's input is ${known}`,
    { path: "raw" },
  );
}

function orderOf(text = "connection"): "connection" | "stream" {
  if (text === "connection" || text === "stream") return text;
  throw new InvalidArgumentError(`expected connection or stream, got '${text}'`, { path: "order" });
}

function numberOfStreams(text: string, raw: string | undefined, limit: number): number {
  if (raw === undefined) {
    throw new InvalidArgumentError("is for raw streams; other requests name their sequence_id", { path: "streams" });
  }
  const streams = /^[1-9]\d{0,8}$/.test(text) ? Number(text) : 0;
  if (streams >= 1 && streams <= limit) return streams;
  throw new InvalidArgumentError(`expected a number from 1 to ${limit}, got '${text}'`, { path: "streams" });
}
