import { strictEqual } from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { fromBf16, fromFp16, toBf16, toFp16 } from "../../src/protocol/half.js";

const formats = [
  { name: "FP16", to: toFp16, from: fromFp16, infinity: 0x7c00, overflow: 65520, largest: 65504 },
  {
    name: "BF16",
    to: toBf16,
    from: fromBf16,
    infinity: 0x7f80,
    overflow: (2 - 2 ** -8) * 2 ** 127,
    largest: (2 - 2 ** -7) * 2 ** 127,
  },
];

for (const { name, to, from, infinity, overflow, largest } of formats) {
  t.test(`${name}: every pattern of 16 bits comes back as it was`, async (t) => {
    let wrong = 0;
    for (let bits = 0; bits <= 0xffff; bits++) {
      const value = from(bits);
      const isRight = Number.isNaN(value) ? Number.isNaN(from(to(value))) : to(value) === bits;
      if (!isRight) wrong++;
    }
    t.equal(wrong, 0);
  });

  t.test(`${name}: halfway between neighbours goes to the even one, anything else to the nearer`, async () => {
    const finite = fc.integer({ min: 0, max: infinity - 2 });
    fc.assert(
      fc.property(finite, fc.boolean(), (bits, negative) => {
        const sign = negative ? 0x8000 : 0;
        const lower = from(bits | sign);
        const upper = from((bits + 1) | sign);
        const middle = (lower + upper) / 2;
        const even = (bits & 1) === 0 ? bits : bits + 1;
        strictEqual(to(middle), even | sign);
        strictEqual(to(middle + (lower - middle) * 2 ** -20), bits | sign);
        strictEqual(to(middle + (upper - middle) * 2 ** -20), (bits + 1) | sign);
      }),
      { numRuns: 300 },
    );
  });

  t.test(`${name}: the edges`, async (t) => {
    t.equal(from(to(largest)), largest);
    t.equal(to(overflow), infinity);
    t.equal(from(to(overflow * (1 - Number.EPSILON))), largest);
    t.equal(to(Number.POSITIVE_INFINITY), infinity);
    t.equal(to(Number.NEGATIVE_INFINITY), infinity | 0x8000);
    t.equal(to(-0), 0x8000);
    t.ok(Object.is(from(0x8000), -0));
    t.equal(to(Number.MIN_VALUE), 0);
    t.equal(to(1e308), infinity);
  });
}

t.test("rounds once: through FP32 this value would become 1 + 2^-9", async (t) => {
  const justBelowHalfway = 1 + 2 ** -10 + 2 ** -11 - 2 ** -40;
  t.equal(fromFp16(toFp16(justBelowHalfway)), 1 + 2 ** -10);
});
