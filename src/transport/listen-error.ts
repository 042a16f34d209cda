import { HeadraceError, InvalidArgumentError } from "../errors.js";

/** Why nobody can listen there: PORT_IN_USE, or INVALID_ARGUMENT for a host of which no address is known. */
export function listenError(host: string, port: number, cause: unknown): HeadraceError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const { code, syscall } = cause as Partial<NodeJS.ErrnoException>;
  // The native server's word for it, and Node's.
  if (code === "NOT_FOUND" || syscall === "getaddrinfo") {
    return new InvalidArgumentError(`no address is known of '${host}' (${why})`, { path: "host", cause });
  }
  const message = `cannot listen on ${host}:${port}: the port is in use, or the address is not this machine's (${why}); choose another port (0 takes any free one) or host`;
  return new HeadraceError("PORT_IN_USE", message, { cause });
}
