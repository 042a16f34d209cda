/** The door of a listener: who may make a call, and how often. */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Access } from "../../serving/access.js";
import { certificateName } from "../../serving/certificate.js";
import { type AdmittedClient, type ClientCall, ClientGate, type NeededRole } from "../../serving/client-gate.js";
import type { CallHead } from "./call-head.js";
import type { ListenerParameters } from "./parameters.js";

export class GrpcGate {
  readonly clients: ClientGate;

  constructor({ rateLimit, healthIsPublic }: ListenerParameters, access: Access) {
    this.clients = new ClientGate(access, rateLimit, healthIsPublic);
  }

  /**
   * Lets a call in; undefined: anybody may do anything.
   * @throws HeadraceError UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED
   */
  admit({ metadata }: CallHead, socket: Socket, role: NeededRole): AdmittedClient | undefined {
    if (this.clients.isFree(role)) return undefined;
    const call: ClientCall = {
      credentials: () => ({
        authorization: metadata.find(([name]) => name === "authorization")?.[1],
        certificateName: certificateOf(socket),
      }),
      address: () => socket.remoteAddress ?? "",
    };
    return this.clients.admit(call, role);
  }
}

/** The name in the verified certificate of a connection; undefined where none was shown. */
function certificateOf(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const shown = socket.getPeerCertificate();
  return Object.keys(shown).length === 0 ? undefined : certificateName(shown);
}
