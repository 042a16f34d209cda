import { isDeepStrictEqual } from "node:util";
import { InvalidArgumentError } from "../../errors.js";
import { ACCESS_DEFAULTS, type AccessParameters, accessParameters, boolean } from "../../serving/access-parameters.js";
import { shown } from "../../shown.js";

/** The parameters of a GrpcDriver. Sizes are bytes. None can change while it runs. */
export interface GrpcParameters extends AccessParameters {
  /** The port; 0 takes any free one. Default: 8001. */
  port: number;
  /** The largest message, also after unpacking; a larger one ends its call with RESOURCE_EXHAUSTED. Default: 64 MiB. */
  maxMessageBytes: number;
  /** The headers of a call, 32 added for each; more of them end it with RESOURCE_EXHAUSTED. Default: 16 KiB. */
  maxHeaderBytes: number;
  /** Calls that a connection may have open; one more waits at the client, or is refused. Default: 1024. */
  maxStreamsPerConnection: number;
  /**
   * Connections that are open at a time; one more is closed at once. Each costs some kilobytes and a file descriptor. Default:
   * 10,000.
   */
  maxConnections: number;
  /**
   * Bytes of requests of all clients that have come and that nobody could take yet: messages that are not whole, not unpacked, or
   * behind others of their stream. A connection with no more than 64 KiB is not counted; a call that brings more ends with
   * RESOURCE_EXHAUSTED. One message of `maxMessageBytes` is always taken. Default: 1 GiB.
   */
  maxIncomingBytes: number;
  /**
   * Bytes of answers to all clients that wait until they are read, beyond `maxBackpressureBytes` of each connection. One with no more
   * than 64 KiB is not counted, and one with several answers may have an eighth. A call whose answer would be more ends with
   * RESOURCE_EXHAUSTED, what it asked for being done. At least 1 MiB. Default: 1 GiB.
   */
  maxUnreadBytes: number;
  /**
   * Requests of one ModelStreamInfer that wait for their answers; no more of it are read until there are fewer, so the client has
   * to wait. Default: 256.
   */
  maxInFlightPerStream: number;
  /**
   * Answers that a client has not read yet, beyond what the operating system buffers. Where more pile up, nothing more is read of
   * that client, and no more is written, until it reads; at least 16 KiB. Default: 1 MiB.
   */
  maxBackpressureBytes: number;
  /**
   * Whether it takes over from a driver that serves the same version of the same model on this port: new requests come here, and
   * the other one, which is then to be stopped, finishes what it has. Else that is refused. Default: false.
   */
  replace: boolean;
}

export const GRPC_DEFAULTS: GrpcParameters = {
  port: 8001,
  ...ACCESS_DEFAULTS,
  maxMessageBytes: 64 << 20,
  maxHeaderBytes: 16 << 10,
  maxStreamsPerConnection: 1024,
  maxConnections: 10_000,
  maxIncomingBytes: 1 << 30,
  maxUnreadBytes: 1 << 30,
  maxInFlightPerStream: 256,
  maxBackpressureBytes: 1 << 20,
  replace: false,
};

/** What all drivers that share a port have in common. */
export const LISTENER_PARAMETERS = [
  ...(Object.keys(ACCESS_DEFAULTS) as readonly (keyof AccessParameters)[]),
  "maxMessageBytes",
  "maxHeaderBytes",
  "maxStreamsPerConnection",
  "maxConnections",
  "maxIncomingBytes",
  "maxUnreadBytes",
  "maxInFlightPerStream",
  "maxBackpressureBytes",
] as const;

export type ListenerParameters = Readonly<Pick<GrpcParameters, (typeof LISTENER_PARAMETERS)[number]>>;

const FIXED = ["port", "replace", ...LISTENER_PARAMETERS] as const;
const RANGES = {
  port: [0, 65_535],
  maxMessageBytes: [1, 2 ** 31 - 1],
  maxHeaderBytes: [1024, 1 << 20],
  maxStreamsPerConnection: [1, 1 << 20],
  maxConnections: [1, 1 << 24],
  maxIncomingBytes: [1, Number.MAX_SAFE_INTEGER],
  maxUnreadBytes: [1 << 20, Number.MAX_SAFE_INTEGER],
  maxInFlightPerStream: [1, 1 << 20],
  maxBackpressureBytes: [1, 2 ** 31],
} as const;

/** All parameters, the defaults filled in. Throws INVALID_ARGUMENT with the path of what does not fit. */
export function grpcParameters(options: Partial<GrpcParameters>): GrpcParameters {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(GRPC_DEFAULTS, name)) continue;
    throw new InvalidArgumentError(`there is no such parameter; there are ${Object.keys(GRPC_DEFAULTS).join(", ")}`, {
      path: name,
    });
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const all: GrpcParameters = { ...GRPC_DEFAULTS, ...given };
  const parameters: GrpcParameters = { ...all, ...accessParameters(all) };
  for (const [path, [minimum, maximum]] of Object.entries(RANGES)) {
    const value: unknown = parameters[path as keyof typeof RANGES];
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= minimum && value <= maximum) continue;
    throw new InvalidArgumentError(`expected an integer from ${minimum} to ${maximum}, got ${shown(value)}`, { path });
  }
  boolean("replace", parameters.replace);
  return parameters;
}

/** The new parameters, where only what may change while running has changed. */
export function changedParameters(current: GrpcParameters, wanted: GrpcParameters): GrpcParameters {
  const parameters = grpcParameters(wanted);
  for (const name of FIXED) {
    if (isDeepStrictEqual(parameters[name], current[name])) continue;
    throw new InvalidArgumentError("cannot change while the driver runs; remove the driver and add another", {
      path: name,
    });
  }
  return parameters;
}

export function listenerParameters({ port: _, replace: __, ...shared }: GrpcParameters): ListenerParameters {
  return shared;
}
