/** A token bucket for each client. Clients that come and go leave nothing behind. */
import { isIPv6 } from "node:net";
import { HeadraceError } from "../errors.js";

/** How often a client may ask. */
export interface RateLimit {
  /** Requests a second that a client may make for good; may be below 1. */
  readonly requestsPerSecond: number;
  /** Requests that a client may make at once after it has been quiet. Default: requestsPerSecond, at least 1. */
  readonly burst?: number;
}

/** Clients that are told apart; of more, those not seen for longest begin afresh. About 200 bytes each. */
const MAX_CLIENTS = 20_000;

interface Bucket {
  level: number;
  /** In milliseconds, when `level` was so. */
  at: number;
}

export class RateLimiter {
  /** Requests that were refused. */
  refused = 0;
  /** Two generations: a client that is seen moves into the younger; when that is half of all, the older is forgotten. */
  private young = new Map<string, Bucket>();
  private old = new Map<string, Bucket>();
  private readonly perMilli: number;
  private readonly burst: number;

  /**
   * @param now Milliseconds that never go back.
   */
  constructor(
    { requestsPerSecond, burst = Math.max(1, requestsPerSecond) }: RateLimit,
    private readonly now: () => number = () => performance.now(),
    private readonly maxClients = MAX_CLIENTS,
  ) {
    this.perMilli = requestsPerSecond / 1000;
    this.burst = burst;
  }

  /** Clients that are remembered. */
  get clients(): number {
    return this.young.size + this.old.size;
  }

  /** Counts a request. 0 where it may go on, else the seconds until one may; a request that is refused costs nothing. */
  take(client: string): number {
    const now = this.now();
    const bucket = this.young.get(client) ?? this.remember(client, now);
    bucket.level = Math.min(this.burst, bucket.level + (now - bucket.at) * this.perMilli);
    bucket.at = now;
    if (bucket.level >= 1) {
      bucket.level -= 1;
      return 0;
    }
    this.refused += 1;
    return (1 - bucket.level) / this.perMilli / 1000;
  }

  /** As `take`. Throws RESOURCE_EXHAUSTED with the seconds to wait. */
  check(client: string): void {
    const seconds = this.take(client);
    if (seconds > 0) throw tooOften(seconds);
  }

  private remember(client: string, now: number): Bucket {
    const bucket = this.old.get(client) ?? { level: this.burst, at: now };
    this.old.delete(client);
    if (this.young.size * 2 >= this.maxClients) {
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(client, bucket);
    return bucket;
  }
}

export function tooOften(seconds: number): HeadraceError {
  const wait = seconds < 10 ? seconds.toFixed(2) : String(Math.ceil(seconds));
  const message = `more requests than this client may make (rateLimit); the next one in ${wait} s`;
  return new HeadraceError("RESOURCE_EXHAUSTED", message, { retryAfterSeconds: seconds });
}

/** A client that has no name: its address. Whoever has one address of IPv6 has a network of 2^64 of them. */
export function clientOfAddress(address: string): string {
  const mapped = /^(?:(?:0*:)+|::)ffff:(.*)$/i.exec(address)?.[1];
  if (mapped !== undefined || !isIPv6(address)) return `@${mapped ?? address}`;
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  const behind = tail === undefined || tail === "" ? [] : tail.split(":");
  while (groups.length + behind.length < 8) groups.push("0");
  const network = [...groups, ...behind].slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `@${network.join(":")}::/64`;
}
