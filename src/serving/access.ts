/**
 * Who may do what at a server, whatever its transport: HTTP and gRPC ask the same object. A client shows a bearer token or a
 * certificate, is thereby a principal with roles, and each call needs one of them.
 */
import { timingSafeEqual } from "node:crypto";
import { HeadraceError } from "../errors.js";
import type { Logger } from "../log.js";
import {
  type AccessOptions,
  DEFAULT_ROLES,
  type KnownToken,
  knownCertificates,
  knownTokens,
  ROLES,
  type Role,
  sha256Hex,
} from "./access-options.js";
import { TokensFile } from "./tokens-file.js";

/** Who asks. The same object for the same client, as long as it is known. */
export interface Principal {
  readonly name: string;
  readonly roles: readonly Role[];
}

/** What a client showed. */
export interface Credentials {
  /** The header, "" or undefined where there was none. */
  readonly authorization?: string | undefined;
  /** The common name of the subject of a certificate that TLS has verified. */
  readonly certificateName?: string | undefined;
}

/** Whoever asks where nobody has to say who they are. */
export const ANYBODY: Principal = { name: "anybody", roles: ROLES };

/** RFC 6750; longer tokens than any that can be known are not worth hashing. */
const BEARER = /^Bearer +([A-Za-z0-9._~+/=-]{1,2048})$/i;
/** Names of certificates are a client's own; this many are told apart, which `certificates` does not limit. */
const MAX_CERTIFICATES = 10_000;

export interface AccessInit {
  readonly options: AccessOptions;
  /** Whether TLS verifies the certificates of clients. */
  readonly verifiesCertificates: boolean;
  readonly log?: Logger | undefined;
}

interface Entry {
  readonly digest: Buffer;
  readonly principal: Principal;
}

export class Access {
  /** By the SHA-256 of the token. */
  private byHash = new Map<string, Entry>();
  private readonly byCertificate = new Map<string, Principal>();
  private readonly listeners = new Set<() => void>();
  private file: TokensFile | undefined;

  private constructor(private readonly init: AccessInit) {
    for (const { name, roles } of knownCertificates(init.options.certificates, "certificates")) {
      this.byCertificate.set(name, { name, roles });
    }
  }

  /**
   * Reads the file of tokens, where there is one, and follows its changes until `close`.
   * @throws HeadraceError INVALID_ARGUMENT or NOT_FOUND, with the path of what does not fit.
   */
  static async open(init: AccessInit): Promise<Access> {
    const access = new Access(init);
    const { tokens, tokensFile } = init.options;
    const own = knownTokens(tokens, "tokens");
    if (tokensFile === undefined) {
      access.know(own);
      return access;
    }
    access.file = await TokensFile.open(tokensFile, init.log, (found) => access.know([...own, ...found]));
    return access;
  }

  /** Whether anybody may do anything. */
  get isOpen(): boolean {
    return !isProtected(this.init.options, this.init.verifiesCertificates);
  }

  /**
   * Who asks, if they may do what needs this role. A token counts before a certificate; a wrong one is refused even with a
   * good certificate.
   * @throws HeadraceError UNAUTHENTICATED, PERMISSION_DENIED
   */
  authorize({ role, ...credentials }: Credentials & { readonly role: Role }): Principal {
    const principal = this.authenticate(credentials);
    if (mayDo(principal, role)) return principal;
    const { name, roles } = principal;
    throw new HeadraceError(
      "PERMISSION_DENIED",
      `'${name}' may not: this needs the role ${role}, it has ${roles.join(", ")}`,
    );
  }

  /** Who asks. Throws UNAUTHENTICATED. */
  authenticate({ authorization = "", certificateName }: Credentials): Principal {
    if (this.isOpen) return ANYBODY;
    if (authorization !== "") return this.ofToken(authorization);
    if (certificateName !== undefined) return this.ofCertificate(certificateName);
    throw unauthenticated("who asks? Send a token, as in 'Authorization: Bearer …'");
  }

  /** Whether a principal that was here before would still be the same: a token may have gone, or its roles have changed. */
  knows(principal: Principal): boolean {
    if (principal === ANYBODY) return this.isOpen;
    if (this.byCertificate.get(principal.name) === principal) return true;
    for (const entry of this.byHash.values()) if (entry.principal === principal) return true;
    return false;
  }

  /** Calls back whenever tokens have changed, until the function that it returns is called. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  close(): void {
    this.file?.close();
    this.listeners.clear();
  }

  /**
   * The map is looked up by a hash, so what its lookup takes tells nothing about a token: who could steer a hash towards one
   * that is known would have to know the token. The comparison that decides takes the same time whatever differs.
   */
  private ofToken(authorization: string): Principal {
    const [, token] = BEARER.exec(authorization) ?? [];
    if (token === undefined) throw unauthenticated("the Authorization header is not 'Bearer' and a token");
    const digest = sha256Hex(token);
    const entry = this.byHash.get(digest);
    if (entry !== undefined && timingSafeEqual(entry.digest, Buffer.from(digest, "hex"))) return entry.principal;
    throw unauthenticated("the token is not one that this server knows");
  }

  private ofCertificate(name: string): Principal {
    const known = this.byCertificate.get(name);
    if (known !== undefined) return known;
    if (this.init.options.certificates.length > 0) {
      throw unauthenticated(`the certificate's name, ${JSON.stringify(name)}, is not one that this server knows`);
    }
    if (this.byCertificate.size >= MAX_CERTIFICATES) this.byCertificate.clear();
    const principal = { name, roles: DEFAULT_ROLES };
    this.byCertificate.set(name, principal);
    return principal;
  }

  /** Takes over a list of tokens; clients that are as before stay the same objects. */
  private know(tokens: readonly KnownToken[]): void {
    const before = this.byHash;
    this.byHash = new Map(
      tokens.map(({ name, roles, tokenSha256 }) => {
        const old = before.get(tokenSha256);
        const isSame = old?.principal.name === name && old.principal.roles.join() === roles.join();
        return [tokenSha256, isSame ? old : { digest: Buffer.from(tokenSha256, "hex"), principal: { name, roles } }];
      }),
    );
    for (const listener of this.listeners) listener();
  }
}

/** Whether clients have to say who they are. */
export function isProtected({ tokens, tokensFile }: AccessOptions, verifiesCertificates: boolean): boolean {
  return tokens.length > 0 || tokensFile !== undefined || verifiesCertificates;
}

export function mayDo({ roles }: Principal, role: Role): boolean {
  return roles.includes(role) || roles.includes("admin");
}

function unauthenticated(message: string): HeadraceError {
  return new HeadraceError("UNAUTHENTICATED", message);
}
