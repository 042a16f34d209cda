/** The door of a listener: who comes in, how often, and from which pages. */
import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import { type HeadraceError, InvalidArgumentError, toHeadraceError } from "../../errors.js";
import { type Access, ANYBODY, type Principal } from "../../serving/access.js";
import { clientOfAddress, RateLimiter, tooOften } from "../../serving/rate-limiter.js";
import type { ListenerParameters } from "./listener-parameters.js";
import { CorsHeaders, foreignPage, isForeign } from "./origins.js";
import type { RouteRole } from "./route-roles.js";
import type { TlsFront } from "./tls-front.js";

/** Browsers cannot set headers of a WebSocket, but name subprotocols: this one carries a token, in base64url. */
export const BEARER_PROTOCOL = "headrace.bearer.";
const HEALTH_ROLE = "read";

/** Who a WebSocket is for, for as long as it is open. */
export interface StreamClient {
  readonly principal: Principal;
  /** The error that a frame beyond the client's rate gets; undefined: it may go on. */
  refusal(): HeadraceError | undefined;
}

export interface GateInit {
  readonly parameters: ListenerParameters;
  readonly access: Access;
  /** Where clients show certificates. */
  readonly front: TlsFront | undefined;
}

export class Gate {
  readonly counters = { unauthenticated: 0, permissionDenied: 0 };
  readonly cors: CorsHeaders | undefined;
  readonly limiter: RateLimiter | undefined;
  /** Whether everybody may come in, as often as they like. */
  private readonly isWideOpen: boolean;

  constructor(private readonly init: GateInit) {
    const { cors, rateLimit } = init.parameters;
    this.cors = cors && new CorsHeaders(cors);
    this.limiter = rateLimit && new RateLimiter(rateLimit);
    this.isWideOpen = init.access.isOpen && this.limiter === undefined;
  }

  /**
   * Lets a request in.
   * @throws HeadraceError UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED
   */
  admit(response: HttpResponse, request: HttpRequest, role: RouteRole): void {
    const { healthIsPublic, cors } = this.init.parameters;
    if (role === "health" && healthIsPublic) return;
    // A page that somebody looks at must not load or unload models for them, even where it cannot read the answer.
    if (role === "admin" && isForeign(request, cors?.origins ?? [])) {
      this.refuse(foreignPage("change this server", "cors.origins"));
    }
    if (this.isWideOpen) return;
    this.enter(response, request.getHeader("authorization"), role);
  }

  /** Lets a WebSocket in; see `admit`. */
  admitStream(response: HttpResponse, request: HttpRequest, role: RouteRole): StreamClient | undefined {
    if (isForeign(request, this.init.parameters.allowedOrigins)) {
      this.refuse(foreignPage("open streams here", "allowedOrigins"));
    }
    if (this.isWideOpen) return undefined;
    const authorization = request.getHeader("authorization") || bearerOfProtocols(request);
    const { principal, client } = this.enter(response, authorization, role);
    return { principal, refusal: () => this.refusal(client) };
  }

  /** The address at the other end. */
  remoteAddress(response: HttpResponse): string {
    const { front } = this.init;
    if (front === undefined) return Buffer.from(response.getRemoteAddressAsText()).toString("latin1");
    try {
      return front.client(response.getProxiedRemoteAddress()).address;
    } catch {
      // Nobody who came through the front; it will not be let in.
      return "";
    }
  }

  private enter(response: HttpResponse, authorization: string, role: RouteRole) {
    const { access, front } = this.init;
    let principal: Principal;
    try {
      const certificateName = front?.client(response.getProxiedRemoteAddress()).certificateName;
      principal = access.authorize({ authorization, certificateName, role: role === "health" ? HEALTH_ROLE : role });
    } catch (error) {
      // Guessing tokens is limited like everything else.
      this.limiter?.check(clientOfAddress(this.remoteAddress(response)));
      return this.refuse(toHeadraceError(error));
    }
    if (this.limiter === undefined) return { principal, client: "" };
    const client = principal === ANYBODY ? clientOfAddress(this.remoteAddress(response)) : principal.name;
    this.limiter.check(client);
    return { principal, client };
  }

  private refusal(client: string): HeadraceError | undefined {
    const seconds = this.limiter?.take(client) ?? 0;
    return seconds > 0 ? tooOften(seconds) : undefined;
  }

  private refuse(error: HeadraceError): never {
    if (error.code === "UNAUTHENTICATED") this.counters.unauthenticated += 1;
    else this.counters.permissionDenied += 1;
    throw error;
  }
}

function protocolsOf(request: HttpRequest): string[] {
  return request.getHeader("sec-websocket-protocol").split(/ *, */);
}

function bearerOfProtocols(request: HttpRequest): string {
  const bearer = protocolsOf(request).find((protocol) => protocol.startsWith(BEARER_PROTOCOL));
  if (bearer === undefined) return "";
  return `Bearer ${Buffer.from(bearer.slice(BEARER_PROTOCOL.length), "base64url").toString("latin1")}`;
}

/** The subprotocol to answer with: the first that is no token, which must not come back in an answer. */
export function chosenProtocol(request: HttpRequest): string {
  const offered = protocolsOf(request);
  const chosen = offered.find((protocol) => !protocol.startsWith(BEARER_PROTOCOL));
  if (chosen !== undefined) return chosen;
  throw new InvalidArgumentError(
    `offer headrace.v2 besides the token: an answer has to name one of the subprotocols, and must not name a token`,
    { path: "Sec-WebSocket-Protocol" },
  );
}
