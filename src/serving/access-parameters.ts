/** The parameters of a server, whatever its transport, that say where it listens and who may use it. */
import { isDeepStrictEqual } from "node:util";
import { InvalidArgumentError } from "../errors.js";
import type { Logger } from "../log.js";
import { shown } from "../shown.js";
import { Access, isProtected } from "./access.js";
import { type CertificateOption, fields, knownCertificates, knownTokens, type TokenOption } from "./access-options.js";
import { checkBinding, isLoopback } from "./binding.js";
import type { RateLimit } from "./rate-limiter.js";
import { parsedTls, type TlsOptions } from "./tls.js";

/** None of them can change while somebody serves on the port. */
export interface AccessParameters {
  /**
   * The address to listen on; "0.0.0.0" for every interface. One that other machines reach is refused unless clients have to say
   * who they are (`tokens`, `tokensFile`, `tls.caFile`), or `insecure` is set. Default: "127.0.0.1".
   */
  host: string;
  /** Whether anybody who reaches `host` may do anything, loading models included. Default: false. */
  insecure: boolean;
  /**
   * TLS; with `caFile`, clients with certificates. Over HTTP these are verified by Node.js in front of the server, which costs
   * about as much again as TLS itself; over gRPC they cost nothing more. Default: none, everything goes in clear text.
   */
  tls: TlsOptions | undefined;
  /**
   * Clients with bearer tokens, and what they may do; `getParameters` gives their hashes. A request then costs a hash, about a
   * microsecond. Default: none.
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
  /**
   * How often each client may ask, by its name or else its address: a request beyond it is refused with RESOURCE_EXHAUSTED and
   * the seconds to wait; one within a stream is answered so in its place. Health is free. Costs a look into a map. Default: no limit.
   */
  rateLimit: RateLimit | undefined;
}

export const ACCESS_DEFAULTS: AccessParameters = {
  host: "127.0.0.1",
  insecure: false,
  tls: undefined,
  tokens: [],
  tokensFile: undefined,
  certificates: [],
  healthIsPublic: true,
  rateLimit: undefined,
};

const MAX_REQUESTS_PER_SECOND = 1e6;

export function boolean(path: string, value: unknown): void {
  if (typeof value !== "boolean") wrong(`expected true or false, got ${shown(value)}`, path);
}

/** Checked, and without what must not be shown: tokens are hashes from here on. */
export function accessParameters(given: AccessParameters): AccessParameters {
  const { host, insecure, tokensFile, healthIsPublic } = given;
  if (typeof host !== "string" || host === "") wrong("expected an address to listen on", "host");
  boolean("insecure", insecure);
  boolean("healthIsPublic", healthIsPublic);
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
    tls,
    tokens: knownTokens(given.tokens, "tokens"),
    tokensFile,
    certificates,
    healthIsPublic,
    rateLimit: given.rateLimit === undefined ? undefined : parsedRateLimit(given.rateLimit, "rateLimit"),
  };
}

/**
 * Opens what decides who may use a server that is about to listen.
 * @throws HeadraceError INVALID_ARGUMENT where others would reach a server that anybody may use; what `Access.open` throws.
 */
export async function openAccess(options: AccessParameters, log: Logger | undefined): Promise<Access> {
  const { host, insecure, tls } = options;
  const verifiesCertificates = tls?.caFile !== undefined;
  checkBinding(host, isProtected(options, verifiesCertificates), insecure);
  if (tls === undefined && isProtected(options, false) && !isLoopback(host)) {
    log?.warn({ host }, "tokens go over the network in clear text: give it tls, or keep a proxy with TLS before it");
  }
  return Access.open({ options, verifiesCertificates, log });
}

/**
 * What a driver that comes to a port said of the parameters that all have in common has to be what the port has.
 * @param names Those parameters; @param given what the user said; @param wanted the same, checked.
 */
export function checkShared<P extends object>(
  { port, parameters }: { readonly port: number; readonly parameters: P },
  names: readonly (keyof P & string)[],
  given: Partial<P>,
  wanted: P,
): void {
  for (const name of names) {
    const [own, other] = [parameters[name], wanted[name]];
    if (given[name] === undefined || isDeepStrictEqual(own, other)) continue;
    const message = `is ${shown(other)} here, and ${shown(own)} for whoever serves on port ${port} already; drivers that share a port share it too`;
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
