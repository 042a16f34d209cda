/** The steps of one state id: one of them, or none, has its turn. */
interface Line {
  isTaken: boolean;
  /** Those that wait. */
  readonly queue: (() => void)[];
}

/** So many lines that nobody is in are kept: ids come back, and a Map that changes all the time is slow to be collected. */
const MAX_IDLE = 1024;

/** Lets the steps of one state id through one at a time, in the order they came; others pass freely. */
export class Turns {
  private readonly lines = new Map<string, Line>();
  private idle = 0;

  /** Undefined where it is this step's turn at once, else a promise of it. `leave` follows each turn, whatever became of it. */
  enter(stateId: string | undefined): Promise<void> | undefined {
    if (stateId === undefined) return undefined;
    const line = this.lines.get(stateId);
    if (line === undefined) {
      this.lines.set(stateId, { isTaken: true, queue: [] });
      return undefined;
    }
    if (line.isTaken) return new Promise((resolve) => line.queue.push(resolve));
    line.isTaken = true;
    this.idle -= 1;
    return undefined;
  }

  leave(stateId: string | undefined): void {
    const line = stateId === undefined ? undefined : this.lines.get(stateId);
    if (line === undefined) return;
    const next = line.queue.shift();
    if (next !== undefined) {
      next();
      return;
    }
    line.isTaken = false;
    this.idle += 1;
    if (this.idle > MAX_IDLE) this.forgetIdle();
  }

  private forgetIdle(): void {
    for (const [stateId, { isTaken }] of this.lines) if (!isTaken) this.lines.delete(stateId);
    this.idle = 0;
  }
}
