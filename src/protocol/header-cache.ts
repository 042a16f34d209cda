/**
 * A steady client sends the same JSON header with every step, so what was parsed from one is kept under its text. What
 * is kept must be immutable: every request with that header shares it.
 */
const MAX_HEADER_CHARACTERS = 4096;

export class HeaderCache<T> {
  readonly #entries = new Map<string, T>();
  readonly #capacity: number;

  /** @param capacity Headers kept; the oldest goes when one more arrives. Memory stays under capacity × ~20 KB. */
  constructor(capacity = 64) {
    this.#capacity = capacity;
  }

  get(header: string): T | undefined {
    return this.#entries.get(header);
  }

  put(header: string, value: T): void {
    if (header.length > MAX_HEADER_CHARACTERS) return;
    if (this.#entries.size >= this.#capacity) this.#evictOldest();
    this.#entries.set(header, value);
  }

  get size(): number {
    return this.#entries.size;
  }

  #evictOldest(): void {
    const oldest = this.#entries.keys().next();
    if (oldest.done !== true) this.#entries.delete(oldest.value);
  }
}
