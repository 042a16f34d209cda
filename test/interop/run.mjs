/**
 * `npm run test:interop`: Triton's and KServe's clients, perf_analyzer and schemathesis against `headrace serve`.
 *
 *   node test/interop/run.mjs [PYTEST OPTIONS]
 *
 * Makes the Python environment where it is not there, and ends with one line, `N passed, N failed`. Without Python or a
 * package registry it says so and is done; in CI that is a failure.
 */
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { environment, NoEnvironment, setUp } from "./setup.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(dirname(HERE));
/** Processes of their own: Triton's and KServe's clients both register the protocol's messages, and one process takes them once. */
const PARTS = ["triton", "kserve", "tools"];

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: "inherit",
      env: { ...process.env, ...environment.variables },
    });
    child.once("error", reject);
    child.once("close", (status) => resolve(status ?? 1));
  });
}

/** Runs the tests of a folder; what pytest counted. */
async function test(part) {
  const report = join(ROOT, "build", "interop", `${part}.xml`);
  rmSync(report, { force: true });
  const options = ["-q", "--durations=5", `--junit-xml=${report}`, ...process.argv.slice(2)];
  const status = await run(environment.python, ["-m", "pytest", join(HERE, part), ...options]);
  const count = (name) =>
    Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(readFileSync(report, "utf8"))?.[1] ?? 0);
  const failed = count("failures") + count("errors") + count("skipped");
  const passed = count("tests") - failed;
  return { passed, failed: status !== 0 && failed === 0 ? 1 : failed };
}

try {
  await setUp();
} catch (error) {
  if (!(error instanceof NoEnvironment)) throw error;
  process.stdout.write(`interop tests skipped: ${error.message}\n`);
  process.exit(process.env.CI ? 1 : 0);
}
if ((await run("npm", ["run", "--silent", "build:ts"])) !== 0) process.exit(1);
let passed = 0;
let failed = 0;
for (const part of PARTS) {
  const counted = await test(part);
  passed += counted.passed;
  failed += counted.failed;
}
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
