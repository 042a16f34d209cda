/**
 * `npm run test:onnx-backend`: every model of ONNX's backend test data through Headrace's HTTP driver.
 *
 *   node test/onnx-backend/run.mjs [PART OF A NAME]
 *
 * Writes docs/onnx-backend.md where all models were run, and ends with one line, `N passed, N failed`: a model passes when
 * its outputs are right, or when it is the exception that exceptions.mjs says it is.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cases, isInstalled } from "./cases.mjs";
import { EXCEPTIONS } from "./exceptions.mjs";
import { page } from "./report.mjs";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const LOCALES = join(ROOT, "build", "locales");

/** Some models need the locale en_US.UTF-8: made here where the machine can, for a process that starts with LOCPATH. */
function makeLocale() {
  const locale = join(LOCALES, "en_US.UTF-8");
  if (existsSync(locale)) return true;
  mkdirSync(LOCALES, { recursive: true });
  spawnSync("localedef", ["-i", "en_US", "-f", "UTF-8", locale], { stdio: "ignore" });
  return existsSync(locale);
}

if (process.env.LOCPATH === undefined && makeLocale()) {
  const again = spawnSync(process.execPath, process.argv.slice(1), {
    stdio: "inherit",
    env: { ...process.env, LOCPATH: LOCALES },
  });
  process.exit(again.status ?? 1);
}
if (!isInstalled()) {
  process.stdout.write(
    "ONNX backend tests skipped: there is no test data (Debian: apt-get install libonnx-testdata)\n",
  );
  process.exit(process.env.CI ? 1 : 0);
}

process.env.HEADRACE_LOG ??= "silent";
const { init } = await import("../../dist/index.js");
const { verdictOf } = await import("./verdict.mjs");

/** What is wrong with a verdict, or undefined. */
function complaint({ id, verdict, detail }) {
  const exception = EXCEPTIONS.get(id);
  if (verdict === (exception?.verdict ?? "passed")) return undefined;
  if (exception?.verdict === "locale" && verdict === "passed") return undefined;
  if (exception !== undefined && verdict === "passed") return "passes, take it off the exceptions";
  return `${verdict}${exception ? `, not ${exception.verdict}` : ""}: ${detail}`;
}

const only = process.argv[2];
const selected = cases().filter(({ id }) => only === undefined || id.includes(only));
const runtime = await init("local");
const results = [];
const complaints = [];
for (const one of selected) {
  const result = { ...one, ...(await verdictOf(runtime, one, EXCEPTIONS.get(one.id)?.verdict === "random")) };
  results.push(result);
  const wrong = complaint(result);
  if (wrong === undefined) continue;
  complaints.push(wrong);
  process.stdout.write(`${one.id}: ${wrong}\n`);
}
await runtime.stop();

const unknown =
  only === undefined ? [...EXCEPTIONS.keys()].filter((id) => !results.some((result) => result.id === id)) : [];
for (const id of unknown) process.stdout.write(`${id} is among the exceptions, but there is no such model\n`);
const { version } = JSON.parse(readFileSync(join(ROOT, "node_modules", "onnxruntime-node", "package.json"), "utf8"));
if (only === undefined) {
  writeFileSync(join(ROOT, "docs", "onnx-backend.md"), page(results, { data: "1.12", runtime: version }));
}
const right = results.filter(({ verdict }) => verdict === "passed").length;
const failed = complaints.length + unknown.length;
process.stdout.write(`${right} models give the outputs of their data, ${results.length - right} do not\n`);
process.stdout.write(`${results.length - complaints.length} passed, ${failed} failed\n`);
process.exit(failed === 0 && results.length > 0 ? 0 : 1);
