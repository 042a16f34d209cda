/**
 * TLS for the load generator, which speaks none: what it sends to a port of the loopback goes on over TLS by Node.js, in this process.
 * Whom to trust is Node's to say: its own authorities, and those of NODE_EXTRA_CA_CERTS.
 */
import { once } from "node:events";
import { createServer, isIP, type Server, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { connect, type TLSSocket } from "node:tls";

/** A server that speaks TLS. */
export interface TlsPeer {
  readonly address: string;
  readonly port: number;
  /** A name, or an address: what its certificate is for. */
  readonly hostname: string;
  /** The protocol that is wanted within, as ALPN names it (RFC 7301). */
  readonly alpn: "http/1.1" | "h2";
}

/** The system keeps to its own (net.core.somaxconn) where that is less. */
const BACKLOG = 65_535;

const HANDSHAKE_MILLIS = 10_000;

/** That nobody whom Node trusts has signed a certificate, as OpenSSL and Node name it. */
const UNTRUSTED = /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_\w+)$/;

/** What to say of an error of TLS: in Node's words, and with what helps. */
export function tlsProblem(error: Error & { readonly code?: unknown }): string {
  const words = error.message || error.name;
  const remedy = "; NODE_EXTRA_CA_CERTS=FILE names authorities to trust besides";
  return UNTRUSTED.test(String(error.code)) ? words + remedy : words;
}

export class TlsTunnel {
  /** Why a connection could not be had, or broke: of the first one that did. */
  problem = "";
  private busySince = performance.eventLoopUtilization();
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  /** Handshakes that are under way. */
  private shaking = 0;
  private shaken: (() => void)[] = [];

  private constructor(private readonly peer: TlsPeer) {
    this.server = createServer({ noDelay: true }, (plain) => this.join(plain));
  }

  static async open(peer: TlsPeer): Promise<TlsTunnel> {
    const tunnel = new TlsTunnel(peer);
    const { server } = tunnel;
    server.listen({ host: "127.0.0.1", port: 0, exclusive: true, backlog: BACKLOG });
    await once(server, "listening");
    server.on("error", (error) => tunnel.note(error.message));
    return tunnel;
  }

  get port(): number {
    const address = this.server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** What `busyFraction` is of begins once no handshake is under way. */
  async begin(): Promise<void> {
    if (this.shaking > 0) await new Promise<void>((resolve) => this.shaken.push(resolve));
    this.busySince = performance.eventLoopUtilization();
  }

  /** Of this thread, which does the TLS: near 1 it may be what was measured. */
  get busyFraction(): number {
    return performance.eventLoopUtilization(this.busySince).utilization;
  }

  /** Connections that are open end at once. */
  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private join(plain: Socket): void {
    const { address, port, hostname, alpn } = this.peer;
    // The name of a server is no address (RFC 6066, section 3).
    const names = isIP(hostname) === 0 ? { servername: hostname } : {};
    const secure = connect({ host: address, port, ALPNProtocols: [alpn], ...names });
    secure.setNoDelay(true);
    this.shake(secure);
    plain.pipe(secure).pipe(plain);
    // Where one end has gone, the other goes when it has what it was sent.
    for (const [socket, other] of [
      [plain, secure],
      [secure, plain],
    ] as const) {
      this.sockets.add(socket);
      socket.once("close", () => {
        this.sockets.delete(socket);
        other.destroySoon();
      });
    }
    plain.on("error", () => {});
    secure.on("error", (error) => this.note(tlsProblem(error)));
  }

  private shake(secure: TLSSocket): void {
    this.shaking += 1;
    let isOver = false;
    const over = (): void => {
      if (isOver) return;
      isOver = true;
      this.shaking -= 1;
      if (this.shaking === 0) for (const tell of this.shaken.splice(0)) tell();
    };
    secure.once("close", over);
    secure.setTimeout(HANDSHAKE_MILLIS, () => secure.destroy(new Error("there was no handshake in time")));
    secure.once("secureConnect", () => {
      secure.setTimeout(0);
      over();
      if (this.peer.alpn !== "h2" || secure.alpnProtocol === "h2") return;
      this.note("the server does not speak HTTP/2 there (ALPN)");
      secure.destroy();
    });
  }

  private note(problem: string): void {
    if (this.problem === "") this.problem = `TLS with ${this.peer.hostname}: ${problem}`;
  }
}
