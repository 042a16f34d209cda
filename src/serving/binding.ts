/** Where a server may listen: beyond this machine only for clients that it knows. */
import { BlockList, isIP } from "node:net";
import { InvalidArgumentError } from "../errors.js";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether only this machine reaches an address. A name other than localhost may stand for anything. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, "$1");
  if (address.toLowerCase() === "localhost") return true;
  const family = isIP(address);
  return family !== 0 && loopback.check(address, family === 6 ? "ipv6" : "ipv4");
}

/**
 * Refuses an address that others reach where nobody has to say who they are.
 * @param isProtected Whether clients need a token or a certificate.
 * @param insecure Whether the user said that it shall be so all the same.
 */
export function checkBinding(host: string, isProtected: boolean, insecure: boolean): void {
  if (isProtected || insecure || isLoopback(host)) return;
  const message = `${host} is reached from other machines, and anybody there could use the models and change them; give clients tokens (tokens, tokensFile; --tokens) or certificates (tls.caFile; --tls-ca), or say that this is meant with insecure: true (--insecure)`;
  throw new InvalidArgumentError(message, { path: "host" });
}
