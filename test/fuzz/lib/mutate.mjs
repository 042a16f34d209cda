// Inputs made from others: bytes changed, pieces moved, tokens put in, numbers exchanged.

/** Where lengths and counts go wrong. */
const NUMBERS = [0, 1, 2, 7, 8, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31 - 1, 2 ** 32 - 1];
const TEXTS = [
  ...NUMBERS.map(String),
  "-1",
  "9007199254740992",
  "18446744073709551616",
  "1e400",
  "0.5",
  "null",
  "{}",
  "[]",
];

/**
 * @param {ReturnType<import("../../trust/lib/random.mjs").randomOf>} random
 * @param {readonly Uint8Array[]} tokens
 */
export function mutatorOf({ below, pick }, tokens) {
  const texts = TEXTS.map((text) => Buffer.from(text));
  const at = (bytes) => below(bytes.length + 1);
  const replace = (bytes, from, to, part) => Buffer.concat([bytes.subarray(0, from), part, bytes.subarray(to)]);
  const piece = (bytes) => {
    const from = at(bytes);
    return bytes.subarray(from, from + 1 + below(Math.min(64, bytes.length - from + 1)));
  };
  const changes = [
    (bytes) => change(bytes, (byte) => byte ^ (1 << below(8))),
    (bytes) => change(bytes, () => below(256)),
    (bytes) => change(bytes, (byte) => byte + below(9) - 4),
    (bytes) => replace(bytes, at(bytes), bytes.length, Buffer.alloc(0)),
    (bytes) => insert(bytes, Buffer.from([below(256)])),
    (bytes) => insert(bytes, piece(bytes)),
    (bytes, other) => insert(bytes, piece(other)),
    (bytes, other) => replace(bytes, at(bytes), bytes.length, other.subarray(at(other))),
    (bytes) => insert(bytes, pick(tokens)),
    (bytes) => overwrite(bytes, pick(tokens)),
    (bytes) => exchangeWord(bytes),
    (bytes) => remove(bytes),
    (bytes) => overwrite(bytes, integer(pick(NUMBERS))),
    (bytes) => insert(bytes, Buffer.alloc(1 + below(300), bytes[below(bytes.length)] ?? 0)),
  ];
  function change(bytes, of) {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) {
      const index = below(copy.length);
      copy[index] = of(copy[index]);
    }
    return copy;
  }
  function insert(bytes, part) {
    const from = at(bytes);
    return replace(bytes, from, from, part);
  }
  function overwrite(bytes, part) {
    const from = at(bytes);
    return replace(bytes, from, from + part.length, part);
  }
  function remove(bytes) {
    const from = at(bytes);
    return replace(bytes, from, from + 1 + below(16), Buffer.alloc(0));
  }
  function integer(value) {
    const bytes = Buffer.alloc(4);
    if (below(2) === 0) bytes.writeUInt32LE(value);
    else bytes.writeUInt32BE(value);
    return below(3) === 0 ? bytes.subarray(0, 1) : bytes;
  }
  /** A number or a word of the text becomes another. */
  function exchangeWord(bytes) {
    const from = at(bytes);
    const match = /[-+.\w]+/.exec(bytes.toString("latin1", from, from + 200));
    const [start, end] = match === null ? [from, from] : [from + match.index, from + match.index + match[0].length];
    return replace(bytes, start, end, below(2) === 0 ? pick(texts) : pick(tokens));
  }
  /** @param {Buffer} bytes @param {Buffer} other @param {number} most bytes of the result */
  return (bytes, other, most) => {
    let changed = bytes;
    for (let left = 1 + below(below(4) === 0 ? 8 : 3); left > 0; left--) changed = pick(changes)(changed, other);
    return changed.subarray(0, most);
  };
}
