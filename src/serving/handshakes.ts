/**
 * The connections of a TLS server whose handshake is not done. Nobody has heard of them yet, and closing the server leaves them
 * open: a client that says nothing would keep the process for two minutes.
 */
import type { Socket } from "node:net";
import type { Server } from "node:tls";

export class Handshakes {
  /** By the client's end, which is the same for the connection below TLS and for the one above it. */
  private readonly sockets = new Map<string, Socket>();

  constructor(server: Server) {
    server.on("connection", (socket: Socket) => this.begun(socket));
    server.on("secureConnection", (socket) => this.sockets.delete(endOf(socket)));
  }

  /** Ends them. */
  end(): void {
    for (const socket of this.sockets.values()) socket.destroy();
  }

  private begun(socket: Socket): void {
    const end = endOf(socket);
    this.sockets.set(end, socket);
    socket.once("close", () => {
      if (this.sockets.get(end) === socket) this.sockets.delete(end);
    });
  }
}

function endOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
