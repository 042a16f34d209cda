/** Notices a peer whose frames cost us work and bring nothing: floods of control frames, and requests given up at once. */
import { ConnectionError, H2 } from "./frames.js";

/** Control frames without any message in between. Pings that measure the line come one for each round trip at the most. */
const MAX_IDLE_CONTROL_FRAMES = 1000;
/** Pings that keep a quiet connection alive may go on for days. */
const CONTROL_FRAMES_FORGIVEN_PER_SECOND = 10;
/** Requests given up, beyond those answered. A client that closes gives up no more than it may have open. */
const MAX_RESETS = 2000;
const RESETS_FORGIVEN_PER_SECOND = 1000;

export class FloodGuard {
  private readonly controlFrames: Tally;
  private readonly resets: Tally;

  /** @param now Milliseconds that never go back. */
  constructor(now: () => number = () => performance.now()) {
    this.controlFrames = new Tally(CONTROL_FRAMES_FORGIVEN_PER_SECOND, now);
    this.resets = new Tally(RESETS_FORGIVEN_PER_SECOND, now);
  }

  /** A message came or went. */
  useful(): void {
    this.controlFrames.level = 0;
  }

  /** A request was answered to its end. */
  answered(): void {
    this.resets.level = Math.max(0, this.resets.level - 1);
  }

  /** A frame that carries no message. Throws ConnectionError. */
  control(): void {
    if (this.controlFrames.add() <= MAX_IDLE_CONTROL_FRAMES) return;
    throw new ConnectionError(H2.ENHANCE_YOUR_CALM, "too many frames without any message");
  }

  /** The peer has given up a request. Throws ConnectionError. */
  reset(): void {
    if (this.resets.add() <= MAX_RESETS) return;
    throw new ConnectionError(H2.ENHANCE_YOUR_CALM, "too many requests given up");
  }
}

/** Counts, and forgets with time. */
class Tally {
  level = 0;
  private since: number;

  constructor(
    private readonly forgivenPerSecond: number,
    private readonly now: () => number,
  ) {
    this.since = now();
  }

  /** One more; how many that makes. */
  add(): number {
    const now = this.now();
    const forgiven = ((now - this.since) / 1000) * this.forgivenPerSecond;
    this.level = Math.max(0, this.level - forgiven) + 1;
    this.since = now;
    return this.level;
  }
}
