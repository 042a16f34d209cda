/**
 * `npm test`: builds the TypeScript, then runs the TypeScript tests with tap and the engine's C++ tests with CTest, and ends
 * with one line `N passed, N failed` over both.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs a step, shows its output as it comes, and resolves to its exit status and text. */
function run(command, args, output = "pipe") {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", output, "inherit"], env: process.env });
    let text = "";
    child.stdout?.on("data", (chunk) => {
      text += chunk;
      process.stdout.write(chunk);
    });
    child.once("error", reject);
    child.once("close", (status) => resolve({ status: status ?? 1, text }));
  });
}

const node = process.execPath;
const bin = (name) => join(ROOT, "node_modules", ".bin", name);

const build = await run("npm", ["run", "--silent", "build:ts"]);
if (build.status !== 0) process.exit(build.status);

let passed = 0;
let failed = 0;

// What a reporter draws is for people; the TAP stream itself has the counts.
const stream = join(ROOT, "build", "tests.tap");
mkdirSync(dirname(stream), { recursive: true });
rmSync(stream, { force: true });
const reporter = process.stdout.isTTY ? ["--reporter=base"] : ["--reporter=terse", "--no-color"];
const tap = await run(bin("tap"), [...reporter, `--output-file=${stream}`, ...process.argv.slice(2)], "inherit");
const counts = existsSync(stream)
  ? (readFileSync(stream, "utf8")
      .match(/^# \{ total: .*\}$/gm)
      ?.at(-1) ?? "")
  : "";
passed += Number(/pass: (\d+)/.exec(counts)?.[1] ?? 0);
failed += Number(/fail: (\d+)/.exec(counts)?.[1] ?? 0);
if (tap.status !== 0 && failed === 0) failed += 1;

const engine = await run(node, [join("scripts", "test-engine.mjs")]);
const [, enginePassed = 0, engineFailed = 0] = /^(\d+) passed, (\d+) failed/m.exec(engine.text) ?? [];
passed += Number(enginePassed);
failed += Number(engineFailed);
if (engine.status !== 0 && Number(engineFailed) === 0) failed += 1;

process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
