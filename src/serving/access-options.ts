/** Who may use a server, as its parameters and its file of tokens say it. Checked, and without the tokens themselves. */
import { hash } from "node:crypto";
import { InvalidArgumentError } from "../errors.js";
import { shown } from "../shown.js";

/**
 * What a client may do: `predict` (infer, tasks, streams), `read` (metadata, statistics, metrics, the server's description) and
 * `admin` (load and unload models, change settings), which includes the other two. Neither `predict` nor `read` includes another.
 */
export type Role = "predict" | "read" | "admin";

export const ROLES: readonly Role[] = ["predict", "read", "admin"];
/** Of a client for whom none are named. */
export const DEFAULT_ROLES: readonly Role[] = ["predict", "read"];

/** A client that shows a bearer token. Exactly one of `token` and `tokenSha256` is given. */
export interface TokenOption {
  /** Who it is: in logs and for rate limits. Two tokens may have one name, as while one takes the other's place. */
  readonly name: string;
  /** The token itself, 16 to 1024 characters of A-Z a-z 0-9 - . _ ~ + / and = at the end. Only its hash is kept. */
  readonly token?: string;
  /** The SHA-256 of the token in 64 hexadecimal digits, so that the token itself is nowhere but with its client. */
  readonly tokenSha256?: string;
  /** Default: predict and read. */
  readonly roles?: readonly Role[];
}

/** A client that shows a certificate of one of the server's certificate authorities. */
export interface CertificateOption {
  /** The common name of the certificate's subject. */
  readonly name: string;
  /** Default: predict and read. */
  readonly roles?: readonly Role[];
}

/** Who may use a server. Nothing given: anybody may do anything. */
export interface AccessOptions {
  /** Clients with bearer tokens. Default: none. */
  readonly tokens: readonly TokenOption[];
  /** A file with more of them, looked at again when it changes. Default: none. */
  readonly tokensFile: string | undefined;
  /** Clients with certificates. Default: every certificate of the authorities may predict and read. */
  readonly certificates: readonly CertificateOption[];
}

/** A client with a token, checked. */
export interface KnownToken {
  readonly name: string;
  readonly tokenSha256: string;
  readonly roles: readonly Role[];
}

/** RFC 6750's characters, so that it goes into a header as it is. */
const TOKEN = /^[A-Za-z0-9._~+/-]{16,1024}=*$/;
const SHA256 = /^[0-9a-f]{64}$/;
const NAME = /^[\x20-\x7e]{1,128}$/;

export function sha256Hex(text: string): string {
  return hash("sha256", text, "hex");
}

/** A list of clients with tokens. Throws INVALID_ARGUMENT with the path, never with a token. */
export function knownTokens(value: unknown, path: string): readonly KnownToken[] {
  const tokens = list(value, path).map((entry, i) => knownToken(entry, `${path}[${i}]`));
  const seen = new Set<string>();
  for (const [i, { tokenSha256 }] of tokens.entries()) {
    if (seen.has(tokenSha256)) wrong("is the token of another entry too", `${path}[${i}]`);
    seen.add(tokenSha256);
  }
  return tokens;
}

function knownToken(value: unknown, path: string): KnownToken {
  const { name, token, tokenSha256, roles } = fields(value, ["name", "token", "tokenSha256", "roles"], path);
  const known = { name: nameOf(name, `${path}.name`), roles: rolesOf(roles, `${path}.roles`) };
  if ((token === undefined) === (tokenSha256 === undefined)) wrong("expected either token or tokenSha256", path);
  if (tokenSha256 !== undefined) {
    const digest = typeof tokenSha256 === "string" ? tokenSha256.toLowerCase() : "";
    if (!SHA256.test(digest)) wrong("expected 64 hexadecimal digits", `${path}.tokenSha256`);
    return { ...known, tokenSha256: digest };
  }
  if (typeof token !== "string" || !TOKEN.test(token)) {
    const found = typeof token === "string" ? `${token.length} characters` : `a ${typeof token}`;
    const message = `expected 16 to 1024 characters of A-Z a-z 0-9 - . _ ~ + / and = at the end, got ${found}; make one with: openssl rand -hex 32`;
    wrong(message, `${path}.token`);
  }
  return { ...known, tokenSha256: sha256Hex(String(token)) };
}

/** A list of clients with certificates, checked. */
export function knownCertificates(value: unknown, path: string): readonly Required<CertificateOption>[] {
  const certificates = list(value, path).map((entry, i) => {
    const { name, roles } = fields(entry, ["name", "roles"], `${path}[${i}]`);
    return { name: nameOf(name, `${path}[${i}].name`), roles: rolesOf(roles, `${path}[${i}].roles`) };
  });
  const names = new Set<string>();
  for (const [i, { name }] of certificates.entries()) {
    if (names.has(name)) wrong("is the name of another entry too", `${path}[${i}].name`);
    names.add(name);
  }
  return certificates;
}

function list(value: unknown, path: string): readonly unknown[] {
  return Array.isArray(value) ? value : wrong(`expected a list, got ${shown(value)}`, path);
}

/** The fields of an object that has no others. */
export function fields<K extends string>(
  value: unknown,
  known: readonly K[],
  path: string,
): Partial<Record<K, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return wrong(
      `expected an object with ${known.join(", ")}, got ${Array.isArray(value) ? "a list" : typeof value}`,
      path,
    );
  }
  for (const name of Object.keys(value)) {
    if (!known.includes(name as K)) wrong(`there is no such field; there are ${known.join(", ")}`, `${path}.${name}`);
  }
  return value;
}

function nameOf(value: unknown, path: string): string {
  if (typeof value === "string" && NAME.test(value)) return value;
  return wrong("expected a name of 1 to 128 printable ASCII characters", path);
}

function rolesOf(value: unknown, path: string): readonly Role[] {
  if (value === undefined) return DEFAULT_ROLES;
  const roles = list(value, path);
  if (roles.length === 0) wrong(`expected some of ${ROLES.join(", ")}`, path);
  return roles.map((role, i) => {
    const known = ROLES.find((one) => one === role);
    return known ?? wrong(`expected one of ${ROLES.join(", ")}, got ${shown(role)}`, `${path}[${i}]`);
  });
}

function wrong(message: string, path: string): never {
  throw new InvalidArgumentError(message, { path });
}
