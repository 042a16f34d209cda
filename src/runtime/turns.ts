/** Lets the steps of one state id through one at a time, in the order they came; others pass freely. */
export class Turns {
  /** The ids that have a step under way, and who waits behind it. */
  private readonly waiting = new Map<string, (() => void)[]>();

  /** Undefined where it is this step's turn at once, else a promise of it. `leave` follows each turn, whatever became of it. */
  enter(stateId: string | undefined): Promise<void> | undefined {
    if (stateId === undefined) return undefined;
    const queue = this.waiting.get(stateId);
    if (queue !== undefined) return new Promise((resolve) => queue.push(resolve));
    this.waiting.set(stateId, []);
    return undefined;
  }

  leave(stateId: string | undefined): void {
    if (stateId === undefined) return;
    const next = this.waiting.get(stateId)?.shift();
    if (next === undefined) this.waiting.delete(stateId);
    else next();
  }
}
