// The addon under AddressSanitizer and UndefinedBehaviorSanitizer, in a Node that knows nothing of either.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
const BUILD = join(ROOT, "build", "native-address");
const REPORTS = join(ROOT, "build", "sanitizer-reports");
const SUPPRESSIONS = fileURLToPath(new URL("leaks.supp", import.meta.url));

/**
 * What the sanitizers' library needs, in the environment of every process below.
 *
 * - LD_PRELOAD: the library must be there before Node's own allocations, and the addon comes too late for that. libstdc++ goes
 *   with it: the library looks up how to throw an exception when it starts, and Node, linked without libstdc++, has none to find.
 * - log_path: a report goes to a file, one for each process. So none is lost with a process whose output nobody reads, or in
 *   the output of a test that expects its process to fail.
 * - detect_leaks: what is lost at the end of each process. It is no reason for a process to fail: what counts is in the reports.
 */
export function sanitizedEnvironment() {
  const log = join(REPORTS, "report");
  return {
    ...process.env,
    HEADRACE_NATIVE: BUILD,
    LD_PRELOAD: ["libasan.so", "libstdc++.so.6"].map(libraryOf).join(" "),
    ASAN_OPTIONS: `detect_leaks=1:log_path=${log}`,
    UBSAN_OPTIONS: `print_stacktrace=1:log_path=${log}`,
    LSAN_OPTIONS: `suppressions=${SUPPRESSIONS}:print_suppressions=0:exitcode=0`,
  };
}

/** The compiler's own library of that name: a sanitizer's is of the version of the compiler. */
function libraryOf(name) {
  const compiler = process.env.CXX ?? "g++";
  const { stdout, error } = spawnSync(compiler, [`-print-file-name=${name}`], { encoding: "utf8" });
  const path = stdout?.trim() ?? "";
  if (error === undefined && isAbsolute(path) && existsSync(path)) return realpathSync(path);
  throw new Error(`${compiler} has no ${name} (Debian: apt-get install g++)`);
}

/** Builds the addon, in a folder of its own, and the JavaScript that processes of the tests load. */
export async function buildSanitized() {
  const scripts = join(ROOT, "scripts");
  await succeed(process.execPath, [join(scripts, "build-native.mjs"), "--sanitizer", "address", "--out", BUILD]);
  await succeed("npm", ["run", "--silent", "build:ts"]);
}

async function succeed(command, args) {
  const { status, output } = await runToEnd(command, args, process.env);
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}:\n${output.slice(-4000)}`);
}

/** @returns {Promise<{ status: number | string, output: string }>} */
export function runToEnd(command, args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
    const kill = () => child.kill("SIGKILL");
    process.once("exit", kill);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output += text;
      });
    }
    child.once("error", reject);
    child.once("close", (status, signal) => {
      process.off("exit", kill);
      resolve({ status: status ?? signal ?? "nothing", output });
    });
  });
}

/**
 * Whether V8 itself allocated it, perhaps through a container. A suppression, which is of any frame, would hide all that is
 * allocated for JavaScript.
 */
function isOfV8(leak) {
  const frames = [...leak.matchAll(/^ *#[1-9]\d* 0x[0-9a-f]+ in (?:void |bool |int )?(.*)$/gm)].map(([, name]) => name);
  const allocator = frames.find((name) => !name.startsWith("std::")) ?? "";
  return /^(?:v8::|Builtins_|heap::base::)/.test(allocator);
}

/**
 * A report without V8's own memory: a process that is ended by `process.exit` or a signal leaves its heap as it is. "" where
 * nothing else was reported.
 */
function withoutHeap(report) {
  const [head, ...leaks] = report.split(/\n(?=(?:Direct|Indirect) leak of )/);
  if (leaks.length === 0) return report;
  const others = leaks.filter((leak) => !isOfV8(leak));
  return others.length === 0 ? "" : [head, ...others].join("\n");
}

/**
 * Runs these tests. Of a folder `tap` would run what is no test as well, such as what is only there to be compiled.
 * @param {readonly string[]} files
 * @returns {Promise<{ passed: number, failed: number, failures: string, reports: string[] }>} reports: what the sanitizers said, a
 *   text for each process that made them say something
 */
export async function runSanitized(files) {
  rmSync(REPORTS, { recursive: true, force: true });
  mkdirSync(REPORTS, { recursive: true });
  const tap = join(ROOT, "node_modules", "tap", "dist", "esm", "run.mjs");
  // The limit is for what hangs; all is several times slower here.
  const args = [tap, "--reporter=tap", "--no-color", "--jobs=1", "--timeout=600", ...files];
  const { status, output } = await runToEnd(process.execPath, args, sanitizedEnvironment());
  const counts = output.match(/^# \{ total: .*\}$/gm)?.at(-1) ?? "";
  const passed = Number(/pass: (\d+)/.exec(counts)?.[1] ?? 0);
  const failed = Number(/fail: (\d+)/.exec(counts)?.[1] ?? 0);
  const texts = readdirSync(REPORTS).map((name) => readFileSync(join(REPORTS, name), "utf8"));
  const reports = texts.map(withoutHeap).filter((report) => report !== "");
  const failures = output.match(/^ *not ok .*(?:\n.*){0,20}/gm)?.join("\n") ?? output;
  return { passed, failed: status !== 0 && failed === 0 ? 1 : failed, failures, reports };
}
