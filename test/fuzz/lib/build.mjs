// src/ in build/fuzz-js, as JavaScript in which the decoders count where they go. Only what has changed is written again.

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { instrument } from "./instrument.mjs";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
const OUT = join(ROOT, "build", "fuzz-js");
const SELF = fileURLToPath(new URL("instrument.mjs", import.meta.url));
/** Bytes of counters for all files together. */
const MAX_COUNTERS = 1 << 16;

/** @returns {Map<string, { lines: number[], tokens: string[] }>} by file, such as src/protocol/body.ts */
export function buildSources() {
  const files = new Map();
  mkdirSync(OUT, { recursive: true });
  // The gRPC driver reads its .proto files from there.
  if (!existsSync(join(OUT, "proto"))) symlinkSync(join(ROOT, "proto"), join(OUT, "proto"));
  for (const file of readdirSync(join(ROOT, "src"), { recursive: true })) {
    if (file.endsWith(".ts") && !file.endsWith(".d.ts")) files.set(join("src", file), buildOne(join("src", file)));
  }
  return files;
}

function buildOne(file) {
  const source = join(ROOT, file);
  const out = join(OUT, file.replace(/\.ts$/, ".js"));
  const notes = `${out}.json`;
  const newest = Math.max(statSync(source).mtimeMs, statSync(SELF).mtimeMs);
  if (existsSync(notes) && statSync(notes).mtimeMs > newest) return JSON.parse(readFileSync(notes, "utf8"));
  const { code, ...known } = instrument(readFileSync(source, "utf8"), file);
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, code);
  writeFileSync(notes, JSON.stringify(known));
  return known;
}

/** Counters of all instrumented files that are loaded from now on. */
export function countInto() {
  const counters = new Uint32Array(MAX_COUNTERS);
  const places = new Map();
  let used = 0;
  globalThis.fuzzCounters = (file, count) => {
    if (used + count > MAX_COUNTERS) throw new Error("more counters than there is room for");
    const own = counters.subarray(used, used + count);
    places.set(file, { start: used, count });
    used += count;
    return own;
  };
  return { counters, places, used: () => used };
}

/** The instrumented module of a source file. */
export function load(file) {
  return import(join(OUT, file.replace(/\.ts$/, ".js")));
}
