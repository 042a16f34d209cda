import type { ServiceAddress, ServiceRecord } from "../runtime/index.js";

/** A host and port as a URL has them: an IPv6 address in brackets. */
export function addressText({ address, port }: ServiceAddress): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** Where a service of HTTP is, as a URL. */
export function serviceUrl({ taggedAddresses, meta }: ServiceRecord): string {
  return `${meta.scheme === "https" ? "https" : "http"}://${addressText(taggedAddresses.lan)}`;
}
