/** HTTPS: its options, and the files that they name. */
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { InvalidArgumentError, toHeadraceError } from "../../errors.js";
import { fields } from "../../serving/access-options.js";
import { Secret } from "../../serving/secret.js";
import { shown } from "../../shown.js";

/** TLS of a server: 1.2 and 1.3. The files are PEM, read when the port opens; for others, remove the driver and add it again. */
export interface TlsOptions {
  /** The server's private key. */
  readonly keyFile: string;
  /** The server's certificate, and those of the authorities between it and the root. */
  readonly certFile: string;
  /** What the key is encrypted with. `getParameters` gives it as a `Secret`, which shows nothing. Default: it is not. */
  readonly passphrase?: string | Secret;
  /** The certificates of the authorities whose clients are known. Default: clients are not asked for certificates. */
  readonly caFile?: string;
  /**
   * Whether clients without such a certificate are sent away before they can ask. Without: they may show a token instead.
   * Default: true where there is a `caFile`.
   */
  readonly requireClientCert?: boolean;
}

const FIELDS = ["keyFile", "certFile", "caFile", "requireClientCert", "passphrase"] as const;

export function parsedTls(value: unknown, path: string): TlsOptions {
  const { keyFile, certFile, caFile, requireClientCert, passphrase } = fields(value, FIELDS, path);
  if (requireClientCert !== undefined && typeof requireClientCert !== "boolean") {
    return wrong(`expected true or false, got ${shown(requireClientCert)}`, `${path}.requireClientCert`);
  }
  if (requireClientCert === true && caFile === undefined) {
    return wrong("needs caFile, the authorities whose certificates clients have to show", `${path}.requireClientCert`);
  }
  return {
    keyFile: file(keyFile, `${path}.keyFile`),
    certFile: file(certFile, `${path}.certFile`),
    ...(caFile === undefined
      ? {}
      : { caFile: file(caFile, `${path}.caFile`), requireClientCert: requireClientCert ?? true }),
    ...(passphrase === undefined ? {} : { passphrase: secret(passphrase, `${path}.passphrase`) }),
  };
}

function file(value: unknown, path: string): string {
  return typeof value === "string" && value !== ""
    ? value
    : wrong(`expected the path of a PEM file, got ${shown(value)}`, path);
}

function secret(value: unknown, path: string): Secret {
  if (value instanceof Secret) return value;
  return typeof value === "string" && value !== "" ? new Secret(value) : wrong(`expected a string`, path);
}

/** What the files of the options hold, found to be good. */
export interface TlsFiles {
  readonly key: Buffer;
  readonly cert: Buffer;
  readonly ca: Buffer | undefined;
  readonly passphrase: string | undefined;
  /** The same for the same contents. */
  readonly fingerprint: string;
}

/** Reads the files. Throws INVALID_ARGUMENT with the path of the option where one cannot be read or does not fit. */
export function readTls(options: TlsOptions): TlsFiles {
  const { passphrase } = options;
  const key = contents(options.keyFile, "tls.keyFile");
  const cert = contents(options.certFile, "tls.certFile");
  const ca = options.caFile === undefined ? undefined : contents(options.caFile, "tls.caFile");
  const phrase = passphrase === undefined || typeof passphrase === "string" ? passphrase : passphrase.reveal();
  check("tls.certFile", () => createSecureContext({ cert }));
  check("tls.keyFile", () => createSecureContext({ cert, key, passphrase: phrase }));
  // Node.js takes whatever it is given as an authority, and then trusts nobody.
  if (ca !== undefined) check("tls.caFile", () => new X509Certificate(ca));
  const hash = createHash("sha256");
  for (const part of [key, cert, ca ?? ""]) hash.update(`${part.length}:`).update(part);
  return { key, cert, ca, passphrase: phrase, fingerprint: hash.digest("base64url") };
}

function contents(name: string, path: string): Buffer {
  try {
    return readFileSync(name);
  } catch (error) {
    return wrong(toHeadraceError(error).message, path);
  }
}

function check(path: string, use: () => unknown): void {
  try {
    use();
  } catch (error) {
    const hint = path === "tls.keyFile" ? ", or not the certificate's, or its passphrase is missing or wrong" : "";
    wrong(`is no PEM that can be used${hint} (${toHeadraceError(error).message})`, path);
  }
}

function wrong(message: string, path: string): never {
  throw new InvalidArgumentError(message, { path });
}
