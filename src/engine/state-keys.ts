/** The keys of state ids that come again and again, as those of live streams do: looked up here and not in the engine. */
import type { NativeEngine } from "./surface.js";

/** Keys kept at hand; each costs a few hundred bytes. */
const CAPACITY = 4096;

export class StateKeys {
  private readonly keys = new Map<string, number>();

  constructor(private readonly native: NativeEngine) {}

  /** Pinned until it is the oldest of too many: for use before the event loop's next turn. */
  of(stateId: string): number {
    const known = this.keys.get(stateId);
    if (known !== undefined) return known;
    if (this.keys.size >= CAPACITY) this.forgetOldest();
    const key = this.native.pin(stateId);
    this.keys.set(stateId, key);
    return key;
  }

  private forgetOldest(): void {
    const oldest = this.keys.entries().next();
    if (oldest.done) return;
    const [stateId, key] = oldest.value;
    this.keys.delete(stateId);
    this.native.unpin(key);
  }
}
