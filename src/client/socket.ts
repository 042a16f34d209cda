/** A WebSocket wherever the client runs: the platform's own, or the `ws` package on a Node that has none. */
import { HeadraceError } from "../errors.js";
import type { TlsConnection } from "./node-tls.js";
import { refusalError } from "./refusal.js";

/** The part of the WebSocket interface that streams use. */
export interface Socket {
  binaryType: string;
  send(data: Uint8Array | string): void;
  close(code?: number): void;
  addEventListener(type: "open", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: "error", listener: (event: { readonly message?: string }) => void): void;
  addEventListener(type: "close", listener: (event: { readonly code: number; readonly reason: string }) => void): void;
}

/**
 * Opens a socket to `url`; it is not connected yet. Attach listeners before the next turn of the event loop.
 *
 * @param refused Told what the server answered instead of connecting, where the platform lets one know. Then the socket neither
 *   opens nor closes by itself: it is for the caller to close.
 */
export type OpenSocket = (url: string, refused: (error: HeadraceError) => void) => Promise<Socket>;

/** What a client's sockets have in common. */
export interface SocketSettings {
  /** Besides the token's. */
  readonly headers: Readonly<Record<string, string>>;
  readonly token: string | undefined;
  readonly tls: TlsConnection | undefined;
}

/** Subprotocols by which a browser gives its token: one that the server answers with, and the token. */
const PROTOCOL = "headrace.v2";
const BEARER_PROTOCOL = "headrace.bearer.";

type PlatformSocket = new (url: string, protocols?: string[]) => unknown;

/** The platform's WebSocket can send neither headers nor certificates: then it is `ws` even where there is one. */
export function socketOpener({ headers, token, tls }: SocketSettings): OpenSocket {
  return async (url, refused) => {
    const Platform = (globalThis as { WebSocket?: PlatformSocket }).WebSocket;
    const isPlain = Object.keys(headers).length === 0 && tls === undefined;
    // A header is better where it can be sent: proxies look at it too.
    const isSent = token === undefined || !isNode();
    if (Platform !== undefined && isPlain && isSent) {
      return (token === undefined ? new Platform(url) : new Platform(url, protocolsOf(token))) as Socket;
    }
    const { WebSocket } = await importWs(Platform !== undefined);
    const all = token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` };
    const options = { ...tls, headers: all, perMessageDeflate: false };
    const socket = new WebSocket(url, options as object);
    socket.on("unexpected-response", (_request, answer) => void refusalError(answer).then(refused));
    return socket as unknown as Socket;
  };
}

/** The token in base64url: a subprotocol has fewer characters than a token may. */
function protocolsOf(token: string): string[] {
  const encoded = btoa(token).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  return [PROTOCOL, BEARER_PROTOCOL + encoded];
}

function isNode(): boolean {
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  return process?.versions?.node !== undefined;
}

async function importWs(hasPlatformSocket: boolean): Promise<typeof import("ws")> {
  try {
    const ws = await import("ws");
    // Bundlers for browsers replace the package by a stub without the class.
    if (typeof ws.WebSocket === "function") return ws;
  } catch (cause) {
    if (!hasPlatformSocket) throw new HeadraceError("UNIMPLEMENTED", "no WebSocket here: install ws", { cause });
  }
  throw new HeadraceError("UNIMPLEMENTED", "a browser's WebSocket cannot send the client's `headers`");
}
