/**
 * A steady client sends the same JSON header with every step, so what was parsed from one is kept under its text. What
 * is kept must be immutable: every request with that header shares it.
 */
const MAX_HEADER_CHARACTERS = 4096;
/** Twice what a client's header usually has, so that only unusual ones make the cache hold fewer than its capacity. */
const CHARACTERS_EACH = 512;

export class HeaderCache<T> {
  readonly #entries = new Map<string, T>();
  readonly #capacity: number;
  readonly #maxCharacters: number;
  #characters = 0;

  /**
   * @param capacity Headers kept, fewer where they have more than 512 characters on average; the oldest go when one more
   *   arrives. Memory stays under capacity × ~5 KB.
   */
  constructor(capacity = 64) {
    this.#capacity = capacity;
    this.#maxCharacters = capacity * CHARACTERS_EACH;
  }

  get(header: string): T | undefined {
    return this.#entries.get(header);
  }

  /** Keeps `value`, in the place of what was kept under this header. Headers above 4096 characters are not kept. */
  put(header: string, value: T): void {
    if (header.length > Math.min(MAX_HEADER_CHARACTERS, this.#maxCharacters)) return;
    if (!this.#entries.has(header)) this.#makeRoom(header.length);
    this.#entries.set(header, value);
  }

  get size(): number {
    return this.#entries.size;
  }

  #makeRoom(characters: number): void {
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size < this.#capacity && this.#characters + characters <= this.#maxCharacters) break;
      this.#entries.delete(oldest);
      this.#characters -= oldest.length;
    }
    this.#characters += characters;
  }
}
