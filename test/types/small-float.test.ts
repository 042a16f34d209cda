import fc from "fast-check";
import t from "tap";
import { fromBfloat, fromHalf, toBfloat, toHalf } from "../../src/types/index.js";

const ALL = Array.from({ length: 0x1_0000 }, (_, bits) => bits);

t.test("every FP16 and BF16 pattern comes back, a NaN as the quiet one", async (t) => {
  const lost = (to: (n: number) => number, from: (bits: number) => number, quiet: number) =>
    ALL.filter((bits) => to(from(bits)) !== (Number.isNaN(from(bits)) ? quiet : bits));
  t.same(lost(toHalf, fromHalf, 0x7e00), []);
  t.same(lost(toBfloat, fromBfloat, 0x7fc0), []);
});

t.test("a BF16 is the high half of an FP32", async (t) => {
  const view = new DataView(new ArrayBuffer(4));
  const asFloat = (bits: number) => {
    view.setUint32(0, bits << 16);
    return view.getFloat32(0);
  };
  t.same(
    ALL.filter((bits) => !Object.is(fromBfloat(bits), asFloat(bits))),
    [],
  );
});

t.test("known FP16 values", async (t) => {
  const known: [number, number][] = [
    [1, 0x3c00],
    [-2, 0xc000],
    [-0, 0x8000],
    [65504, 0x7bff],
    [65519.99, 0x7bff],
    [65520, 0x7c00],
    [1e300, 0x7c00],
    [Number.NEGATIVE_INFINITY, 0xfc00],
    [2 ** -14, 0x0400],
    [2 ** -14 - 2 ** -24, 0x03ff],
    // Halfway between the largest subnormal and the smallest normal number: to the even one.
    [2 ** -14 - 2 ** -25, 0x0400],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [2 ** -25 * 1.0001, 0x0001],
    [-5e-324, 0x8000],
    // 1 + half a step goes down to even, 1 + one and a half goes up to even.
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    // As a float this would first become 1 + 2^-11, and then 1.
    [1 + 2 ** -11 + 2 ** -40, 0x3c01],
  ];
  for (const [number, bits] of known) t.equal(toHalf(number), bits, `${number}`);
  t.ok(Object.is(fromHalf(0x8000), -0));
  t.equal(fromHalf(0x0001), 2 ** -24);
});

t.test("known BF16 values", async (t) => {
  t.equal(toBfloat(1), 0x3f80);
  t.equal(toBfloat(3.4e38), 0x7f80);
  t.equal(toBfloat(3.38e38), 0x7f7e);
  t.equal(toBfloat(2 ** -133), 0x0001);
  t.equal(toBfloat(2 ** -134), 0x0000);
  t.equal(toBfloat(1 + 2 ** -8), 0x3f80);
  t.equal(toBfloat(1 + 3 * 2 ** -8), 0x3f82);
});

t.test("rounding gives a nearest neighbour, and among two the even one", async (t) => {
  for (const [to, from, top] of [
    [toHalf, fromHalf, 65504] as const,
    [toBfloat, fromBfloat, fromBfloat(0x7f7f)] as const,
  ]) {
    fc.assert(
      fc.property(fc.double({ min: 0, max: top, noNaN: true }), (value) => {
        const bits = to(value);
        const off = Math.abs(from(bits) - value);
        for (const other of [bits - 1, bits + 1].filter((b) => b >= 0 && Number.isFinite(from(b)))) {
          const otherOff = Math.abs(from(other) - value);
          if (!(off < otherOff || (off === otherOff && bits % 2 === 0))) return false;
        }
        return to(-value) === (bits | 0x8000);
      }),
      { numRuns: 2000 },
    );
  }
  t.pass("no counterexample");
});
