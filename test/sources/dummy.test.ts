/** Made-up inputs: of the right types, as many as asked for, the same for the same seed. */
import t from "tap";
import { DummySource, type DummySourceOptions } from "../../src/sources/dummy.js";
import type { SourceItem } from "../../src/sources/source.js";
import { Integer, Tensor, String as Text } from "../../src/types/index.js";
import { sourceContract } from "../contract/source-contract.js";

const inputs = { frame: Tensor("FP32", [-1, 4]), id: Integer(), word: Text() };

for (const { name, run } of sourceContract({
  inputs,
  make: () => new DummySource({ count: 5, seed: 1 }),
  makeWaiting: () => new DummySource({ rate: 1e-9 }),
})) {
  t.test(`DummySource ${name}`, run);
}

async function items(options: DummySourceOptions, limit = Number.POSITIVE_INFINITY): Promise<SourceItem["inputs"][]> {
  const source = new DummySource(options);
  await source.open({ ref: "dummy", inputs });
  const found: SourceItem["inputs"][] = [];
  for await (const item of source.read(new AbortController().signal)) {
    if (found.push(item.inputs) >= limit) break;
  }
  await source.close();
  return found;
}

t.test("the seed decides about the items", async (t) => {
  const [first, again, other] = await Promise.all([
    items({ seed: 7, count: 3 }),
    items({ seed: 7, count: 3 }),
    items({ seed: 8, count: 3 }),
  ]);
  t.same(first, again);
  t.notSame(first, other);
  t.notSame(await items({ count: 3 }), await items({ count: 3 }), "no seed: different ones each time");
});

t.test("count: that many, none, or without an end", async (t) => {
  t.equal((await items({ count: 3 })).length, 3);
  t.equal((await items({ count: 0 })).length, 0);
  t.equal((await items({}, 1000)).length, 1000);
  t.equal((await items({ rate: Number.POSITIVE_INFINITY, count: 10 })).length, 10);
});

t.test("the format says what to make instead of the pipeline's inputs", async (t) => {
  const [item] = await items({ format: { level: Integer() }, count: 1 });
  t.same(Object.keys(item ?? {}), ["level"]);
});

t.test("options out of range are refused with their path", async (t) => {
  const wrong = [{ rate: -1 }, { rate: Number.NaN }, { count: -1 }, { seed: 0.5 }, { format: "foo" as never }];
  t.throws(() => new DummySource({ format: { n: 3 as never } }), { path: "DummySource.format.n" } as never);
  for (const options of wrong) {
    const path = `DummySource.${Object.keys(options)[0]}`;
    t.throws(() => new DummySource(options), { code: "INVALID_ARGUMENT", path });
  }
});
