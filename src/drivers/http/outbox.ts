/** Connections with answers to write: each is written once per round, however many answers it has. */
export interface Flushable {
  flush(): void;
}

export class Outbox {
  private waiting: Flushable[] = [];
  private readonly listed = new Set<Flushable>();
  private scheduled = false;

  /** For answers given while the engine hands out outcomes: `flush` follows at the end of the round. */
  add(connection: Flushable): void {
    if (this.listed.has(connection)) return;
    this.listed.add(connection);
    this.waiting.push(connection);
  }

  /** For answers given at any other time, which own their bytes. */
  addLater(connection: Flushable): void {
    this.add(connection);
    if (this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      this.flush();
    });
  }

  flush(): void {
    if (this.waiting.length === 0) return;
    const connections = this.waiting;
    this.waiting = [];
    this.listed.clear();
    for (const connection of connections) connection.flush();
  }
}
