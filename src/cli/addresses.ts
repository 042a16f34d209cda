import type { ServiceAddress } from "../runtime/index.js";

/** A host and port as a URL has them: an IPv6 address in brackets. */
export function addressText({ address, port }: ServiceAddress): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}
