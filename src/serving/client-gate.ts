/** The door of a server, whatever its transport: who a client is, whether it may, and whether it asks too often. */
import { type HeadraceError, toHeadraceError } from "../errors.js";
import { type Access, ANYBODY, type Credentials, type Principal } from "./access.js";
import type { Role } from "./access-options.js";
import { clientOfAddress, type RateLimit, RateLimiter, tooOften } from "./rate-limiter.js";

/** What a route or method needs: a role, or nothing because it only tells how the server is (see `healthIsPublic`). */
export type NeededRole = Role | "health";

/** Who came in. */
export interface AdmittedClient {
  readonly principal: Principal;
  /** Counts a request within a stream; the error that it is answered with where there are too many. */
  refusal(): HeadraceError | undefined;
}

/** What a client showed, and where it is. Looked at only where it matters. */
export interface ClientCall {
  /** Throws UNAUTHENTICATED where it cannot be told who it is. */
  credentials(): Credentials;
  address(): string;
}

/** Those that were not let in, by why. */
export interface RefusedClients {
  readonly unauthenticated: number;
  readonly permission_denied: number;
  readonly rate_limited: number;
}

const HEALTH_ROLE = "read";

export class ClientGate {
  private readonly counters = { unauthenticated: 0, permissionDenied: 0 };
  readonly limiter: RateLimiter | undefined;
  /** Whether everybody may come in, as often as they like. */
  readonly isWideOpen: boolean;

  constructor(
    readonly access: Access,
    rateLimit: RateLimit | undefined,
    private readonly healthIsPublic: boolean,
  ) {
    this.limiter = rateLimit && new RateLimiter(rateLimit);
    this.isWideOpen = access.isOpen && this.limiter === undefined;
  }

  get refused(): RefusedClients {
    const { unauthenticated, permissionDenied } = this.counters;
    return { unauthenticated, permission_denied: permissionDenied, rate_limited: this.limiter?.refused ?? 0 };
  }

  /** Whether nothing has to be looked at. */
  isFree(role: NeededRole): boolean {
    return this.isWideOpen || (role === "health" && this.healthIsPublic);
  }

  /**
   * Lets a client in.
   * @throws HeadraceError UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED
   */
  admit(call: ClientCall, role: NeededRole): AdmittedClient {
    const principal = this.authorized(call, role);
    const { limiter } = this;
    if (limiter === undefined) return { principal, refusal: () => undefined };
    const client = principal === ANYBODY ? clientOfAddress(call.address()) : principal.name;
    limiter.check(client);
    return {
      principal,
      refusal: () => {
        const seconds = limiter.take(client);
        return seconds > 0 ? tooOften(seconds) : undefined;
      },
    };
  }

  /** Counts what was refused, and throws it. */
  refuse(error: HeadraceError): never {
    if (error.code === "UNAUTHENTICATED") this.counters.unauthenticated += 1;
    else this.counters.permissionDenied += 1;
    throw error;
  }

  private authorized(call: ClientCall, role: NeededRole): Principal {
    try {
      return this.access.authorize({ ...call.credentials(), role: role === "health" ? HEALTH_ROLE : role });
    } catch (error) {
      // Guessing tokens is limited like everything else.
      this.limiter?.check(clientOfAddress(call.address()));
      return this.refuse(toHeadraceError(error));
    }
  }
}
