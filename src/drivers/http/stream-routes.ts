/** The WebSockets of a listener: which model and which streams a connection is for. */
import type { HttpRequest } from "uWebSockets.js";
import { HeadraceError, InvalidArgumentError, toHeadraceError } from "../../errors.js";
import { canonicalSequenceId, encodeV2Error, type TensorMetadata } from "../../protocol/index.js";
import type { AppLease, StreamLimits } from "./app-pool.js";
import type { HttpListener } from "./listener.js";
import type { ListenerParameters } from "./parameters.js";
import { StreamConnection } from "./stream-connection.js";

/** What uWebSockets.js can count. */
const MAX_FRAME_BYTES = 2 ** 31;

/** uWebSockets.js copies the properties of what it is given, so the connection must be one. */
interface UserData {
  readonly connection: StreamConnection;
}

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
    for (const pattern of ["/v2/models/:model/stream", "/v2/models/:model/versions/:version/stream"]) {
      const versioned = pattern.includes(":version");
      app.stream<UserData>(pattern, limits, {
        upgrade: (response, request, context) => {
          let connection: StreamConnection;
          try {
            connection = this.connection(request, versioned);
          } catch (error) {
            this.listener.exchanges.open(response, request, encodeV2Error).error(toHeadraceError(error));
            return;
          }
          response.upgrade(
            { connection },
            request.getHeader("sec-websocket-key"),
            request.getHeader("sec-websocket-protocol"),
            request.getHeader("sec-websocket-extensions"),
            context,
          );
        },
        open: (socket) => socket.getUserData().connection.opened(socket),
        message: (socket, message, isBinary) => socket.getUserData().connection.message(message, isBinary),
        close: (socket) => socket.getUserData().connection.closed(),
      });
    }
  }

  private connection(request: HttpRequest, versioned: boolean): StreamConnection {
    const { models, outbox } = this.listener;
    const endpoint = models.find(request.getParameter(0) ?? "", versioned ? request.getParameter(1) : undefined);
    if (endpoint.isDraining) throw new HeadraceError("UNAVAILABLE", "the server is stopping");
    const raw = request.getQuery("raw");
    const streams = request.getQuery("streams");
    const limit = endpoint.parameters.maxStreamsPerConnection;
    return new StreamConnection(endpoint, outbox, {
      sequenceId: canonicalSequenceId(request.getQuery("sequence_id"), "sequence_id"),
      raw: raw === undefined ? undefined : rawInput(endpoint.service.inputs, raw),
      streams: streams === undefined ? undefined : numberOfStreams(streams, raw, limit),
      isOrderedByStream: orderOf(request.getQuery("order")) === "stream",
    });
  }
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
