/** The sockets of a listener: the one place that knows how a connection is accepted. */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket, Server as TlsServer } from "node:tls";
import { Handshakes } from "../../serving/handshakes.js";
import { readTls, type TlsOptions } from "../../serving/tls.js";
import { listenError } from "../../transport/index.js";

const SOCKET = {
  // Nagle's delay is off from the first byte: ours come in whole answers.
  noDelay: true,
  // A client that vanished, with its machine or its line, would be connected for ever: the system asks after a minute of silence.
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
};

export interface SocketOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly tls: TlsOptions | undefined;
  /** One more is closed as soon as it is accepted. */
  readonly maxConnections: number;
}

/** Who is told of connections. */
export interface DoorOwner {
  /** One was accepted, or with TLS stands. */
  connected(socket: Socket): void;
  /** One too many was closed. */
  refused(): void;
}

/** Where connections come in. */
export class Door {
  private readonly handshakes: Handshakes | undefined;

  constructor(private readonly server: Server) {
    if (server instanceof TlsServer) this.handshakes = new Handshakes(server);
  }

  get port(): number {
    const address = this.server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Lets nobody in any more; who has not said anything is sent away. */
  close(): void {
    // Its callback comes when the last connection is gone, which nobody waits for here.
    this.server.close();
    this.handshakes?.end();
  }
}

/**
 * Listens, and tells of each connection.
 * @throws HeadraceError PORT_IN_USE; INVALID_ARGUMENT where a file of TLS does not fit, or the host is not known.
 */
export async function listenOn(options: SocketOptions, owner: DoorOwner): Promise<Door> {
  const connected = (socket: Socket): void => owner.connected(socket);
  const { host, port, tls, maxConnections } = options;
  const server = tls === undefined ? createServer(SOCKET, connected) : tlsServer(tls, connected);
  server.maxConnections = maxConnections;
  server.on("drop", () => owner.refused());
  const door = new Door(server);
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      reject(listenError(host, port, cause));
    });
    server.listen({ host, port, exclusive: true }, () => {
      server.removeAllListeners("error");
      // A connection that could not be accepted is the client's loss, not the server's end.
      server.on("error", () => {});
      resolve(door);
    });
  });
}

function tlsServer(tls: TlsOptions, connected: (socket: Socket) => void): Server {
  const { key, cert, ca, passphrase } = readTls(tls);
  const { caFile, requireClientCert = true } = tls;
  const options = {
    key,
    cert,
    ca,
    passphrase,
    minVersion: "TLSv1.2" as const,
    ALPNProtocols: ["h2"],
    requestCert: caFile !== undefined,
    rejectUnauthorized: caFile !== undefined && requireClientCert,
    ...SOCKET,
  };
  return createTlsServer(options, (socket) => {
    if (isForged(socket)) socket.destroy();
    else connected(socket);
  });
}

/** Where certificates are optional, Node.js lets one pass that it could not verify. */
function isForged(socket: TLSSocket): boolean {
  return !socket.authorized && Object.keys(socket.getPeerCertificate() ?? {}).length > 0;
}
