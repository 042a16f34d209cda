/** Who is to have the messages of which topic. */
import type { WebSocket } from "./web-socket.js";

export class Topics {
  private readonly sockets = new Map<string, Set<WebSocket>>();

  subscribe(topic: string, socket: WebSocket): void {
    const known = this.sockets.get(topic);
    if (known === undefined) this.sockets.set(topic, new Set([socket]));
    else known.add(socket);
  }

  unsubscribe(topic: string, socket: WebSocket): void {
    const known = this.sockets.get(topic);
    if (known?.delete(socket) && known.size === 0) this.sockets.delete(topic);
  }

  /** Sends a message to all who are subscribed. */
  publish(topic: string, message: string | Uint8Array, isBinary: boolean): void {
    for (const socket of this.sockets.get(topic) ?? []) socket.send(message, isBinary);
  }
}
