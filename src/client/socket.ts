/** A WebSocket wherever the client runs: the platform's own, or the `ws` package on a Node that has none. */
import { HeadraceError } from "../errors.js";

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

/** Opens a socket to `url`; it is not connected yet. Attach listeners before the next turn of the event loop. */
export type OpenSocket = (url: string, headers: Readonly<Record<string, string>>) => Promise<Socket>;

/** The platform's WebSocket cannot send HTTP headers, so with headers it is `ws` even where there is one. */
export const openSocket: OpenSocket = async (url, headers) => {
  const Platform = (globalThis as { WebSocket?: new (url: string) => unknown }).WebSocket;
  if (Platform !== undefined && Object.keys(headers).length === 0) return new Platform(url) as Socket;
  const { WebSocket } = await importWs(Platform !== undefined);
  return new WebSocket(url, { headers, perMessageDeflate: false }) as unknown as Socket;
};

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
