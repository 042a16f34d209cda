/**
 * `npm run test:trust`: what must hold under overload, faults and hostile input. Every script is a process of its own.
 *
 *   npm run test:trust [-- --long] [--only NAME] [--seed N] [--write] [-- options of the scripts' own]
 *
 * Ends with one line, `N passed, N failed`, where N counts pass lines.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { dirname, join, parse } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { updatePage } from "./lib/page.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const RESULTS = join(HERE, "results.json");

const HELP = `Usage: npm run test:trust -- [options]        (build Headrace first: npm run build)

  --long        the long form of every script, for hours
  --only NAME   only the scripts whose name begins with NAME; may be given several times
  --seed N      of everything random (default 1)
  --write       keep the figures: test/trust/results.json and docs/reliability.md
  --help        this text
  -- ...        handed to the scripts

Examples:
  npm run test:trust
  npm run test:trust -- --only poison
  npm run test:trust -- --long --only overload --write
  npm run test:trust -- --long --only fuzz --write -- --jobs 4
`;

/** The report of one script, or one that says why there is none. */
function runScript(name, options) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(HERE, `${name}.mjs`), ...options], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
    child.once("close", (status, signal) => resolve(readReport(name, output, status ?? signal)));
  });
}

function readReport(name, output, status) {
  try {
    return JSON.parse(output.trimEnd().split("\n").at(-1) ?? "");
  } catch {
    const line = {
      what: "the script itself",
      goal: "ends with a report",
      measured: `ended with ${status}`,
      passed: false,
    };
    return { name, form: "short", seed: 0, seconds: 0, figures: {}, lines: [line] };
  }
}

function keep(reports) {
  const kept = existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, "utf8")) : {};
  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Linux ${release()}, Node ${process.version}`;
  const date = new Date().toISOString().slice(0, 10);
  for (const report of reports) kept[report.name] = { date, machine, ...report };
  writeFileSync(RESULTS, `${JSON.stringify(kept, null, 2)}\n`);
  updatePage(kept);
}

const { values, positionals: handed } = parseArgs({
  allowPositionals: true,
  options: {
    long: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
    seed: { type: "string", default: "1" },
    write: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const names = readdirSync(HERE)
  .filter((file) => file.endsWith(".mjs") && file !== "run.mjs")
  .map((file) => parse(file).name)
  .filter((name) => values.only.length === 0 || values.only.some((start) => name.startsWith(start)));
if (names.length === 0) {
  process.stderr.write(`no script's name begins with '${values.only.join("', '")}'\n`);
  process.exit(2);
}

const reports = [];
for (const name of names) {
  process.stderr.write(`=== ${name}\n`);
  reports.push(await runScript(name, [...(values.long ? ["--long"] : []), "--seed", values.seed, ...handed]));
}
if (values.write) keep(reports);
const lines = reports.flatMap((report) => report.lines);
const passed = lines.filter((line) => line.passed).length;
process.stdout.write(`${passed} passed, ${lines.length - passed} failed\n`);
process.exitCode = passed === lines.length ? 0 : 1;
