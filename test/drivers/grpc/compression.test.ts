import { gzipSync } from "node:zlib";
import t from "tap";
import { unpack } from "../../../src/drivers/grpc/compression.js";

const LIMIT = 1 << 20;
const packed = gzipSync(Buffer.alloc(LIMIT));

/** So that all that needs no other thread has happened. */
async function microtasks(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await undefined;
}

t.test(
  "few messages are unpacked at a time, however many come, and who fails or has gone keeps no place",
  async (t) => {
    let begun = 0;
    const isWanted = (wanted: boolean) => (): boolean => {
      begun += 1;
      return wanted;
    };
    const all = Promise.allSettled(
      Array.from({ length: 30 }, (_, index) =>
        unpack(index % 3 === 0 ? Buffer.from("no gzip") : packed, "gzip", LIMIT, isWanted(index % 3 !== 1)),
      ),
    );
    await microtasks();
    // The second and the fifth of them have gone: the two behind them have their places.
    t.equal(begun, 6);
    const outcomes = await all;
    t.equal(begun, 30);
    for (const [index, outcome] of outcomes.entries()) {
      if (index % 3 === 0) t.match(outcome, { status: "rejected", reason: { code: "INVALID_ARGUMENT" } });
      else t.equal(outcome.status === "fulfilled" && outcome.value?.length, index % 3 === 1 ? undefined : LIMIT);
    }
    const again = await unpack(packed, "gzip", LIMIT, isWanted(true));
    t.equal(again?.length, LIMIT);
  },
);
