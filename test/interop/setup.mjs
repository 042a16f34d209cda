/**
 * The Python environment of the interoperability tests, under `build/interop`: Triton's and KServe's clients, schemathesis and
 * pytest in `venv/`, and the program perf_analyzer in `perf-analyzer/`. Made once; made again when a pin changes.
 *
 *   node test/interop/setup.mjs
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const HOME = join(dirname(dirname(HERE)), "build", "interop");
const VENV = join(HOME, "venv");
const PERF = join(HOME, "perf-analyzer");
/** Holds the key of what is installed; written last. */
const STAMP = join(HOME, "installed");
const REQUIREMENTS = join(HERE, "requirements.txt");
const PERF_REQUIREMENTS = join(HERE, "perf-analyzer.txt");

/** Why there is no environment; its message says what to install. */
export class NoEnvironment extends Error {}

/** The programs of the environment, and the variables that they need. */
export const environment = {
  python: join(VENV, "bin", "python"),
  perfAnalyzer: join(PERF, "bin", "perf_analyzer"),
  variables: { LD_LIBRARY_PATH: join(PERF, "nvidia", "cuda_runtime", "lib") },
};

function output(command, args, env = process.env) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", env });
  return { works: status === 0, stdout: (stdout ?? "").trim(), stderr: (stderr ?? "").trim() };
}

/** Runs one step of the installation, its output shown. */
function step(what, command, args) {
  process.stdout.write(`interop: ${what}\n`);
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: "inherit" });
    child.once("error", reject);
    child.once("close", (status) => {
      process.stdout.write(`interop: ${what}: ${((performance.now() - began) / 1000).toFixed(1)} s\n`);
      if (status === 0) resolve();
      else reject(new NoEnvironment(`${what} failed (is the package registry reachable?)`));
    });
  });
}

/** A Python that can make the environment; `$PYTHON` comes first. */
function findPython() {
  const python = process.env.PYTHON ?? "python3";
  const version = output(python, ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
  if (!version.works) throw new NoEnvironment(`there is no '${python}' (Debian: apt-get install python3-venv)`);
  const [major, minor] = version.stdout.split(".").map(Number);
  if (major !== 3 || minor < 11)
    throw new NoEnvironment(`Python ${version.stdout} is too old: 3.11 or later is needed`);
  if (!output(python, ["-c", "import venv, ensurepip"]).works) {
    throw new NoEnvironment("Python has no venv (Debian: apt-get install python3-venv)");
  }
  return { python, version: version.stdout };
}

/** perf_analyzer is a program for x86-64 Linux with libraries of its own. */
function checkPerfAnalyzer() {
  const { works, stderr } = output(environment.perfAnalyzer, ["--version"], {
    ...process.env,
    ...environment.variables,
  });
  if (works) return;
  throw new NoEnvironment(`perf_analyzer does not start (Debian: apt-get install libb64-0d): ${stderr}`);
}

/** Makes the environment where it is not there yet. Throws NoEnvironment where it cannot be made. */
export async function setUp() {
  const { python, version } = findPython();
  const key = createHash("sha256").update(version);
  for (const file of [REQUIREMENTS, PERF_REQUIREMENTS]) key.update(readFileSync(file));
  const wanted = key.digest("hex");
  if (!existsSync(STAMP) || readFileSync(STAMP, "utf8") !== wanted) {
    rmSync(HOME, { recursive: true, force: true });
    mkdirSync(HOME, { recursive: true });
    const install = ["-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"];
    const quietly = ["--quiet", "--progress-bar=off"];
    await step(`Python ${version} environment`, python, ["-m", "venv", VENV]);
    await step("Triton's and KServe's clients, schemathesis, pytest", environment.python, [
      ...[...install, ...quietly, "--requirement", REQUIREMENTS],
    ]);
    await step("perf_analyzer", environment.python, [
      ...[...install, ...quietly, "--target", PERF, "--requirement", PERF_REQUIREMENTS],
    ]);
    writeFileSync(STAMP, wanted);
  }
  checkPerfAnalyzer();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await setUp();
  process.stdout.write(`interop: ready in ${HOME}\n`);
}
