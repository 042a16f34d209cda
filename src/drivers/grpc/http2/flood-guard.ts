/** Notices a peer whose frames cost us work and bring nothing: floods of control frames, and requests given up at once. */
import { ConnectionError, H2 } from "./frames.js";

/** Control frames without any message in between. Pings that measure the line come one for each round trip at the most. */
const MAX_IDLE_CONTROL_FRAMES = 1000;
/** Requests given up, beyond those answered. A client that closes gives up no more than it may have open. */
const MAX_RESETS = 2000;
const RESETS_FORGIVEN_PER_SECOND = 1000;

export class FloodGuard {
  private controlFrames = 0;
  private resets = 0;
  private resetsSince = performance.now();

  /** A message came or went. */
  useful(): void {
    this.controlFrames = 0;
  }

  /** A request was answered to its end. */
  answered(): void {
    if (this.resets > 0) this.resets -= 1;
  }

  /** A frame that carries no message. Throws ConnectionError. */
  control(): void {
    this.controlFrames += 1;
    if (this.controlFrames <= MAX_IDLE_CONTROL_FRAMES) return;
    throw new ConnectionError(H2.ENHANCE_YOUR_CALM, "too many frames without any message");
  }

  /** The peer has given up a request. Throws ConnectionError. */
  reset(): void {
    const now = performance.now();
    const forgiven = ((now - this.resetsSince) / 1000) * RESETS_FORGIVEN_PER_SECOND;
    this.resets = Math.max(0, this.resets - forgiven) + 1;
    this.resetsSince = now;
    if (this.resets > MAX_RESETS) throw new ConnectionError(H2.ENHANCE_YOUR_CALM, "too many requests given up");
  }
}
