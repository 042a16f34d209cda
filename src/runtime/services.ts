import { networkInterfaces } from "node:os";

/** A host and port that a service can be reached at. */
export interface ServiceAddress {
  address: string;
  port: number;
}

/** A named address that a driver offers. */
export interface ServiceRecord {
  /** Unique in the runtime: `{driver ref}-{name}-{pid}`. */
  id: string;
  name: string;
  /** The driver process that offers it. */
  pid: number;
  /** `lan` from the same network, `wan` from elsewhere. A server bound to every interface names a concrete one. */
  taggedAddresses: { lan: ServiceAddress; wan: ServiceAddress };
  meta: Record<string, string>;
}

/** What a driver says about a service; the runtime adds id and pid. */
export interface ServiceOffer {
  name: string;
  address: string;
  port: number;
  meta?: Record<string, string>;
}

const EVERY_INTERFACE = new Set(["0.0.0.0", "::", ""]);

/** An address of this machine that others may use, else the loopback. */
function outsideAddress(): string {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { family, internal, address } of addresses ?? []) {
      if (family === "IPv4" && !internal) return address;
    }
  }
  return "127.0.0.1";
}

export function serviceRecord(driver: string, pid: number, offer: ServiceOffer): ServiceRecord {
  const everywhere = EVERY_INTERFACE.has(offer.address);
  const lan = everywhere ? "127.0.0.1" : offer.address;
  const wan = everywhere ? outsideAddress() : offer.address;
  return {
    id: `${driver}-${offer.name}-${pid}`,
    name: offer.name,
    pid,
    taggedAddresses: { lan: { address: lan, port: offer.port }, wan: { address: wan, port: offer.port } },
    meta: { ...offer.meta },
  };
}
