/**
 * Finds the ONNX Runtime C++ headers, which onnxruntime-node does not ship: where ONNXRUNTIME_INCLUDE_DIR points, else in
 * the build folder, else fetched once from the npm registry with pinned integrity (only the headers are kept).
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, createReadStream, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The release of the headers; the same as the onnxruntime-node that package.json pins. */
export const ONNXRUNTIME_VERSION = "1.29.0";

/** An MIT-licensed repack of ONNX Runtime's own release; the platform folder does not matter, headers are the same. */
const PACKAGE = {
  spec: "com.github.asus4.onnxruntime@0.4.9",
  integrity: "sha512-BkzxduSZ9IkeDP6Q8lz2TFU2ie7hSSvS7ZIfzMooExoq0CNzJnuuGaUJ7IsojBgqO4ouD1jXah8OYyJbCN29Fg==",
  headers: "package/Plugins/iOS~/onnxruntime.xcframework/ios-arm64/onnxruntime.framework/Headers",
};

const PROBE = "onnxruntime_cxx_api.h";

async function sha512(file) {
  const hash = createHash("sha512");
  await pipeline(createReadStream(file), hash);
  return `sha512-${hash.digest("base64")}`;
}

async function fetchInto(target) {
  const work = mkdtempSync(join(tmpdir(), "headrace-headers-"));
  try {
    process.stderr.write(`headrace: fetching the ONNX Runtime ${ONNXRUNTIME_VERSION} headers (150 MB, once) …\n`);
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    const name = execFileSync(npm, ["pack", PACKAGE.spec, "--silent", "--pack-destination", work], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      shell: process.platform === "win32",
    });
    const archive = join(work, name.trim().split("\n").at(-1) ?? "");
    const integrity = await sha512(archive);
    if (integrity !== PACKAGE.integrity) {
      throw new Error(`${PACKAGE.spec} has integrity ${integrity}, expected ${PACKAGE.integrity}`);
    }
    execFileSync("tar", ["-xzf", archive, "-C", work, PACKAGE.headers], { stdio: "ignore" });
    mkdirSync(dirname(target), { recursive: true });
    const staged = `${target}.${process.pid}`;
    cpSync(join(work, PACKAGE.headers), staged, { recursive: true });
    rmSync(target, { recursive: true, force: true });
    renameSync(staged, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * The include folder, absolute.
 * @throws Error with what to do, where the headers can neither be found nor fetched.
 * @returns {Promise<string>}
 */
export async function ensureHeaders() {
  const given = process.env.ONNXRUNTIME_INCLUDE_DIR;
  if (given) {
    if (existsSync(join(given, PROBE))) return given;
    throw new Error(`ONNXRUNTIME_INCLUDE_DIR is ${given}, but there is no ${PROBE} in it.`);
  }
  for (const system of ["/usr/local/include/onnxruntime", "/usr/include/onnxruntime"]) {
    if (existsSync(join(system, PROBE))) return system;
  }
  const target = join(ROOT, "build", "onnxruntime-headers", ONNXRUNTIME_VERSION);
  if (!existsSync(join(target, PROBE))) {
    try {
      await fetchInto(target);
    } catch (error) {
      throw new Error(
        `The ONNX Runtime ${ONNXRUNTIME_VERSION} headers could not be fetched (${error instanceof Error ? error.message : error}). ` +
          `Unpack them from https://github.com/microsoft/onnxruntime/releases/tag/v${ONNXRUNTIME_VERSION} and set ONNXRUNTIME_INCLUDE_DIR to the folder with ${PROBE}.`,
      );
    }
  }
  return target;
}
