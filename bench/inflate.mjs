/**
 * What inflating costs, and for how long it holds up the event loop: by the addon, beside Node's zlib module.
 *
 *   npm run build && node bench/inflate.mjs [--json]
 */
import { parseArgs } from "node:util";
import { gunzip, gunzipSync, gzipSync } from "node:zlib";
import { inflateAll } from "../dist/serving/inflate.js";
import { median } from "./lib/statistics.mjs";

const HELP = `Usage: node bench/inflate.mjs [--json]

Inflates gzip of several kinds and sizes, by the addon and by Node's zlib module in turn, and prints medians.
`;
const MIB = 1 << 20;
const LIMIT = 64 * MIB;
const ROUNDS = 7;
const NODE_OPTIONS = { maxOutputLength: LIMIT, chunkSize: 128 << 10 };
/** What is small is over at once; one of them is too short to be timed, and too many in one turn are for another thread. */
const SMALL_BYTES = 16 << 10;
const SMALL_TURNS = 200;
const SMALL_IN_A_TURN = 15;

const numbers = (bytes) => Buffer.from(Float32Array.from({ length: bytes / 4 }, (_, i) => Math.sin(i * i)).buffer);

const CASES = {
  "1 KiB of numbers": numbers(1 << 10),
  "8 KiB of numbers": numbers(8 << 10),
  "8 MiB of zeros": Buffer.alloc(8 * MIB),
  "8 MiB of numbers": numbers(8 * MIB),
  "48 MiB of zeros": Buffer.alloc(48 * MIB),
  "48 MiB of numbers": numbers(48 * MIB),
  "100 MiB of zeros, of which 64 are allowed": Buffer.alloc(100 * MIB),
};

function byAddon(packed) {
  return new Promise((resolve, reject) => {
    const done = { isWanted: () => true, inflated: resolve, refused: resolve, failed: reject };
    inflateAll({ bytes: packed, isOurs: true }, "gzip", LIMIT, done);
  });
}

/** As the HTTP driver did it before: what is small at once. */
function byNode(packed) {
  if (packed.length <= SMALL_BYTES) return gunzipSync(packed, { maxOutputLength: LIMIT });
  return new Promise((resolve) => gunzip(packed, NODE_OPTIONS, () => resolve()));
}

/** Milliseconds that it took, and the longest between two turns of the event loop meanwhile. */
async function timed(inflate, packed) {
  if (packed.length <= SMALL_BYTES) return timedSmall(inflate, packed);
  let isOver = false;
  let longest = 0;
  let last = performance.now();
  const turn = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  const began = performance.now();
  await inflate(packed);
  const total = performance.now() - began;
  await new Promise((resolve) => setImmediate(resolve));
  isOver = true;
  return { total, longest };
}

/** Milliseconds of one of many. */
async function timedSmall(inflate, packed) {
  let millis = 0;
  for (let turn = 0; turn < SMALL_TURNS; turn++) {
    const began = performance.now();
    for (let i = 0; i < SMALL_IN_A_TURN; i++) await inflate(packed);
    millis += performance.now() - began;
    await new Promise((resolve) => setImmediate(resolve));
  }
  const total = millis / (SMALL_TURNS * SMALL_IN_A_TURN);
  return { total, longest: total };
}

async function measure(what, data) {
  const packed = gzipSync(data, { level: 1 });
  const ways = { node: [], addon: [] };
  for (let round = 0; round < ROUNDS; round++) {
    ways.node.push(await timed(byNode, packed));
    ways.addon.push(await timed(byAddon, packed));
  }
  const medians = (samples, key) => median(samples.map((sample) => sample[key]));
  const of = (samples) => ({ totalMillis: medians(samples, "total"), longestMillis: medians(samples, "longest") });
  return { what, packedBytes: packed.length, node: of(ways.node), addon: of(ways.addon) };
}

const { values } = parseArgs({ options: { json: { type: "boolean" }, help: { type: "boolean", short: "h" } } });
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const results = [];
for (const [what, data] of Object.entries(CASES)) {
  const result = await measure(what, data);
  results.push(result);
  const { node, addon } = result;
  const cell = (millis) => `${millis.toFixed(3)} ms`.padStart(12);
  process.stderr.write(
    `${what.padEnd(44)} node ${cell(node.totalMillis)}, held up ${cell(node.longestMillis)}   addon ${cell(addon.totalMillis)}, held up ${cell(addon.longestMillis)}\n`,
  );
}
if (values.json) process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
