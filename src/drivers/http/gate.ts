/** The door of a listener: who comes in, how often, and from which pages. */

import { InvalidArgumentError } from "../../errors.js";
import type { Access } from "../../serving/access.js";
import { type AdmittedClient, type ClientCall, ClientGate, type NeededRole } from "../../serving/client-gate.js";
import type { HttpRequest } from "../../transport/index.js";
import type { ListenerParameters } from "./listener-parameters.js";
import { CorsHeaders, foreignPage, isForeign } from "./origins.js";
import type { TlsFront } from "./tls-front.js";

/** Browsers cannot set headers of a WebSocket, but name subprotocols: this one carries a token, in base64url. */
export const BEARER_PROTOCOL = "headrace.bearer.";

export interface GateInit {
  readonly parameters: ListenerParameters;
  readonly access: Access;
  /** Where clients show certificates. */
  readonly front: TlsFront | undefined;
}

export class Gate {
  readonly clients: ClientGate;
  readonly cors: CorsHeaders | undefined;

  constructor(private readonly init: GateInit) {
    const { cors, rateLimit, healthIsPublic } = init.parameters;
    this.cors = cors && new CorsHeaders(cors);
    this.clients = new ClientGate(init.access, rateLimit, healthIsPublic);
  }

  /**
   * Lets a request in.
   * @throws HeadraceError UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED
   */
  admit(request: HttpRequest, role: NeededRole): void {
    // A page that somebody looks at must not load or unload models for them, even where it cannot read the answer.
    if (role === "admin" && isForeign(request, this.init.parameters.cors?.origins ?? [])) {
      this.clients.refuse(foreignPage("change this server", "cors.origins"));
    }
    if (this.clients.isFree(role)) return;
    this.clients.admit(this.call(request, request.header("authorization")), role);
  }

  /** Lets a WebSocket in; see `admit`. undefined: anybody may do anything. */
  admitStream(request: HttpRequest, role: NeededRole): AdmittedClient | undefined {
    if (isForeign(request, this.init.parameters.allowedOrigins)) {
      this.clients.refuse(foreignPage("open streams here", "allowedOrigins"));
    }
    if (this.clients.isFree(role)) return undefined;
    const authorization = request.header("authorization") || bearerOfProtocols(request);
    return this.clients.admit(this.call(request, authorization), role);
  }

  /** The address at the other end. */
  remoteAddress(request: HttpRequest): string {
    const { front } = this.init;
    if (front === undefined) return request.address;
    // Who did not come through the front will not be let in.
    return front.find(request.proxied)?.address ?? "";
  }

  private call(request: HttpRequest, authorization: string): ClientCall {
    // Kept for as long as a stream is open, and the request is not.
    const { proxied, address } = request;
    const { front } = this.init;
    return {
      credentials: () => {
        const certificateName = front?.client(proxied).certificateName;
        return { authorization, certificateName };
      },
      address: () => (front === undefined ? address : (front.find(proxied)?.address ?? "")),
    };
  }
}

function protocolsOf(request: HttpRequest): string[] {
  return request.header("sec-websocket-protocol").split(/ *, */);
}

function bearerOfProtocols(request: HttpRequest): string {
  const bearer = protocolsOf(request).find((protocol) => protocol.startsWith(BEARER_PROTOCOL));
  if (bearer === undefined) return "";
  return `Bearer ${Buffer.from(bearer.slice(BEARER_PROTOCOL.length), "base64url").toString("latin1")}`;
}

/** The subprotocol to answer with: the first that is no token, which must not come back in an answer. */
export function chosenProtocol(request: HttpRequest): string {
  const chosen = protocolsOf(request).find((protocol) => !protocol.startsWith(BEARER_PROTOCOL));
  if (chosen !== undefined) return chosen;
  throw new InvalidArgumentError(
    "offer headrace.v2 besides the token: an answer has to name one of the subprotocols, and must not name a token",
    { path: "Sec-WebSocket-Protocol" },
  );
}
