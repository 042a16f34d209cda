/** Lets so many work at a time; the others wait for their turn, in the order in which they came. */
export class Semaphore {
  private readonly waiting: (() => boolean)[] = [];
  private working = 0;

  /** @param most How many. */
  constructor(private readonly most: number) {}

  /** @param begin Called when its turn has come, perhaps at once; false: there is nothing to do any more. Who begins must release. */
  acquire(begin: () => boolean): void {
    this.waiting.push(begin);
    this.beginWaiting();
  }

  /** Whoever had begun is done. */
  release(): void {
    this.working -= 1;
    this.beginWaiting();
  }

  private beginWaiting(): void {
    while (this.working < this.most) {
      const begin = this.waiting.shift();
      if (begin === undefined) return;
      if (begin()) this.working += 1;
    }
  }
}
