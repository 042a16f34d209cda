/** The WebSockets of a listener: which model and which streams a connection is for. */
import { InvalidArgumentError, serverStopping, toHeadraceError } from "../../errors.js";
import { canonicalSequenceId, encodeV2Error, type TensorMetadata } from "../../protocol/index.js";
import type { AdmittedClient } from "../../serving/client-gate.js";
import type { HttpRequest, HttpResponse, WebSocketLimits } from "../../transport/index.js";
import { chosenProtocol } from "./gate.js";
import type { HttpListener } from "./listener.js";
import type { ModelEndpoint } from "./model-endpoint.js";
import { roleOf } from "./route-roles.js";
import type { Router } from "./router.js";
import { StreamConnection } from "./stream-connection.js";
import { Subscriber } from "./subscriber.js";
import type { ResultForm } from "./subscriptions.js";

/** What a length in a frame can be, as far as anybody means it. */
const MAX_FRAME_BYTES = 2 ** 31;
/** A message that is larger than allowed by no more than this is refused with the name of the limit, for whoever just missed it. */
const REFUSED_IN_WORDS_BYTES = 64 << 10;

/** Opens what an upgrade asks for. Throws what is wrong with the request. */
type Opener = (upgrade: Upgrade, endpoint: ModelEndpoint, client: AdmittedClient | undefined) => void;

/** A request for a WebSocket. */
interface Upgrade {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  /** More lines of the answer. */
  readonly fields: string;
}

export class StreamRoutes {
  constructor(private readonly listener: HttpListener) {}

  register(router: Router): void {
    for (const [name, open] of [
      ["stream", (upgrade, endpoint, client) => this.stream(upgrade, endpoint, client)],
      ["subscribe", (upgrade, endpoint, client) => this.subscribe(upgrade, endpoint, client)],
    ] satisfies [string, Opener][]) {
      this.route(router, `/v2/models/:model/${name}`, false, open);
      this.route(router, `/v2/models/:model/versions/:version/${name}`, true, open);
    }
  }

  private route(router: Router, pattern: string, versioned: boolean, open: Opener): void {
    const role = roleOf("WS", pattern);
    router.stream(pattern, (request, response) => {
      try {
        const client = this.listener.gate.admitStream(request, role);
        const protocol = chosenProtocol(request);
        const fields = protocol === "" ? "" : `Sec-WebSocket-Protocol: ${protocol}\r\n`;
        open({ request, response, fields }, this.endpoint(request, versioned), client);
      } catch (error) {
        this.listener.exchanges.open(response, request, encodeV2Error).error(toHeadraceError(error));
      }
    });
  }

  /** @param maxUnsentBytes  more unread answers end it */
  private limits(maxUnsentBytes: number): WebSocketLimits {
    const { maxBodyBytes, maxFrameBytes, idleTimeoutSeconds } = this.listener.parameters;
    // Ours to refuse (StreamConnection.message), in words; what is larger still never gets here, nor into memory.
    const maxMessageBytes = Math.min(Math.min(maxBodyBytes, maxFrameBytes) + REFUSED_IN_WORDS_BYTES, MAX_FRAME_BYTES);
    return { maxMessageBytes, idleTimeoutSeconds, maxUnsentBytes };
  }

  private endpoint(request: HttpRequest, versioned: boolean): ModelEndpoint {
    const { models } = this.listener;
    const endpoint = models.find(request.parameter(0), versioned ? request.parameter(1) : undefined);
    if (endpoint.isDraining) throw serverStopping();
    return endpoint;
  }

  private stream({ request, response, fields }: Upgrade, endpoint: ModelEndpoint, client: AdmittedClient | undefined) {
    const { outbox, decoder, server, isTracing, gate } = this.listener;
    const raw = request.query("raw");
    const streams = request.query("streams");
    const { maxStreamsPerConnection, maxBackpressureBytes, maxInFlightPerConnection } = endpoint.parameters;
    const connection = new StreamConnection(endpoint, outbox, decoder, {
      client,
      isTracing,
      sequenceId: canonicalSequenceId(request.query("sequence_id"), "sequence_id"),
      raw: raw === undefined ? undefined : rawInput(endpoint.service.inputs, raw),
      streams: streams === undefined ? undefined : numberOfStreams(streams, raw, maxStreamsPerConnection),
      isOrderedByStream: orderOf(request.query("order")) === "stream",
    });
    const limits = this.limits(maxBackpressureBytes);
    const model = endpoint.native?.takesRaw === true ? endpoint.native.model : undefined;
    // Where each frame is somebody's to look at, it comes here.
    if (raw === undefined || model === undefined || isTracing || gate.clients.limiter !== undefined) {
      server.accept(response, fields, limits, connection);
      return;
    }
    const { base: stateId, isOwn: ownsState } = connection.ids;
    const options = { stateId, streams: connection.streams, ownsState, maxInFlight: maxInFlightPerConnection, limits };
    connection.goesNatively(model, response.connection);
    server.acceptRaw(response, fields, model, options, connection);
  }

  private subscribe(
    { request, response, fields }: Upgrade,
    endpoint: ModelEndpoint,
    client: AdmittedClient | undefined,
  ) {
    if (!endpoint.inference.stateful) {
      throw new InvalidArgumentError("the model keeps no state, so there are no streams to follow", {
        path: "stateId",
      });
    }
    const limit = endpoint.parameters.maxStreamsPerConnection;
    const names = watchedStates(request.queryAll("stateId"), limit);
    const { server } = this.listener;
    const subscriber = new Subscriber(endpoint, client, server.topics, names, formOf(request.query("format")));
    // It drops results before that much is unread.
    server.accept(response, fields, this.limits(MAX_FRAME_BYTES), subscriber);
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

function formOf(format: string | undefined): ResultForm {
  if (format === undefined || format === "json") return "json";
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
