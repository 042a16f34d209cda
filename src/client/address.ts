/** Where the server is, from a URL or from the handle of a driver that serves HTTP. */
import { InvalidArgumentError } from "../errors.js";
import { shown } from "../shown.js";

/** Anything that offers services by name, such as a driver process. */
export interface ServiceProvider {
  /** The address of a service; throws where it offers none of that name. */
  getService(name: string): {
    readonly taggedAddresses: { readonly lan: { readonly address: string; readonly port: number } };
    readonly meta?: Readonly<Record<string, string>>;
  };
}

/** Where the server is. */
export type Address =
  /** `http://…` or `https://…`, of the server's root. */
  | { readonly url: string }
  /** A driver process that offers a service "http". */
  | { readonly process: ServiceProvider };

/** The root's URL without a slash at its end. */
export function serverUrl(address: Address): string {
  const url = "process" in address && !("url" in address) ? serviceUrl(address.process) : address.url;
  const isHttp = typeof url === "string" && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
  if (!isHttp) throw new InvalidArgumentError(`expected an http or https URL, got ${shown(url)}`, { path: "url" });
  return url.replace(/\/+$/, "");
}

function serviceUrl(provider: ServiceProvider): string {
  if (typeof provider?.getService !== "function") {
    const message = `expected the handle of an HTTP driver, got ${shown(provider)}`;
    throw new InvalidArgumentError(message, { path: "process" });
  }
  const { taggedAddresses, meta } = provider.getService("http");
  const { address, port } = taggedAddresses.lan;
  return `${meta?.scheme === "https" ? "https" : "http"}://${hostOf(address)}:${port}`;
}

/** A server that listens everywhere is reached on this machine; an IPv6 address needs brackets. */
function hostOf(address: string): string {
  if (address === "0.0.0.0") return "127.0.0.1";
  if (address === "::") return "[::1]";
  return address.includes(":") ? `[${address}]` : address;
}
