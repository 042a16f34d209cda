/**
 * Looks over the C++ sources with clang-tidy, by .clang-tidy: every finding is an error.
 *
 *   node scripts/clang-tidy.mjs [--jobs N] [PART-OF-A-PATH ...]
 *
 * Configures the whole native build for clang in build/clang-tidy, and builds nothing. The addon must have been built before: from
 * its build is known where Node's headers are.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ensureHeaders } from "./onnxruntime-headers.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const BUILD = join(ROOT, "build", "clang-tidy");
const ADDON_CACHE = join(ROOT, "build", "native", "CMakeCache.txt");

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

/** Where Node's headers are. */
function nodeHeaders() {
  const cache = existsSync(ADDON_CACHE) ? readFileSync(ADDON_CACHE, "utf8") : "";
  const folders = /^CMAKE_JS_INC:[A-Z]+=(.+)$/m.exec(cache)?.[1];
  if (folders === undefined) fail("the addon has not been built: npm run build:native");
  return folders;
}

/** The sources as the compiler would be called for them. */
async function sources() {
  mkdirSync(BUILD, { recursive: true });
  const args = [
    ...["-S", ROOT, "-B", BUILD, "-DCMAKE_CXX_COMPILER=clang++-16", "-DHEADRACE_TESTS=ON", "-DHEADRACE_FUZZ=ON"],
    ...[`-DONNXRUNTIME_INCLUDE_DIR=${await ensureHeaders()}`, `-DCMAKE_JS_INC=${nodeHeaders()}`],
  ];
  const { status, stdout, stderr } = spawnSync("cmake", args, { encoding: "utf8" });
  if (status !== 0) fail(`${stdout}${stderr}`);
  const commands = JSON.parse(readFileSync(join(BUILD, "compile_commands.json"), "utf8"));
  const files = new Set(commands.map(({ file }) => relative(ROOT, file)));
  return [...files].filter((file) => file.startsWith("native/")).sort();
}

/** What it has to say of a source; "" for nothing. */
function look(file) {
  return new Promise((resolve, reject) => {
    const child = spawn("clang-tidy-16", ["-p", BUILD, "--quiet", file], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      errors += text;
    });
    child.once("error", reject);
    // Standard error only counts what was suppressed, unless it fails.
    child.once("close", (status) => resolve(status === 0 ? said : said || errors || `${file}: ended with ${status}\n`));
  });
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { jobs: { type: "string", default: String(availableParallelism()) } },
});
for (const tool of ["clang-tidy-16", "clang++-16"]) {
  if (spawnSync(tool, ["--version"]).status === 0) continue;
  fail(`${tool} was not found (Debian: apt-get install clang-tidy-16 clang-16)`);
}
const files = (await sources()).filter(
  (file) => positionals.length === 0 || positionals.some((part) => file.includes(part)),
);
if (files.length === 0) fail(`no source's path has '${positionals.join("' or '")}' in it`);
// A finding in a header is told with each source that includes it.
const findings = new Set();
const tell = (finding) => {
  if (finding === "" || findings.has(finding)) return;
  findings.add(finding);
  process.stdout.write(finding.replaceAll(`${ROOT}/`, ""));
};
let next = 0;
const worker = async () => {
  while (next < files.length) {
    const said = await look(files[next++]);
    for (const finding of said.split(/^(?=\/[^\n]*: (?:error|warning): )/m)) tell(finding);
  }
};
await Promise.all(Array.from({ length: Number(values.jobs) }, worker));
process.stdout.write(`${files.length} sources, ${findings.size} findings\n`);
process.exitCode = findings.size === 0 ? 0 : 1;
