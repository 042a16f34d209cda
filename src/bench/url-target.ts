/** A server that somebody else runs, by its URL. */
import { lookup } from "node:dns/promises";
import { HeadraceError, InvalidArgumentError } from "../errors.js";
import { GrpcManagement } from "./management-grpc.js";
import { HttpManagement } from "./management-http.js";
import type { BenchProtocol } from "./result.js";
import type { Served, Target, TargetOptions } from "./target.js";
import { type TlsPeer, TlsTunnel } from "./tls-tunnel.js";

/** What can be measured at the URLs that begin so. */
interface Scheme {
  readonly protocols: readonly BenchProtocol[];
  /** What URL takes hosts and ports apart for, and what management over HTTP speaks. */
  readonly base: "http" | "https";
  /** Where it is over TLS. */
  readonly alpn?: TlsPeer["alpn"];
}

const HTTP: readonly BenchProtocol[] = ["http-binary", "http-json"];
const STREAMS: readonly BenchProtocol[] = ["ws-raw", "ws-binary"];

const SCHEMES: ReadonlyMap<string, Scheme> = new Map([
  ["http", { protocols: HTTP, base: "http" }],
  ["https", { protocols: HTTP, base: "https", alpn: "http/1.1" }],
  ["ws", { protocols: STREAMS, base: "http" }],
  ["wss", { protocols: STREAMS, base: "https", alpn: "http/1.1" }],
  ["grpc", { protocols: ["grpc"], base: "http" }],
  ["grpcs", { protocols: ["grpc"], base: "https", alpn: "h2" }],
]);

const SCHEME = /^([a-z+]+):\/\//i;
const PORTS = { http: 80, https: 443 } as const;

export function isUrl(target: string): boolean {
  return SCHEME.test(target);
}

/** @throws INVALID_ARGUMENT for a URL of another kind, UNAVAILABLE where its host has no address. */
export async function urlTarget({ target, model, headers, serveArguments }: TargetOptions): Promise<Target> {
  const { name, scheme, url } = parsed(target);
  const [first] = serveArguments;
  if (first !== undefined) throw new InvalidArgumentError("goes with a model file, not with a server", { path: first });
  // One of IPv6 is in brackets.
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const there = {
    address: await addressOf(hostname),
    port: Number(url.port === "" ? PORTS[scheme.base] : url.port),
    host: url.host,
    scheme: scheme.base,
  };
  const { alpn } = scheme;
  const serve = async (): Promise<Served> => {
    const tunnel = alpn === undefined ? undefined : await TlsTunnel.open({ ...there, hostname, alpn });
    const management = name.startsWith("grpc")
      ? new GrpcManagement(`${name}://${url.host}`, headers)
      : new HttpManagement(`${scheme.base}://${url.host}`, headers);
    return {
      model,
      management,
      pid: undefined,
      tunnel,
      endpoint: () => (tunnel === undefined ? there : { ...there, address: "127.0.0.1", port: tunnel.port }),
      stop: async () => {
        management.close();
        tunnel?.close();
      },
    };
  };
  return { kind: "url", protocols: scheme.protocols, serve };
}

/** Nothing behind the host and the port, and nobody before them: what is asked for there is not for the URL to say. */
function parsed(target: string): { name: string; scheme: Scheme; url: URL } {
  const name = SCHEME.exec(target)?.[1]?.toLowerCase() ?? "";
  const scheme = SCHEMES.get(name);
  const based = `${scheme?.base ?? name}${target.slice(name.length)}`;
  const url = URL.canParse(based) ? new URL(based) : undefined;
  const isBare = url !== undefined && url.href === `${url.origin}/`;
  if (scheme !== undefined && isBare) return { name, scheme, url };
  const known = [...SCHEMES.keys()].map((one) => `${one}://`).join(", ");
  const wanted = `one of ${known}, a host and a port, and nothing besides (headers go with --header)`;
  throw new InvalidArgumentError(`expected ${wanted}, got '${target}'`);
}

async function addressOf(hostname: string): Promise<string> {
  try {
    return (await lookup(hostname, { order: "ipv4first" })).address;
  } catch (cause) {
    throw new HeadraceError("UNAVAILABLE", `no address is known of ${hostname}`, { cause });
  }
}
