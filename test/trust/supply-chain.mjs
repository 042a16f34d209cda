/**
 * What comes with the package, and from where: every dependency pinned with its integrity, no install script that nobody allowed, a
 * bill of materials that has them all, and no native library that somebody changed.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { trustCheck } from "./lib/check.mjs";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const CLI = join(ROOT, "dist", "cli", "main.js");
const MODEL = join(ROOT, "bench", "models", "gru512.onnx");
const readJson = (...path) => JSON.parse(readFileSync(join(ROOT, ...path), "utf8"));

await trustCheck({
  name: "supply-chain",
  about:
    "Looks at the lockfile and the install scripts, makes the bill of materials, and loads native libraries that were changed.",
  work: async (check) => {
    lockfile(check);
    billOfMaterials(check);
    nativeLibraries(check);
  },
});

/** Packages of the lockfile: path in node_modules, and what it says. */
function packages() {
  return Object.entries(readJson("package-lock.json").packages).filter(([path]) => path !== "");
}

/** Of a package, by its path in the lockfile. */
function nameOf(path) {
  return path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
}

function lockfile({ holds, figure }) {
  const all = packages();
  const loose = all.filter(([, { integrity, link }]) => integrity === undefined && !link).map(([path]) => path);
  figure("packages", all.length);
  holds("packages of the lockfile without integrity", "none", loose.join(", ") || "none", loose.length === 0);
  const { allowScripts, dependencies, devDependencies } = readJson("package.json");
  const scripts = all.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => nameOf(path));
  const undecided = scripts.filter((name) => !(name in allowScripts));
  const allowed = Object.keys(allowScripts).filter((name) => allowScripts[name]);
  const measured = [...undecided.map((name) => `${name} undecided`), ...allowed.map((name) => `${name} allowed`)];
  holds("install scripts that run", "none", measured.join(", ") || "none", measured.length === 0);
  const ranges = Object.entries({ ...dependencies, ...devDependencies }).filter(
    ([, version]) => !/\d$/.test(version) || /[\^~*<>]/.test(version),
  );
  holds(
    "dependencies that are not pinned",
    "none",
    ranges.map(([name]) => name).join(", ") || "none",
    ranges.length === 0,
  );
}

function billOfMaterials({ holds }) {
  const made = spawnSync(process.execPath, [join(ROOT, "scripts", "sbom.mjs")], { encoding: "utf8" });
  if (made.status !== 0) throw new Error(`scripts/sbom.mjs ended with ${made.status}: ${made.stderr}`);
  const { bomFormat, components } = readJson("sbom.cdx.json");
  const known = new Set(components.map(({ group, name }) => (group ? `${group}/${name}` : name)));
  const wanted = packages().filter(
    ([, { dev, optional, devOptional, peer, link }]) => !dev && !optional && !devOptional && !peer && !link,
  );
  const missing = wanted.map(([path]) => nameOf(path)).filter((name) => !known.has(name));
  const what = `${components.length} components`;
  holds(
    "the bill of materials",
    "CycloneDX, has all that is installed",
    missing.length === 0 ? what : `misses ${missing.join(", ")}`,
    bomFormat === "CycloneDX" && missing.length === 0,
  );
}

function nativeLibraries({ holds }) {
  const folder = mkdtempSync(join(tmpdir(), "headrace-checksums-"));
  try {
    const list = join(folder, "headrace.sha256");
    writeFileSync(list, run(["checksums"]).stdout);
    const as = inspectWith({ HEADRACE_CHECKSUMS: list });
    holds("the libraries that were noted", "are loaded", `exit status ${as.status}`, as.status === 0);
    const changed = inspectWith({ HEADRACE_CHECKSUMS: list, HEADRACE_NATIVE: changedAddon(folder) });
    const refused = changed.status === 1 && /NATIVE_UNAVAILABLE.*SHA-256 is/s.test(changed.stderr);
    holds(
      "an addon with one byte changed",
      "is refused before it is loaded",
      refused ? "refused" : changed.stderr,
      refused,
    );
    writeFileSync(list, "");
    const unknown = inspectWith({ HEADRACE_CHECKSUMS: list });
    const isRefused = unknown.status === 1 && /has no line for headrace.node/.test(unknown.stderr);
    holds("libraries that nobody noted", "are refused", isRefused ? "refused" : unknown.stderr, isRefused);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A build folder whose addon differs in its last byte, which nothing reads. */
function changedAddon(folder) {
  const release = join(folder, "Release");
  mkdirSync(release);
  const file = join(release, "headrace.node");
  copyFileSync(join(ROOT, "build", "native", "Release", "headrace.node"), file);
  const bytes = readFileSync(file);
  bytes[bytes.length - 1] ^= 1;
  writeFileSync(file, bytes);
  return folder;
}

function inspectWith(environment) {
  return run(["inspect", MODEL, "--json"], environment);
}

function run(args, environment = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    encoding: "utf8",
    env: { ...process.env, ...environment },
  });
  return { status, stdout, stderr };
}
