/** Whose certificate it is. */
import type { PeerCertificate } from "node:tls";

/** The common name of a verified certificate's subject; "" where it has none, or several. */
export function certificateName({ subject }: PeerCertificate): string {
  const name: unknown = subject?.CN;
  return typeof name === "string" ? name : "";
}
