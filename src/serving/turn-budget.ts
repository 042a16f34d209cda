/** How long something may take in one turn of the event loop: what comes after that is done elsewhere, or later. */
export class TurnBudget {
  private spentMillis = 0;

  constructor(private readonly millis: number) {}

  get isSpent(): boolean {
    return this.spentMillis >= this.millis;
  }

  /** Does it, and counts how long that took. */
  spend<Result>(work: () => Result): Result {
    if (this.spentMillis === 0) {
      setImmediate(() => {
        this.spentMillis = 0;
      });
    }
    const began = performance.now();
    try {
      return work();
    } finally {
      // However quick it was, the next one must not ask for another turn.
      this.spentMillis += Math.max(performance.now() - began, Number.EPSILON);
    }
  }
}
