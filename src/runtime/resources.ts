import { createServer } from "node:net";
import { HeadraceError } from "../errors.js";

/** A port that a driver asks for. */
export interface PortRequest {
  name: string;
  /** The number it must be; 0 or left out: any free one. */
  port?: number;
}

/** What a driver needs before it can run. */
export interface ResourcesRequest {
  /** Ports by name, e.g. `["dummy-port"]` or `[{ name: "http", port: 8000 }]`. */
  ports?: readonly (string | PortRequest)[];
}

/** What a driver was given. Freed by the runtime when the driver has stopped, whatever ended it. */
export interface DriverResources {
  /** The number of a port that was asked for. Throws INTERNAL for a name that was not. */
  port(name: string): number;
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

/** Hands out ports, each to one driver at a time. */
export class PortAllocator {
  private readonly taken = new Set<number>();

  async acquire(port: number): Promise<number> {
    if (port !== 0) {
      if (this.taken.has(port)) {
        throw new HeadraceError(
          "PORT_IN_USE",
          `port ${port} is in use by another driver; choose another, or 0 for any`,
        );
      }
      this.taken.add(port);
      return port;
    }
    for (;;) {
      const free = await probeFreePort();
      if (this.taken.has(free)) continue;
      this.taken.add(free);
      return free;
    }
  }

  release(port: number): void {
    this.taken.delete(port);
  }
}

/** The resources of one driver. */
export class LeasedResources implements DriverResources {
  private readonly ports = new Map<string, number>();

  private constructor(private readonly allocator: PortAllocator) {}

  static async lease(allocator: PortAllocator, request: ResourcesRequest): Promise<LeasedResources> {
    const leased = new LeasedResources(allocator);
    try {
      for (const entry of request.ports ?? []) {
        const { name, port = 0 } = typeof entry === "string" ? { name: entry } : entry;
        leased.ports.set(name, await allocator.acquire(port));
      }
      return leased;
    } catch (error) {
      leased.release();
      throw error;
    }
  }

  port(name: string): number {
    const number = this.ports.get(name);
    if (number !== undefined) return number;
    throw new HeadraceError("INTERNAL", `the driver uses port '${name}', but its resourcesRequest does not name it`);
  }

  release(): void {
    for (const number of this.ports.values()) this.allocator.release(number);
    this.ports.clear();
  }
}
