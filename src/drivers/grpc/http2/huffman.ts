/** The Huffman code of HPACK (RFC 7541, appendix B). It is canonical, so the lengths of the codes are all there is to say. */

/** Bits of the code of each byte value; the last is the end of a string, which must never be in one. */
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];

const END_OF_STRING = 256;
/** In the tree: what is below 0 is the symbol `-1 - entry`, what is above is the next node. */
const TREE = makeTree();

function makeTree(): Int16Array {
  const symbols = LENGTHS.map((_, symbol) => symbol).sort((a, b) => (LENGTHS[a] ?? 0) - (LENGTHS[b] ?? 0) || a - b);
  const tree = new Int16Array(2 * symbols.length);
  let nodes = 1;
  let code = 0;
  let bits = LENGTHS[symbols[0] ?? 0] ?? 0;
  for (const symbol of symbols) {
    const length = LENGTHS[symbol] ?? 0;
    code <<= length - bits;
    bits = length;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const branch = 2 * node + ((code >> bit) & 1);
      if (tree[branch] === 0) tree[branch] = nodes++;
      node = tree[branch] ?? 0;
    }
    tree[2 * node + (code & 1)] = -1 - symbol;
    code += 1;
  }
  return tree;
}

/** The bytes that are coded in `bytes` from `at` to `end`, as latin1 text; undefined where the code is broken. */
export function huffmanDecode(bytes: Uint8Array, at: number, end: number): string | undefined {
  // The shortest code has 5 bits.
  const out = Buffer.allocUnsafe(Math.ceil(((end - at) * 8) / 5));
  let length = 0;
  let node = 0;
  let depth = 0;
  let onlyOnes = true;
  for (let index = at; index < end; index++) {
    const byte = bytes[index] ?? 0;
    for (let bit = 7; bit >= 0; bit--) {
      const one = (byte >> bit) & 1;
      const next = TREE[2 * node + one] ?? 0;
      depth += 1;
      onlyOnes &&= one === 1;
      if (next >= 0) {
        node = next;
        continue;
      }
      const symbol = -1 - next;
      if (symbol === END_OF_STRING) return undefined;
      out[length++] = symbol;
      node = 0;
      depth = 0;
      onlyOnes = true;
    }
  }
  // What is left must be the first bits, all ones, of the end of a string, and less than a byte.
  return depth < 8 && onlyOnes ? out.toString("latin1", 0, length) : undefined;
}
