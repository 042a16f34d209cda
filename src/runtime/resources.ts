import { createServer } from "node:net";
import { bug, HeadraceError } from "../errors.js";

/** A port that a driver asks for. */
export interface PortRequest {
  name: string;
  /** The number it must be; 0 or left out: any free one. */
  port?: number;
  /**
   * What is spoken there, e.g. "http": drivers that ask for the same port under the same word share one listening socket, which
   * `DriverResources.listener` gives. Default: the port is one driver's.
   */
  sharedAs?: string;
}

/** What a driver needs before it can run. */
export interface ResourcesRequest {
  /** Ports by name, e.g. `["dummy-port"]` or `[{ name: "http", port: 8000 }]`. */
  ports?: readonly (string | PortRequest)[];
}

/** A listening socket that several drivers of a runtime share. */
export interface SharedListener {
  /** Where it listens; never 0. */
  readonly port: number;
  /** Closes it and its connections. Called once, when the last driver that shares it has ended. */
  close(): void;
}

/** What a driver was given. Freed by the runtime when the driver has stopped, whatever ended it. */
export interface DriverResources {
  /** The number of a port that was asked for. Throws INTERNAL for a name that was not. */
  port(name: string): number;
  /**
   * The listener of a port that was asked for with `sharedAs`: the one that listens there already, else what `open` makes, which
   * other drivers then share. Rejects with what `open` rejects with.
   */
  listener<L extends SharedListener>(name: string, open: (port: number) => Promise<L>): Promise<L>;
}

/** A free port of this machine, as the operating system finds it. */
function probeFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ port: 0, exclusive: true }, () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === "object") resolve(address.port);
        else reject(new HeadraceError("INTERNAL", "the operating system named no port"));
      });
    });
  });
}

interface TakenPort {
  readonly sharedAs: string | undefined;
  drivers: number;
  opening: Promise<SharedListener> | undefined;
  listener: SharedListener | undefined;
}

/** Hands out ports, each to one driver at a time, or to several that share what listens there. */
export class PortAllocator {
  private readonly taken = new Map<number, TakenPort>();

  async acquire(port: number, sharedAs?: string): Promise<number> {
    if (port !== 0) {
      this.take(port, sharedAs);
      return port;
    }
    for (;;) {
      const free = await probeFreePort();
      if (this.taken.has(free)) continue;
      this.take(free, sharedAs);
      return free;
    }
  }

  /** The listener of a shared port that was acquired. */
  async listener(port: number, open: (port: number) => Promise<SharedListener>): Promise<SharedListener> {
    const taken = this.taken.get(port);
    if (taken === undefined) throw bug(`port ${port} was not acquired`);
    taken.opening ??= open(port);
    try {
      taken.listener = await taken.opening;
      return taken.listener;
    } finally {
      taken.opening = taken.listener && taken.opening;
    }
  }

  /** A listener that took a free port by listening on it. */
  adopt(listener: SharedListener, sharedAs: string): void {
    this.taken.set(listener.port, { sharedAs, drivers: 1, opening: Promise.resolve(listener), listener });
  }

  release(port: number): void {
    const taken = this.taken.get(port);
    if (taken === undefined) return;
    taken.drivers -= 1;
    if (taken.drivers > 0) return;
    this.taken.delete(port);
    taken.listener?.close();
  }

  private take(port: number, sharedAs: string | undefined): void {
    const taken = this.taken.get(port);
    if (taken === undefined) {
      this.taken.set(port, { sharedAs, drivers: 1, opening: undefined, listener: undefined });
    } else if (sharedAs !== undefined && taken.sharedAs === sharedAs) {
      taken.drivers += 1;
    } else {
      const what = taken.sharedAs === undefined ? "" : `, for ${taken.sharedAs}`;
      const message = `port ${port} is in use by another driver${what}; choose another, or 0 for any`;
      throw new HeadraceError("PORT_IN_USE", message);
    }
  }
}

/** A port of one driver; 0 until its listener has found one. */
interface LeasedPort {
  port: number;
  readonly sharedAs: string | undefined;
}

/** The resources of one driver. */
export class LeasedResources implements DriverResources {
  private readonly ports = new Map<string, LeasedPort>();

  private constructor(private readonly allocator: PortAllocator) {}

  static async lease(allocator: PortAllocator, request: ResourcesRequest): Promise<LeasedResources> {
    const leased = new LeasedResources(allocator);
    try {
      for (const entry of request.ports ?? []) {
        const { name, port = 0, sharedAs } = typeof entry === "string" ? { name: entry, sharedAs: undefined } : entry;
        // Any free port is best taken by listening on it, which the listener will do.
        const number = port === 0 && sharedAs !== undefined ? 0 : await allocator.acquire(port, sharedAs);
        leased.ports.set(name, { port: number, sharedAs });
      }
      return leased;
    } catch (error) {
      leased.release();
      throw error;
    }
  }

  port(name: string): number {
    return this.leased(name).port;
  }

  async listener<L extends SharedListener>(name: string, open: (port: number) => Promise<L>): Promise<L> {
    const leased = this.leased(name);
    const { port, sharedAs } = leased;
    if (sharedAs === undefined) {
      throw new HeadraceError("INTERNAL", `the driver shares port '${name}', but its resourcesRequest does not say so`);
    }
    // What listens under one word is of one kind.
    if (port !== 0) return this.allocator.listener(port, open) as Promise<L>;
    const listener = await open(0);
    leased.port = listener.port;
    this.allocator.adopt(listener, sharedAs);
    return listener;
  }

  /** Gives everything back; what nobody shares any more is closed. */
  release(): void {
    for (const { port } of this.ports.values()) this.allocator.release(port);
    this.ports.clear();
  }

  private leased(name: string): LeasedPort {
    const leased = this.ports.get(name);
    if (leased !== undefined) return leased;
    throw new HeadraceError("INTERNAL", `the driver uses port '${name}', but its resourcesRequest does not name it`);
  }
}
