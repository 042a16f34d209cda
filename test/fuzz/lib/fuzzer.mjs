// A fuzzer that goes by coverage: an input that reaches something new, or something old another number of times, is kept,
// and further ones are made from it.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomOf } from "../../trust/lib/random.mjs";
import { mutatorOf } from "./mutate.mjs";

/** 1, 2, 3, 4 to 7, … : how often something was reached, as far as it makes a difference. */
const BUCKETS = 8;
const MAX_BYTES = 8192;

export class Fuzzer {
  /** Inputs that reach something that those before did not. @type {Buffer[]} */
  corpus = [];
  runs = 0;
  slowest = 0;
  /** @type {{ name: string, why: string }[]} */
  findings = [];

  /**
   * @param {{ fuzz: (bytes: Buffer) => void, coverage: ReturnType<import("./build.mjs").countInto>, tokens: string[],
   *   seed: number, slowMillis: number, found: string, begins: (bytes: Buffer) => void }} options
   *   slowMillis: an input that takes longer is a finding. found: the folder for inputs of findings. begins: called with each input
   */
  constructor(options) {
    this.options = options;
    this.random = randomOf(options.seed);
    this.mutate = mutatorOf(
      this.random,
      options.tokens.map((token) => Buffer.from(token)),
    );
    const used = options.coverage.used();
    this.counters = options.coverage.counters.subarray(0, used);
    this.reached = new Uint8Array(used);
    // What loading the modules has reached.
    this.isNew();
  }

  /** Runs the inputs of a folder. */
  replay(folder) {
    for (const name of readdirSync(folder).sort()) this.offer(readFileSync(join(folder, name)));
  }

  /** Makes inputs for so long, or until there are findings enough. */
  search(seconds) {
    if (this.corpus.length === 0) this.corpus.push(Buffer.from("\0"));
    const until = performance.now() + 1000 * seconds;
    while (performance.now() < until && this.findings.length < 5) {
      // Those that were found last lead on more often.
      const newest = this.random.below(3) === 0 ? Math.min(16, this.corpus.length) : this.corpus.length;
      const parent = this.corpus[this.corpus.length - 1 - this.random.below(newest)];
      this.offer(this.mutate(parent, this.random.pick(this.corpus), MAX_BYTES));
    }
  }

  /** Runs an input, and keeps it where it is new. */
  offer(bytes) {
    const millis = this.run(bytes);
    this.runs += 1;
    // A machine that does other things must not make an input slow: it is so each time.
    const slow = millis > this.options.slowMillis ? Math.min(millis, this.run(bytes), this.run(bytes)) : millis;
    this.slowest = Math.max(this.slowest, slow);
    if (slow > this.options.slowMillis) this.note(bytes, `takes ${Math.round(slow)} ms`);
    if (this.isNew()) this.corpus.push(bytes);
  }

  /** Milliseconds that it took. */
  run(bytes) {
    this.counters.fill(0);
    this.options.begins(bytes);
    const began = performance.now();
    try {
      this.options.fuzz(bytes);
    } catch (error) {
      this.note(bytes, error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    return performance.now() - began;
  }

  isNew() {
    const { counters, reached } = this;
    let isNew = false;
    for (let index = 0; index < counters.length; index++) {
      const count = counters[index];
      if (count === 0) continue;
      const bucket = 1 << Math.min(BUCKETS - 1, count < 4 ? count - 1 : 31 - Math.clz32(count) + 1);
      if ((reached[index] & bucket) !== 0) continue;
      reached[index] |= bucket;
      isNew = true;
    }
    return isNew;
  }

  note(bytes, why) {
    const known = why.split("\n").slice(0, 2).join("\n");
    if (this.findings.some((finding) => finding.why.startsWith(known))) return;
    const name = nameOf(bytes);
    mkdirSync(this.options.found, { recursive: true });
    writeFileSync(join(this.options.found, name), bytes);
    this.findings.push({ name, why });
  }

  /**
   * A part of the corpus that reaches all that the whole does, small inputs first, into a folder.
   * @param {boolean} isOnce how often something is reached makes no difference: that takes few inputs
   */
  keep(folder, isOnce) {
    this.reached.fill(0);
    mkdirSync(folder, { recursive: true });
    for (const bytes of [...this.corpus].sort((a, b) => a.length - b.length)) {
      this.run(bytes);
      if (isOnce) this.counters.set(this.counters.map((count) => Math.min(count, 1)));
      if (this.isNew()) writeFileSync(join(folder, nameOf(bytes)), bytes);
    }
  }
}

function nameOf(bytes) {
  return createHash("sha1").update(bytes).digest("hex").slice(0, 16);
}
