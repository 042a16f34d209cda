// Random numbers that a seed repeats.

/**
 * A source of random numbers: mulberry32, of which 32 bits of state are enough for tests.
 * @param {number} seed
 */
export function randomOf(seed) {
  let state = seed >>> 0;
  /** In [0, 1). */
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  /** A whole number in [0, below). */
  const below = (count) => Math.floor(next() * count);
  /** @template T @param {readonly T[]} items @returns {T} */
  const pick = (items) => items[below(items.length)];
  return { next, below, pick };
}
