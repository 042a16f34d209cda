/** The parameters that all drivers on one port have in common: where it listens, who may use it, how much of it. */
import { isDeepStrictEqual } from "node:util";
import { InvalidArgumentError } from "../../errors.js";
import {
  type CertificateOption,
  fields,
  knownCertificates,
  knownTokens,
  type TokenOption,
} from "../../serving/access-options.js";
import type { RateLimit } from "../../serving/rate-limiter.js";
import { shown } from "../../shown.js";
import { type Cors, origins, parsedCors } from "./origins.js";
import { parsedTls, type TlsOptions } from "./tls.js";

/** None of them can change while somebody serves on the port. */
export interface ListenerParameters {
  /**
   * The address to listen on; "0.0.0.0" for every interface. One that other machines reach is refused unless clients have to say
   * who they are (`tokens`, `tokensFile`, `tls.caFile`), or `insecure` is set. Default: "127.0.0.1".
   */
  host: string;
  /** Whether anybody who reaches `host` may do anything, loading models included. Default: false. */
  insecure: boolean;
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
   * HTTPS instead of HTTP; with `caFile`, clients with certificates. Certificates of clients are verified by Node.js in front of
   * the server, which costs about as much again as TLS itself. Default: none, plain HTTP.
   */
  tls: TlsOptions | undefined;
  /**
   * Clients with bearer tokens, and what they may do; `getParameters` gives their hashes. A request then costs a hash, about two
   * microseconds. Default: none.
   */
  tokens: readonly TokenOption[];
  /**
   * A file with more of them, in JSON or YAML: a list like `tokens`, or an object with that list under `tokens`. It is looked at
   * every second and read again when it has changed; streams of clients that are no longer in it are closed. Default: none.
   */
  tokensFile: string | undefined;
  /** Clients with certificates, and what they may do. Default: all that `tls.caFile` verifies may predict and read. */
  certificates: readonly CertificateOption[];
  /** Whether health is told to everybody, as probes need it; else to those who may read. Default: true. */
  healthIsPublic: boolean;
  /** Pages of which other origins may use the server from a browser. Default: none. */
  cors: Cors | undefined;
  /**
   * Pages of which other origins may open WebSockets, such as "https://app.example.com"; "*" for all. The server's own and clients
   * that are no browsers always may. Default: none.
   */
  allowedOrigins: readonly string[];
  /**
   * How often each client may ask, by its name or else its address: a request beyond it is refused with RESOURCE_EXHAUSTED and
   * the seconds to wait, a frame of a WebSocket with an error frame. Health is free. Costs a look into a map. Default: no limit.
   */
  rateLimit: RateLimit | undefined;
}

export const LISTENER_DEFAULTS: ListenerParameters = {
  host: "127.0.0.1",
  insecure: false,
  maxBodyBytes: 64 << 20,
  maxFrameBytes: 64 << 20,
  idleTimeoutSeconds: 120,
  maxConnections: 10_000,
  tls: undefined,
  tokens: [],
  tokensFile: undefined,
  certificates: [],
  healthIsPublic: true,
  cors: undefined,
  allowedOrigins: [],
  rateLimit: undefined,
};

export const LISTENER_PARAMETERS = Object.keys(LISTENER_DEFAULTS) as readonly (keyof ListenerParameters)[];

/** uWebSockets.js counts idle time in a byte of four-second ticks, and ends the process for less than two of them. */
const MIN_IDLE_SECONDS = 8;
const MAX_IDLE_SECONDS = 960;
const MAX_REQUESTS_PER_SECOND = 1e6;

export function integer(path: string, value: number, minimum: number, maximum: number): void {
  if (Number.isSafeInteger(value) && value >= minimum && value <= maximum) return;
  wrong(`expected an integer from ${minimum} to ${maximum}, got ${shown(value)}`, path);
}

