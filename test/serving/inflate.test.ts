/** Unpacking what others packed: what gzip says of its size is a hint, and what comes out is what counts. */

import { once } from "node:events";
import { existsSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { constants, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import t from "tap";
import { addonFiles } from "../../src/engine/native-files.js";
import { InflateOutcome } from "../../src/engine/surface.js";
import { ENCODINGS, type Encoding, inflateAll, type NotInflated } from "../../src/serving/inflate.js";

const KIB = 1 << 10;
const MIB = 1 << 20;
const LIMIT = 4 * MIB;
/** The one that the tests use. */
const ADDON = addonFiles().find((file) => existsSync(file));
const TOO_LARGE = "too large";

const packers = { gzip: gzipSync, deflate: deflateSync } as const;

/** The bytes, or why there are none. */
function inflated(packed: Uint8Array, encoding: Encoding, limit = LIMIT, isOurs = false): Promise<Uint8Array | string> {
  return new Promise((resolve, reject) => {
    inflateAll({ bytes: packed, isOurs }, encoding, limit, {
      isWanted: () => true,
      inflated: resolve,
      refused: (result) => resolve(reasonOf(result)),
      failed: reject,
    });
  });
}

function reasonOf(result: NotInflated): string {
  if (result.outcome === InflateOutcome.tooLarge) return TOO_LARGE;
  return result.outcome === InflateOutcome.broken ? result.reason : `${result.leftOver} bytes behind it`;
}

const isSame = (result: Uint8Array | string, data: Buffer): boolean =>
  typeof result !== "string" && data.equals(result);

/** The same for everybody, hard to pack. */
function noise(bytes: number): Buffer {
  let state = 1;
  return Buffer.from(
    Uint8Array.from({ length: bytes }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state >>> 16;
    }),
  );
}

/** With another size at its end. */
function saying(gzip: Buffer, bytes: number): Buffer {
  const changed = Buffer.from(gzip);
  changed.writeUInt32LE(bytes, changed.length - 4);
  return changed;
}

for (const encoding of ENCODINGS) {
  t.test(`${encoding}: every size comes out as it went in, up to the limit`, async (t) => {
    const edges = [16 * KIB, 64 * KIB, MIB, LIMIT].flatMap((bytes) => [bytes - 1, bytes, bytes + 1]);
    for (const size of [0, 1, 63, 64, 65, ...edges]) {
      for (const data of [Buffer.alloc(size), noise(size)]) {
        const packed = packers[encoding](data);
        const result = await inflated(packed, encoding);
        if (size > LIMIT) t.equal(result, TOO_LARGE, `${size}`);
        else t.ok(isSame(result, data), `${size}`);
        t.ok(isSame(await inflated(packed, encoding, Math.max(size, 1)), data), `${size} of as many`);
        if (size > 1) t.equal(await inflated(packed, encoding, size - 1), TOO_LARGE, `${size} of one less`);
      }
    }
  });

  t.test(`${encoding}: small and large, cut off, broken or with bytes behind it`, async (t) => {
    for (const size of [100, 3 * MIB]) {
      const packed = packers[encoding](noise(size));
      for (const cut of [1, 5, 9, packed.length >> 1, packed.length - 1, packed.length]) {
        t.equal(await inflated(packed.subarray(0, -cut), encoding), "unexpected end of file", `${cut} less`);
      }
      for (const behind of [Buffer.of(0), Buffer.of(1, 2), Buffer.alloc(KIB, 0x1f)]) {
        const result = await inflated(Buffer.concat([packed, behind]), encoding);
        t.equal(result, `${behind.length} bytes behind it`);
      }
      const changed = Buffer.from(packed);
      changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 0x10;
      t.match(await inflated(changed, encoding), /^(incorrect|invalid) /);
    }
    const text = Buffer.from("nothing of the kind, and long enough");
    t.equal(await inflated(text, encoding), "incorrect header check");
    t.equal(await inflated(deflateRawSync(text), encoding), "incorrect header check");
  });
}

t.test("who says another size gets no more than is allowed, and is told what is wrong", async (t) => {
  const sizes = [0, 1, 64 * KIB, 64 * KIB + 1, MIB - 1, MIB, 2 * MIB, LIMIT - 1, LIMIT, LIMIT + 1, 2 ** 32 - 1];
  const bomb = gzipSync(Buffer.alloc(16 * MIB));
  const large = gzipSync(noise(3 * MIB));
  const small = gzipSync(noise(KIB));
  for (const said of sizes) {
    t.equal(await inflated(saying(bomb, said), "gzip"), TOO_LARGE, `a bomb, ${said}`);
    t.equal(await inflated(saying(large, said), "gzip"), "incorrect length check", `3 MiB, ${said}`);
    t.equal(await inflated(saying(small, said), "gzip"), "incorrect length check", `1 KiB, ${said}`);
  }
});

t.test("several members in a row are one", async (t) => {
  for (const sizes of [
    [100, 50],
    [0, 0, 0],
    [3 * MIB, 10],
    [10, 3 * MIB],
    [MIB, MIB, MIB],
    [2 * MIB, 100 * KIB, 0],
  ]) {
    const parts = sizes.map(noise);
    const all = Buffer.concat(parts);
    const packed = Buffer.concat(parts.map((part) => gzipSync(part)));
    t.ok(isSame(await inflated(packed, "gzip"), all), `${sizes}`);
    if (all.length > 0) t.equal(await inflated(packed, "gzip", all.length - 1), TOO_LARGE);
    t.equal(await inflated(packed.subarray(0, -1), "gzip"), "unexpected end of file");
  }
  const [first, second] = [deflateSync("a"), deflateSync("b")];
  t.equal(await inflated(Buffer.concat([first, second]), "deflate"), `${second.length} bytes behind it`, "not of zlib");
});

t.test("in many blocks, in none that is packed, and with a name", async (t) => {
  const data = noise(300 * KIB);
  for (const level of [0, 1, 9])
    t.ok(isSame(await inflated(gzipSync(data, { level }), "gzip"), data), `level ${level}`);
  const fixed = gzipSync(data, { strategy: constants.Z_FIXED, memLevel: 1 });
  t.ok(isSame(await inflated(fixed, "gzip"), data));
  const plain = gzipSync(data);
  const named = Buffer.concat([plain.subarray(0, 10), Buffer.from("name\0"), plain.subarray(10)]);
  named[3] = 0x08;
  t.ok(isSame(await inflated(named, "gzip"), data), "RFC 1952, FNAME");
  const dictionary = deflateSync("word", { dictionary: Buffer.from("a word") });
  t.equal(await inflated(dictionary, "deflate"), "a dictionary is needed");
});

t.test("the bytes need not stay where they were, and may be in the middle of others", async (t) => {
  const data = noise(MIB);
  const packed = gzipSync(data);
  const pending = inflated(packed, "gzip");
  packed.fill(0);
  t.ok(isSame(await pending, data));
  for (const size of [100, MIB]) {
    const part = gzipSync(data.subarray(0, size));
    const among = Buffer.concat([Buffer.alloc(13, 7), part, Buffer.alloc(7, 7)]);
    for (const isOurs of [false, true]) {
      const result = await inflated(among.subarray(13, 13 + part.length), "gzip", LIMIT, isOurs);
      t.ok(isSame(result, data.subarray(0, size)), `${size}, ${isOurs}`);
    }
  }
});

t.test(
  "what nobody wants any more when its turn comes is not inflated, and neither that nor what is broken keeps a place",
  async (t) => {
    const data = noise(MIB);
    const packed = gzipSync(data);
    const never = (): void => {
      t.fail("nobody wants it");
    };
    const unwanted = { isWanted: () => false, inflated: never, refused: never, failed: never };
    for (let i = 0; i < 20; i++) inflateAll({ bytes: packed, isOurs: true }, "gzip", LIMIT, unwanted);
    for (let i = 0; i < 20; i++) await inflated(packed.subarray(1), "gzip");
    t.ok(isSame(await inflated(packed, "gzip"), data));
  },
);

t.test("one turn of the event loop inflates little, and leaves the rest to other threads", async (t) => {
  const zeros = deflateSync(Buffer.alloc(64 * KIB));
  const all = 10_000;
  let whole = 0;
  await new Promise<void>((resolve, reject) => {
    const count = (): void => {
      if (++whole === all) resolve();
    };
    const done = { isWanted: () => true, inflated: count, refused: reject, failed: reject };
    for (let i = 0; i < all; i++) inflateAll({ bytes: zeros, isOurs: true }, "deflate", LIMIT, done);
    t.ok(whole > 0 && whole < all / 2, `${whole} of ${all} at once`);
  });
  await new Promise(setImmediate);
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  const done = { isWanted: () => true, inflated: over, refused: t.fail, failed: t.fail };
  inflateAll({ bytes: zeros, isOurs: true }, "deflate", LIMIT, done);
  t.ok(isOver, "the next turn has its own");
});

t.test("a thread that is terminated in the middle of it", async (t) => {
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    const { addon, packed, limit } = workerData;
    const { inflate } = require(addon);
    const forEver = () => inflate(packed, 0, packed.byteLength, true, limit, forEver);
    for (let i = 0; i < 6; i++) forEver();
    parentPort.postMessage("busy");`;
  const packed = new Uint8Array(gzipSync(noise(LIMIT))).buffer;
  for (let i = 0; i < 10; i++) {
    const worker = new Worker(code, { eval: true, workerData: { addon: ADDON, packed, limit: LIMIT } });
    await once(worker, "message");
    t.equal(await worker.terminate(), 1);
  }
});
