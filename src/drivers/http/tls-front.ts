/**
 * TLS, and the certificates of clients: Node.js' own, in front of the transport. Each connection is handed on over the loopback,
 * with a PROXY header (version 2) in front in which the client's address is a random number: what it stands for is looked up here.
 *
 * Nobody else can come that way. A connection that did not pass here has no number that is known, nor can a client that sends a
 * PROXY header of its own guess another's: it is 128 random bits, and never leaves the process.
 */
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { HeadraceError } from "../../errors.js";
import { certificateName } from "../../serving/certificate.js";
import { Handshakes } from "../../serving/handshakes.js";
import type { TlsFiles } from "../../serving/tls.js";
import { listenError } from "../../transport/index.js";

/** Who is at the other end of a connection. */
export interface TlsClient {
  readonly address: string;
  /** undefined: no certificate was shown. */
  readonly certificateName: string | undefined;
}

/** The PROXY header up to its length field: signature, version 2 with command PROXY, TCP over IPv6. */
const PROXY_HEAD = Buffer.from("0d0a0d0a000d0a515549540a2121", "hex");
/** Two addresses and two ports. */
const PROXY_ADDRESSES = 36;
const NUMBER_BYTES = 16;
/** How long a client may take to read the last of what it was sent. */
const READ_GRACE_MILLIS = 1000;

export interface TlsFrontInit {
  readonly files: TlsFiles;
  /** Whether clients are asked for a certificate, and those without one sent away. */
  readonly clientCert: "required" | "optional" | "none";
  /** How many clients may be here at a time. */
  readonly maxConnections: number;
  /** The port of the loopback where what clients say goes. */
  readonly port: () => number;
}

export class TlsFront {
  /** Connections that were closed for being too many. */
  refused = 0;
  private readonly server: Server;
  private readonly handshakes: Handshakes;
  /** By number, in hexadecimal. */
  private readonly clients = new Map<string, TlsClient>();

  constructor(private readonly init: TlsFrontInit) {
    const { key, cert, ca, passphrase } = init.files;
    this.server = createServer(
      {
        key,
        cert,
        ca,
        passphrase,
        minVersion: "TLSv1.2",
        ALPNProtocols: ["http/1.1"],
        requestCert: init.clientCert !== "none",
        rejectUnauthorized: init.clientCert === "required",
      },
      (socket) => this.accept(socket),
    );
    this.handshakes = new Handshakes(this.server);
    this.server.maxConnections = init.maxConnections;
    // A connection that could not be accepted is the client's loss, not the process's end.
    this.server.on("error", () => {});
    this.server.on("drop", () => {
      this.refused += 1;
    });
  }

  /** Listens on a port; 0 takes any free one. Resolves with its number. Rejects with PORT_IN_USE. */
  listen(host: string, port: number): Promise<number> {
    const { server } = this;
    return new Promise((resolve, reject) => {
      const failed = (cause: Error): void => {
        reject(listenError(host, port, cause));
      };
      server.once("error", failed);
      server.listen({ host, port, exclusive: true }, () => {
        server.removeListener("error", failed);
        const address = server.address();
        resolve(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  /** Takes no new connections; those that are open go on until the other side of this closes them. */
  stopListening(): void {
    if (this.server.listening) this.server.close();
  }

  /** Sends away who has not said anything yet. The other side of this ends the others. */
  close(): void {
    this.stopListening();
    this.handshakes.end();
  }

  /** Who sent a request. Throws UNAUTHENTICATED for one that came past this. */
  client(proxied: string): TlsClient {
    const client = this.find(proxied);
    if (client !== undefined) return client;
    throw new HeadraceError("UNAUTHENTICATED", "the connection did not come over TLS");
  }

  /** As `client`; undefined where `client` throws. */
  find(proxied: string): TlsClient | undefined {
    return this.clients.get(proxied);
  }

  private accept(socket: TLSSocket): void {
    const shown = socket.getPeerCertificate();
    const hasCertificate = Object.keys(shown).length > 0;
    // Where certificates are optional, Node.js lets one pass that it could not verify.
    if (hasCertificate && !socket.authorized) {
      socket.destroy();
      return;
    }
    const number = randomBytes(NUMBER_BYTES);
    const key = number.toString("hex");
    const name = hasCertificate ? certificateName(shown) : undefined;
    this.clients.set(key, { address: socket.remoteAddress ?? "", certificateName: name });
    const inner = connect({ host: "127.0.0.1", port: this.init.port(), noDelay: true });
    socket.setNoDelay(true);
    inner.write(proxyHeader(number));
    socket.pipe(inner).pipe(socket);
    // Either end may break; what matters is that both go then.
    for (const end of [socket, inner]) end.on("error", () => {});
    inner.once("close", () => endAfterAll(socket));
    socket.once("close", () => {
      this.clients.delete(key);
      inner.destroy();
    });
  }
}

/** Ends a connection when its client has read what there is, or will not. */
function endAfterAll(socket: TLSSocket): void {
  socket.setTimeout(READ_GRACE_MILLIS, () => socket.destroy());
  socket.destroySoon();
}

function proxyHeader(source: Buffer): Buffer {
  const header = Buffer.alloc(PROXY_HEAD.length + 2 + PROXY_ADDRESSES);
  PROXY_HEAD.copy(header);
  header.writeUInt16BE(PROXY_ADDRESSES, PROXY_HEAD.length);
  source.copy(header, PROXY_HEAD.length + 2);
  return header;
}