export function boolean(path: string, value: unknown): void {
  if (typeof value !== "boolean") wrong(`expected true or false, got ${shown(value)}`, path);
}

/** Checked, and without what must not be shown: tokens are hashes from here on. */
export function listenerParameters(given: ListenerParameters): ListenerParameters {
  const { host, insecure, maxBodyBytes, maxFrameBytes, idleTimeoutSeconds, maxConnections } = given;
  const { tokensFile, healthIsPublic } = given;
  if (typeof host !== "string" || host === "") wrong("expected an address to listen on", "host");
  boolean("insecure", insecure);
  boolean("healthIsPublic", healthIsPublic);
  integer("maxBodyBytes", maxBodyBytes, 1, 2 ** 31);
  integer("maxFrameBytes", maxFrameBytes, 1, 2 ** 31);
  if (idleTimeoutSeconds !== 0) integer("idleTimeoutSeconds", idleTimeoutSeconds, MIN_IDLE_SECONDS, MAX_IDLE_SECONDS);
  integer("maxConnections", maxConnections, 1, 1 << 24);
  if (tokensFile !== undefined && (typeof tokensFile !== "string" || tokensFile === "")) {
    wrong(`expected the path of a file, got ${shown(tokensFile)}`, "tokensFile");
  }
  const tls = given.tls === undefined ? undefined : parsedTls(given.tls, "tls");
  const certificates = knownCertificates(given.certificates, "certificates");
  if (certificates.length > 0 && tls?.caFile === undefined) {
    wrong("needs tls.caFile, the authorities whose certificates clients may show", "certificates");
  }
  return {
    host,
    insecure,
    maxBodyBytes,
    maxFrameBytes,
    idleTimeoutSeconds,
    maxConnections,
    tls,
    tokens: knownTokens(given.tokens, "tokens"),
    tokensFile,
    certificates,
    healthIsPublic,
    cors: given.cors === undefined ? undefined : parsedCors(given.cors, "cors"),
    allowedOrigins: origins(given.allowedOrigins, "allowedOrigins"),
    rateLimit: given.rateLimit === undefined ? undefined : parsedRateLimit(given.rateLimit, "rateLimit"),
  };
}

/**
 * Those of a driver that comes to a port, where it said something of them, have to be those of the port.
 * @param given What the user said; @param wanted the same, checked.
 */
export function checkShared(
  port: { readonly port: number; readonly parameters: ListenerParameters },
  given: Partial<ListenerParameters>,
  wanted: ListenerParameters,
): void {
  for (const name of LISTENER_PARAMETERS) {
    const [own, other] = [port.parameters[name], wanted[name]];
    if (given[name] === undefined || isDeepStrictEqual(own, other)) continue;
    const message = `is ${shown(other)} here, and ${shown(own)} for whoever serves on port ${port.port} already; drivers that share a port share it too`;
    wrong(message, name);
  }
}

function parsedRateLimit(value: unknown, path: string): RateLimit {
  const { requestsPerSecond, burst } = fields(value, ["requestsPerSecond", "burst"], path);
  const isRate = typeof requestsPerSecond === "number" && requestsPerSecond > 0;
  if (!isRate || requestsPerSecond > MAX_REQUESTS_PER_SECOND) {
    const message = `expected a number above 0, up to ${MAX_REQUESTS_PER_SECOND}, got ${shown(requestsPerSecond)}`;
    return wrong(message, `${path}.requestsPerSecond`);
  }
  if (burst === undefined) return { requestsPerSecond };
  if (typeof burst !== "number" || !(burst >= 1 && burst <= MAX_REQUESTS_PER_SECOND)) {
    return wrong(`expected a number from 1 to ${MAX_REQUESTS_PER_SECOND}, got ${shown(burst)}`, `${path}.burst`);
  }
  return { requestsPerSecond, burst };
}

function wrong(message: string, path: string): never {
  throw new InvalidArgumentError(message, { path });
}
