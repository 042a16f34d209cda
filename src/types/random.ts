/**
 * A small seeded generator (mulberry32), so that fake values are the same on every machine for the same seed. Not for
 * secrets.
 *
 * ```ts
 * const random = new Random(7);
 * const dice = [random.integer(1, 6), random.integer(1, 6)];
 * new Random(7).integer(1, 6) === dice[0]; // true
 * ```
 */
export class Random {
  #state: number;

  /** @param seed Any integer; only its low 32 bits count. Default: a different one each time. */
  constructor(seed: number = Math.floor(Math.random() * 0x1_0000_0000)) {
    this.#state = seed >>> 0;
  }

  /** A number in [0, 1), with 32 random bits. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /** An integer between `min` and `max`, both included. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** A number in [min, max). */
  float(min: number, max: number): number {
    return min + this.next() * (max - min);
  }

  /** A lower-case word of `length` letters. */
  word(length: number): string {
    let word = "";
    for (let i = 0; i < length; i++) word += String.fromCharCode(97 + this.integer(0, 25));
    return word;
  }
}
