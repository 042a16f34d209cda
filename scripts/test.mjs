/**
 * `npm test`: builds the TypeScript, then runs the TypeScript tests with tap and the engine's C++ tests with CTest, and ends
 * with one line `N passed, N failed` over both.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { TapSummary } from "./tap-summary.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const tapBin = join(ROOT, "node_modules", ".bin", "tap");
const chosen = process.argv.slice(2);

/** Runs a step and resolves to its exit status; what it prints goes to `onLine`, or where ours goes. */
async function run(command, args, onLine) {
  const stdout = onLine === undefined ? "inherit" : "pipe";
  const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", stdout, "inherit"], env: process.env });
  const ended = once(child, "close");
  if (onLine !== undefined) for await (const line of createInterface({ input: child.stdout })) onLine(line);
  const [status] = await ended;
  return status ?? 1;
}

function print(line) {
  process.stdout.write(`${line}\n`);
}

/** The TypeScript tests for people who watch: a reporter draws them, and what it was told is read afterwards. */
async function drawnTests(summary) {
  const stream = join(ROOT, "build", "tests.tap");
  mkdirSync(dirname(stream), { recursive: true });
  rmSync(stream, { force: true });
  const status = await run(tapBin, ["--reporter=base", `--output-file=${stream}`, ...chosen]);
  if (existsSync(stream)) for (const line of readFileSync(stream, "utf8").split("\n")) summary.line(line);
  return status;
}

/** The same for a log: a line for each file as it ends, then what failed, whole. */
async function printedTests(summary) {
  const status = await run(tapBin, ["--reporter=tap", ...chosen], (line) => summary.line(line));
  print(`\n${summary}`);
  return status;
}

/** Counts of one kind of tests; a status that no failure explains is one itself. */
function counted(name, status, passed, failed) {
  if (status === 0 || failed > 0) return { passed, failed };
  print(`FAILED: ${name} ended with status ${status}, and counted no failure`);
  return { passed, failed: 1 };
}

async function typescriptTests() {
  const onTerminal = process.stdout.isTTY;
  const summary = new TapSummary(onTerminal ? undefined : print);
  const status = await (onTerminal ? drawnTests : printedTests)(summary);
  return counted("tap", status, summary.passed, summary.failed);
}

async function engineTests() {
  let counts = null;
  const status = await run(process.execPath, [join("scripts", "test-engine.mjs")], (line) => {
    counts = /^(\d+) passed, (\d+) failed$/.exec(line) ?? counts;
    print(line);
  });
  return counted("the engine's tests", status, Number(counts?.[1] ?? 0), Number(counts?.[2] ?? 0));
}

const built = await run("npm", ["run", "--silent", "build:ts"]);
if (built !== 0) process.exit(built);
const both = [await typescriptTests(), await engineTests()];
const sum = (key) => both.reduce((total, counts) => total + counts[key], 0);
print(`\n${sum("passed")} passed, ${sum("failed")} failed`);
process.exitCode = sum("failed") === 0 ? 0 : 1;
