/** The state ids of one connection: the one of requests that name none, and how many others it has open. */
import { HeadraceError } from "../../errors.js";

let lastConnection = 0;

export class StateIds {
  /** The state id of frames that name none; where there are numbered streams, what theirs begin with. */
  readonly base: string;
  /** Whether it is the connection's own, which ends with it. */
  readonly isOwn: boolean;
  /** Those that its requests named and did not end. */
  private readonly named = new Set<string>();
  private numbers = 0;

  /** @param limit  most that may be open, as of now */
  constructor(
    readonly given: string | undefined,
    private readonly limit: () => number,
  ) {
    this.isOwn = given === undefined;
    // A control character first: no client can name the stream of another connection.
    this.base = given ?? `\u0000stream-${++lastConnection}`;
  }

  /** A request names a state id. Throws RESOURCE_EXHAUSTED where it is one too many. */
  use(name: string): void {
    if (name === this.given || this.named.has(name)) return;
    this.refuseMore();
    this.named.add(name);
  }

  /** It ended, or was evicted. */
  forget(name: string): void {
    this.named.delete(name);
  }

  /** A numbered stream begins. Throws RESOURCE_EXHAUSTED where it is one too many. */
  openNumber(): void {
    this.refuseMore();
    this.numbers += 1;
  }

  closeNumber(): void {
    this.numbers -= 1;
  }

  private refuseMore(): void {
    const limit = this.limit();
    if (this.named.size + this.numbers < limit) return;
    const message = `this connection has ${limit} streams open, as many as it may have (maxStreamsPerConnection); end one first`;
    throw new HeadraceError("RESOURCE_EXHAUSTED", message);
  }
}
