/** The sockets of a listener: the one place that knows how a connection is accepted. */
import { createServer, type Server, type Socket } from "node:net";
import { HeadraceError } from "../../errors.js";

export interface SocketOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
}

/** Listens, and hands each connection over as it is accepted. Rejects with PORT_IN_USE. */
export function listenOn(options: SocketOptions, connected: (socket: Socket) => void): Promise<Server> {
  const { host, port } = options;
  // Nagle's delay is off from the first byte, ours come in whole answers.
  const server = createServer({ noDelay: true }, connected);
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const message = `cannot listen on ${host}:${port}: the port is in use, or the address is not this machine's; choose another port (0 takes any free one) or host`;
      reject(new HeadraceError("PORT_IN_USE", message, { cause }));
    });
    server.listen({ host, port, exclusive: true }, () => {
      server.removeAllListeners("error");
      // A connection that could not be accepted is the client's loss, not the server's end.
      server.on("error", () => {});
      resolve(server);
    });
  });
}
