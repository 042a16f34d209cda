/** Bytes that wait: in their order, and for no more memory than twice what they are. */
import fc from "fast-check";
import t from "tap";
import { HeldBytes } from "../../../src/drivers/grpc/held-bytes.js";

const LEAST = 256;

t.test("what is pushed comes out in its order, whatever is given back", async () => {
  const operation = fc.oneof(
    fc.record({ push: fc.uint8Array({ maxLength: 600 }) }),
    fc.record({ giveBack: fc.double({ min: 0, max: 1, noNaN: true }) }),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const held = new HeldBytes();
      let expected = Buffer.alloc(0);
      for (const one of operations) {
        if ("push" in one) {
          held.push(Buffer.from(one.push));
          expected = Buffer.concat([expected, one.push]);
        } else {
          const piece = held.shift();
          if (piece === undefined) {
            if (expected.length > 0) return false;
            continue;
          }
          const taken = Math.floor(piece.length * one.giveBack);
          if (!piece.subarray(0, taken).equals(expected.subarray(0, taken))) return false;
          expected = expected.subarray(taken);
          if (taken < piece.length) held.unshift(piece.subarray(taken));
        }
        if (held.bytes !== expected.length) return false;
      }
      const rest: Buffer[] = [];
      for (let piece = held.shift(); piece !== undefined; piece = held.shift()) rest.push(piece);
      return Buffer.concat(rest).equals(expected) && held.bytes === 0 && held.memory === 0;
    }),
  );
});

t.test("a byte at a time takes few pieces, and no more than twice its memory", async (t) => {
  const held = new HeldBytes();
  for (let i = 0; i < 100_000; i++) held.push(Buffer.of(i));
  t.equal(held.bytes, 100_000);
  t.ok(held.memory >= 100_000 && held.memory <= 2 * 100_000 + LEAST, `${held.memory}`);
  let pieces = 0;
  while (held.shift() !== undefined) pieces += 1;
  t.ok(pieces < 30, `${pieces} pieces`);
});

t.test("what is cleared is gone", async (t) => {
  const held = new HeldBytes();
  held.push(Buffer.alloc(1000));
  held.clear();
  t.same([held.bytes, held.memory, held.shift()], [0, 0, undefined]);
});
