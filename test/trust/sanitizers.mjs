/**
 * The tests that load the addon, with the addon under AddressSanitizer and UndefinedBehaviorSanitizer: no access outside of
 * memory or after its end, no undefined behaviour, nothing lost at the end of any process. In the long form also the engine's C++
 * tests under ThreadSanitizer, which Node cannot be run under.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { trustCheck } from "./lib/check.mjs";
import { buildSanitized, ROOT, runSanitized, runToEnd } from "./lib/sanitized.mjs";

const SHORT = ["test/engine", "test/serving", "test/transport"];
/** They start commands and load generators for seconds of time that is measured, and test nothing of the addon. */
const WITHOUT = ["test/bench", "test/cli"];

await trustCheck({
  name: "sanitizers",
  about:
    "Runs the tests with the addon under AddressSanitizer and UBSan: in the short form those of the engine, of what drivers share and of the transport,\n" +
    "in the long form all but those of the command line and of the benchmark, and the engine's C++ tests under ThreadSanitizer.\n" +
    "Builds the addon in build/native-address first, which takes minutes for the first time.",
  work,
});

async function work(check) {
  check.progress("building the addon");
  await buildSanitized();
  const files = testsOf(check);
  check.progress(`${files.length} files of tests`);
  const { passed, failed, failures, reports } = await runSanitized(files);
  const where = check.isLong ? "all tests but those of cli and bench" : SHORT.join(" and ");
  check.holds(
    `AddressSanitizer and UBSan over ${where}`,
    "no report",
    `${reports.length} reports`,
    reports.length === 0,
  );
  check.holds(`${where}, under them`, "all pass", `${passed} pass, ${failed} fail`, passed > 0 && failed === 0);
  for (const report of reports.slice(0, 3)) process.stderr.write(`${report.slice(0, 6000)}\n`);
  if (failed > 0) process.stderr.write(`${failures.slice(0, 6000)}\n`);
  check.figure("tests", passed + failed);
  if (check.isLong) await threads(check);
}

async function threads(check) {
  check.progress("the engine's tests under ThreadSanitizer");
  const script = join(ROOT, "scripts", "test-engine.mjs");
  const { status, output } = await runToEnd(process.execPath, [script, "--sanitizer", "thread"], process.env);
  const counts = /^\d+ passed, \d+ failed$/m.exec(output)?.[0] ?? `ended with ${status}`;
  check.holds(
    "ThreadSanitizer over the engine's C++ tests",
    "all pass",
    counts,
    status === 0 && / 0 failed/.test(counts),
  );
  if (status !== 0) process.stderr.write(`${output.slice(-6000)}\n`);
}

/** The files of tests, in the short form of a part of them. */
function testsOf({ isLong }) {
  const names = readdirSync(join(ROOT, "test"), { recursive: true }).filter((name) => name.endsWith(".test.ts"));
  const isIn = (folders) => (file) => folders.some((folder) => file.startsWith(`${folder}/`));
  const isLeftOut = isIn(WITHOUT);
  return names.map((name) => `test/${name}`).filter(isLong ? (file) => !isLeftOut(file) : isIn(SHORT));
}
