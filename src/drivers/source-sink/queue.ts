/** What happens to an item that finds its queue full. */
export type WhenFull = "block" | "drop-oldest" | "drop-newest";

/** Wakes whoever waits for something to be different; they look again for themselves. */
export class Change {
  private waiting: (() => void)[] = [];

  wait(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  notify(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const wake of waiting) wake();
  }
}

/**
 * A first-in first-out queue of at most `size` items. Each item that enters is taken or dropped, and counted:
 * `entered` is those taken, `dropped` and `length` together.
 */
export class BoundedQueue<T> {
  entered = 0;
  dropped = 0;
  private items: T[] = [];
  private isOpen = true;
  private readonly changed = new Change();

  constructor(
    private readonly size: number,
    private readonly whenFull: WhenFull,
  ) {}

  get length(): number {
    return this.items.length;
  }

  /** Waits while the policy wants the producer to: until there is room, or the queue is closed. */
  async room(): Promise<void> {
    while (this.mustWait) await this.changed.wait();
  }

  /** Enters an item by the policy; where it has to wait, until the signal is aborted: then the item is dropped. */
  async put(item: T, signal: AbortSignal): Promise<void> {
    if (this.mustWait) {
      const wake = (): void => this.changed.notify();
      signal.addEventListener("abort", wake);
      while (this.mustWait && !signal.aborted) await this.changed.wait();
      signal.removeEventListener("abort", wake);
    }
    this.push(item);
  }

  /** Enters an item at once; a full or closed queue drops by its policy, one that should block drops the new item. */
  push(item: T): void {
    this.entered += 1;
    const isFull = this.items.length >= this.size;
    if (isFull || !this.isOpen) this.dropped += 1;
    if (!this.isOpen || (isFull && this.whenFull !== "drop-oldest")) return;
    if (isFull) this.items.shift();
    this.items.push(item);
    this.changed.notify();
  }

  /** The oldest item, as soon as there is one; undefined when the queue is closed and empty. */
  async take(): Promise<T | undefined> {
    while (this.items.length === 0 && this.isOpen) await this.changed.wait();
    const item = this.items.shift();
    this.changed.notify();
    return item;
  }

  /** Drops what comes from now on; what is there can still be taken. */
  close(): void {
    this.isOpen = false;
    this.changed.notify();
  }

  /** Closes, and drops what is there. */
  discard(): void {
    this.dropped += this.items.length;
    this.items = [];
    this.close();
  }

  private get mustWait(): boolean {
    return this.isOpen && this.whenFull === "block" && this.items.length >= this.size;
  }
}
