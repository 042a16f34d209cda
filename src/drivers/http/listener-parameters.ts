/** The parameters that all drivers on one port have in common: where it listens, who may use it, how much of it. */
import { InvalidArgumentError } from "../../errors.js";
import { ACCESS_DEFAULTS, type AccessParameters, accessParameters, boolean } from "../../serving/access-parameters.js";
import { shown } from "../../shown.js";
import { type Cors, origins, parsedCors } from "./origins.js";

/** None of them can change while somebody serves on the port. */
export interface ListenerParameters extends AccessParameters {
  /** The largest body or frame, in bytes; a larger one is refused with PAYLOAD_TOO_LARGE. Default: 64 MiB. */
  maxBodyBytes: number;
  /** The largest frame of a WebSocket, in bytes, where that is less than `maxBodyBytes`. Default: 64 MiB. */
  maxFrameBytes: number;
  /** Seconds without a frame or a pong after which a WebSocket is closed, at least 8; 0 is never. Default: 120. */
  idleTimeoutSeconds: number;
  /**
   * Connections that are open at a time, WebSockets included; one more is closed at once, without an answer. Each costs some
   * kilobytes and a file descriptor, of which `ulimit -n` says how many there are. Default: 10,000.
   */
  maxConnections: number;
  /**
   * Bytes of requests and messages of all clients together that have come, wholly or in part, and are not done with; those of 64 KiB
   * and less are not counted. What would be more is refused with RESOURCE_EXHAUSTED. One body of `maxBodyBytes` is always taken. Default: 1 GiB.
   */
  maxIncomingBytes: number;
  /**
   * Bytes of answers that the operating system does not take, because clients do not read, of all clients together; where 64 KiB and
   * less wait for one, they are not counted. Where it is more, connections are closed, the slowest first, until it is not; the last one
   * is kept. At least 1 MiB. Default: 1 GiB.
   */
  maxUnreadBytes: number;
  /**
   * Threads that read and write sockets, and serve raw streams of tiny models by themselves; connections are spread over them. More
   * than there are cores only costs. Default: 1.
   */
  threads: number;
  /**
   * Whether these threads have their cores as soon as they want them, before all threads of the machine that are not scheduled so
   * (SCHED_RR): JavaScript and whatever else shares a core with them does not hold up raw streams of models that run inline. For threads that are idle most of
   * the time: Linux takes a twentieth of each second from them, in one piece, where they would have all of it. The system has to allow it (CAP_SYS_NICE, or a limit of 1 by `ulimit -r`), else
   * the driver fails with INVALID_ARGUMENT. Default: false.
   */
  realtime: boolean;
  /** Pages of which other origins may use the server from a browser. Default: none. */
  cors: Cors | undefined;
  /**
   * Pages of which other origins may open WebSockets, such as "https://app.example.com"; "*" for all. The server's own and clients
   * that are no browsers always may. Default: none.
   */
  allowedOrigins: readonly string[];
}

export const LISTENER_DEFAULTS: ListenerParameters = {
  ...ACCESS_DEFAULTS,
  maxBodyBytes: 64 << 20,
  maxFrameBytes: 64 << 20,
  idleTimeoutSeconds: 120,
  maxConnections: 10_000,
  maxIncomingBytes: 1 << 30,
  maxUnreadBytes: 1 << 30,
  threads: 1,
  realtime: false,
  cors: undefined,
  allowedOrigins: [],
};

export const LISTENER_PARAMETERS = Object.keys(LISTENER_DEFAULTS) as readonly (keyof ListenerParameters)[];

/** A ping after half of it has to come back in the other half. */
const MIN_IDLE_SECONDS = 8;
const MAX_IDLE_SECONDS = 960;
const MAX_THREADS = 64;

export function integer(path: string, value: number, minimum: number, maximum: number): void {
  if (Number.isSafeInteger(value) && value >= minimum && value <= maximum) return;
  throw new InvalidArgumentError(`expected an integer from ${minimum} to ${maximum}, got ${shown(value)}`, { path });
}

/** Checked, and without what must not be shown: tokens are hashes from here on. */
export function listenerParameters(given: ListenerParameters): ListenerParameters {
  const { maxBodyBytes, maxFrameBytes, idleTimeoutSeconds, threads, realtime } = given;
  const { maxConnections, maxIncomingBytes, maxUnreadBytes } = given;
  integer("maxBodyBytes", maxBodyBytes, 1, 2 ** 31);
  integer("maxFrameBytes", maxFrameBytes, 1, 2 ** 31);
  if (idleTimeoutSeconds !== 0) integer("idleTimeoutSeconds", idleTimeoutSeconds, MIN_IDLE_SECONDS, MAX_IDLE_SECONDS);
  integer("maxConnections", maxConnections, 1, 1 << 24);
  integer("maxIncomingBytes", maxIncomingBytes, 1, Number.MAX_SAFE_INTEGER);
  integer("maxUnreadBytes", maxUnreadBytes, 1 << 20, Number.MAX_SAFE_INTEGER);
  integer("threads", threads, 1, MAX_THREADS);
  boolean("realtime", realtime);
  return {
    ...accessParameters(given),
    maxBodyBytes,
    maxFrameBytes,
    idleTimeoutSeconds,
    maxConnections,
    maxIncomingBytes,
    maxUnreadBytes,
    threads,
    realtime,
    cors: given.cors === undefined ? undefined : parsedCors(given.cors, "cors"),
    allowedOrigins: origins(given.allowedOrigins, "allowedOrigins"),
  };
}
