/** Lets the steps of one state id through one at a time, in the order they came; others pass freely. */
export class Turns {
  private readonly last = new Map<string, Promise<void>>();

  /** Resolves when it is this step's turn; call the result when it is done, whatever its outcome. */
  async take(stateId: string | undefined): Promise<() => void> {
    if (stateId === undefined) return () => {};
    const before = this.last.get(stateId);
    let finish = (): void => {};
    const mine = new Promise<void>((resolve) => {
      finish = resolve;
    });
    this.last.set(stateId, mine);
    await before;
    return () => {
      if (this.last.get(stateId) === mine) this.last.delete(stateId);
      finish();
    };
  }
}
