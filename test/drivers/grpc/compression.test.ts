import { deflateSync, gzipSync } from "node:zlib";
import t from "tap";
import { unpack } from "../../../src/drivers/grpc/compression.js";
import type { Encoding, Packed } from "../../../src/serving/inflate.js";

const LIMIT = 1 << 20;
const packed = gzipSync(Buffer.alloc(LIMIT));
/** So large that it is not for this thread. */
const broken = Buffer.alloc(64 << 10);

const ours = (bytes: Uint8Array): Packed => ({ bytes, isOurs: true });

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
        unpack(ours(index % 3 === 0 ? broken : packed), "gzip", LIMIT, isWanted(index % 3 !== 1)),
      ),
    );
    await microtasks();
    // The second of them has gone: the one behind it has its place.
    t.equal(begun, 4);
    const outcomes = await all;
    t.equal(begun, 30);
    for (const [index, outcome] of outcomes.entries()) {
      if (index % 3 === 0) t.match(outcome, { status: "rejected", reason: { code: "INVALID_ARGUMENT" } });
      else t.equal(outcome.status === "fulfilled" && outcome.value?.length, index % 3 === 1 ? undefined : LIMIT);
    }
    const again = await unpack(ours(packed), "gzip", LIMIT, isWanted(true));
    t.equal(again?.length, LIMIT);
  },
);

t.test("what is small is unpacked before the next turn, and what is wrong with a message is said", async (t) => {
  const small = Buffer.from("a message");
  const isWanted = (): boolean => t.fail("nobody is asked");
  let unpacked: Buffer | undefined;
  const pending = unpack(ours(gzipSync(small)), "gzip", LIMIT, isWanted).then((bytes) => {
    unpacked = bytes;
  });
  await microtasks();
  t.ok(unpacked?.equals(small));
  await pending;
  const wrong: [Buffer, Encoding, { code: string; message: RegExp }][] = [
    [Buffer.from("no gzip"), "gzip", { code: "INVALID_ARGUMENT", message: /^message: is not packed as gzip/ }],
    [
      Buffer.concat([deflateSync(small), Buffer.of(1, 2)]),
      "deflate",
      { code: "INVALID_ARGUMENT", message: /^message: 2 bytes follow the end of the deflate data/ },
    ],
    [
      gzipSync(Buffer.alloc(LIMIT + 1)),
      "gzip",
      { code: "PAYLOAD_TOO_LARGE", message: /more than 1048576 bytes unpacked/ },
    ],
  ];
  for (const [message, encoding, error] of wrong) {
    const isStillWanted = (): boolean => true;
    await t.rejects(unpack(ours(message), encoding, LIMIT, isStillWanted), error);
  }
});
