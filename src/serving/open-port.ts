/** Ports that are open before there is a driver: a server without a model still answers for itself. */
import type { ResourcesRequest, Runtime, SharedListener } from "../runtime/index.js";

/** A port that is open for the drivers of a runtime. */
export interface OpenPort {
  readonly port: number;
  /** Closes it, unless drivers share it: then the last of them does. */
  close(): void;
}

/** A listener that is open for as long as somebody serves at it. */
export interface JoinedListener extends SharedListener {
  leave(user: object): void;
}

/**
 * Opens a port, or joins who serves there already, until `close`.
 * @param request For one port of this name.
 * @param join Says at the listener that this user serves there, and throws where that cannot be.
 * @throws What `open` and `join` do; nothing is left behind then.
 */
export async function openPort<L extends JoinedListener>(
  runtime: Runtime,
  name: string,
  request: ResourcesRequest,
  open: (port: number) => Promise<L>,
  join: (listener: L, user: object) => Promise<void>,
): Promise<OpenPort> {
  const resources = await runtime.lease(request);
  const user = {};
  try {
    const listener = await resources.listener(name, open);
    await join(listener, user);
    const close = (): void => {
      listener.leave(user);
      resources.release();
    };
    return { port: listener.port, close };
  } catch (error) {
    resources.release();
    throw error;
  }
}
