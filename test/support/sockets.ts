/** Sockets without a client library in between: bytes over `node:net`, frames over `ws`. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import type { Test } from "tap";
import { type ClientOptions, WebSocket } from "ws";

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** One TCP connection that speaks HTTP/1.1 in whatever pieces a test likes. */
export class RawConnection {
  readonly socket: Socket;
  /** Resolves when the connection is gone, however it went. */
  readonly closed: Promise<void>;
  private chunks: Buffer[] = [];
  private size = 0;
  /** Bytes of the next answer, as far as they are known: looking earlier is no use. */
  private needed = 0;
  private wake = (): void => {};
  private over = false;

  private constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket.on("data", (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.size += chunk.length;
      this.wake();
    });
    this.socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      this.socket.once("close", () => {
        this.over = true;
        this.wake();
        resolve();
      });
    });
  }

  static async open(t: Test, port: number): Promise<RawConnection> {
    const connection = new RawConnection(port);
    t.teardown(() => connection.socket.destroy());
    await once(connection.socket, "connect");
    return connection;
  }

  /** Resolves once the operating system has the bytes. */
  write(bytes: Uint8Array | string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** The next answer, read by its Content-Length. Rejects when the connection ends first. */
  async answer(): Promise<RawAnswer> {
    for (;;) {
      const whole = this.take();
      if (whole !== undefined) return whole;
      if (this.over) throw new Error(`the connection ended after ${this.size} bytes of an answer`);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  private take(): RawAnswer | undefined {
    if (this.size < this.needed) return undefined;
    const received = Buffer.concat(this.chunks);
    this.chunks = [received];
    const end = received.indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    const [statusLine = "", ...lines] = received.toString("latin1", 0, end).split("\r\n");
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
    );
    this.needed = end + 4 + Number(headers["content-length"] ?? 0);
    if (this.size < this.needed) return undefined;
    const body = received.subarray(end + 4, this.needed);
    this.chunks = [received.subarray(this.needed)];
    this.size -= this.needed;
    this.needed = 0;
    return { status: Number(statusLine.split(" ")[1]), headers, body };
  }
}

/** The head of a POST, the length announced unless it is chunked. */
export function postHead(path: string, headers: Readonly<Record<string, string | number>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\nHost: test\r\n${lines.join("")}\r\n`;
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** One WebSocket whose frames are read one by one: text as strings, binary as Buffers. */
export class Peer {
  readonly closed: Promise<Closed>;
  private readonly arrived: (Buffer | string)[] = [];
  private readonly readers: { resolve(frame: Buffer | string): void; reject(error: Error): void }[] = [];
  private end: Closed | undefined;

  private constructor(readonly socket: WebSocket) {
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      const frame = isBinary ? data : data.toString("utf8");
      const reader = this.readers.shift();
      if (reader === undefined) this.arrived.push(frame);
      else reader.resolve(frame);
    });
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => {
        this.end = { code, reason: reason.toString("utf8") };
        for (const { reject } of this.readers.splice(0)) reject(this.gone());
        resolve(this.end);
      });
    });
  }

  static async open(t: Test, url: string, options: ClientOptions = {}): Promise<Peer> {
    const peer = new Peer(new WebSocket(url.replace(/^http/, "ws"), { perMessageDeflate: false, ...options }));
    t.teardown(() => peer.socket.terminate());
    await once(peer.socket, "open");
    return peer;
  }

  send(frame: Uint8Array | string): void {
    this.socket.send(frame);
  }

  /** The next frame; rejects when the connection ends first. */
  next(): Promise<Buffer | string> {
    const frame = this.arrived.shift();
    if (frame !== undefined) return Promise.resolve(frame);
    if (this.end !== undefined) return Promise.reject(this.gone());
    return new Promise((resolve, reject) => this.readers.push({ resolve, reject }));
  }

  async nextJson(): Promise<Record<string, unknown>> {
    const frame = await this.next();
    if (typeof frame !== "string") throw new Error(`expected a text frame, got ${frame.length} bytes`);
    return JSON.parse(frame) as Record<string, unknown>;
  }

  async nextFloats(): Promise<Float32Array> {
    const frame = await this.next();
    if (typeof frame === "string") throw new Error(`expected a binary frame, got ${frame}`);
    return new Float32Array(new Uint8Array(frame).buffer);
  }

  async close(): Promise<void> {
    this.socket.close(1000);
    await this.closed;
  }

  private gone(): Error {
    return new Error(`the connection was closed: ${this.end?.code} ${this.end?.reason}`);
  }
}

/** The HTTP answer to an upgrade that is refused. */
export async function refusedUpgrade(
  url: string,
  options: ClientOptions = {},
): Promise<{ status: number; body: string }> {
  const socket = new WebSocket(url.replace(/^http/, "ws"), options);
  socket.on("error", () => {});
  const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
  return { status: response.statusCode ?? 0, body: (await buffer(response)).toString("utf8") };
}
