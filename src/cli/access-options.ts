/** Who may use what a command serves: tokens, TLS, and where it listens. */
import type { Command } from "cac";
import type { HttpParameters } from "../drivers/http/index.js";
import { InvalidArgumentError } from "../errors.js";

/** As cac hands them over. */
export interface AccessOptions {
  host: string;
  insecure?: boolean;
  tokens?: string;
  tlsKey?: string;
  tlsCert?: string;
  tlsCa?: string;
}

/** What a driver is told of them. */
export type AccessParameters = Pick<Partial<HttpParameters>, "host" | "insecure" | "tokensFile" | "tls">;

export function addAccessOptions(command: Command): Command {
  return command
    .option("--host <address>", "Address to listen on; 0.0.0.0 for every interface", { default: "127.0.0.1" })
    .option("--tokens <file>", "Clients and their bearer tokens, in JSON or YAML; read again when it changes")
    .option("--tls-key <file>", "The server's private key (PEM), for HTTPS")
    .option("--tls-cert <file>", "The server's certificate (PEM), for HTTPS")
    .option("--tls-ca <file>", "Authorities (PEM) of which clients have to show a certificate")
    .option("--insecure", "Let anybody who reaches the address do anything");
}

/** Throws INVALID_ARGUMENT with the name of the option. */
export function accessParameters({ host, insecure, tokens, ...tls }: AccessOptions): AccessParameters {
  const files = tlsFiles(tls);
  return {
    host,
    ...(insecure === undefined ? {} : { insecure }),
    ...(tokens === undefined ? {} : { tokensFile: tokens }),
    ...(files === undefined ? {} : { tls: files }),
  };
}

function tlsFiles({ tlsKey, tlsCert, tlsCa }: Omit<AccessOptions, "host">): HttpParameters["tls"] {
  if (tlsKey === undefined && tlsCert === undefined && tlsCa === undefined) return undefined;
  if (tlsKey === undefined) throw new InvalidArgumentError("is missing; HTTPS needs it", { path: "--tls-key" });
  if (tlsCert === undefined) throw new InvalidArgumentError("is missing; HTTPS needs it", { path: "--tls-cert" });
  const own = { keyFile: tlsKey, certFile: tlsCert };
  return tlsCa === undefined ? own : { ...own, caFile: tlsCa };
}
