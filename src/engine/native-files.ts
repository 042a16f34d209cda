/** The native libraries that are loaded into the process: where they are, and whether they are the ones that somebody vouched for. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { packageRoot, runtimeLibrary } from "./runtime-library.js";

/** A line of `sha256sum`: 64 hexadecimal digits, two spaces or a space and an asterisk, a name. */
const LINE = /^([0-9a-f]{64}) [ *](.+)$/;

/** Where the addon may be, the likeliest first. */
export function addonFiles(): string[] {
  const here = dirname(fileURLToPath(import.meta.url));
  // Another build of it, such as one under a sanitizer.
  const build = process.env.HEADRACE_NATIVE ?? join(packageRoot(here), "build", "native");
  const configurations = process.env.HEADRACE_DEBUG ? ["Debug", "Release"] : ["Release", "Debug"];
  return configurations.map((configuration) => join(build, configuration, "headrace.node"));
}

/** What `headrace checksums` prints, in the form of `sha256sum`: the addon that would be loaded, and its ONNX Runtime. */
export function checksums(addonFile: string): string {
  const files = [addonFile, runtimeLibrary()];
  return files.map((file) => `${sha256(file)}  ${basename(file)}\n`).join("");
}

/**
 * Throws where HEADRACE_CHECKSUMS names a file of checksums, as `headrace checksums` prints them, and this library is none of those in
 * it. Without the variable nothing is checked.
 */
export function verifyNativeFile(file: string): void {
  const list = process.env.HEADRACE_CHECKSUMS;
  if (list === undefined || list === "") return;
  const wanted = readChecksums(list).get(basename(file));
  if (wanted === undefined) throw new Error(`HEADRACE_CHECKSUMS: ${list} has no line for ${basename(file)}`);
  const found = sha256(file);
  if (found === wanted) return;
  throw new Error(`HEADRACE_CHECKSUMS: its SHA-256 is ${found}, not ${wanted} as in ${list}`);
}

function readChecksums(list: string): Map<string, string> {
  const lines = readFileSync(list, "utf8").split(/\r?\n/);
  const sums = new Map<string, string>();
  for (const [index, line] of lines.entries()) {
    if (line === "") continue;
    const [, sum, name] = LINE.exec(line) ?? [];
    if (sum === undefined || name === undefined) {
      throw new Error(`HEADRACE_CHECKSUMS: ${list}:${index + 1} is no line of sha256sum`);
    }
    sums.set(basename(name), sum);
  }
  return sums;
}

function sha256(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}
