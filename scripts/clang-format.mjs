/** Checks (or with --write, sets) the format of the C++ sources by .clang-format. */
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** One major version, so that everybody's formatter agrees. */
const NAMES = ["clang-format-16", "clang-format"];

const files = spawnSync("git", ["ls-files", "native/**.cc", "native/**.h", "bench/native/*.cpp", "bench/native/*.h"], {
  cwd: ROOT,
  encoding: "utf8",
});
const sources = files.stdout.split("\n").filter((name) => name !== "");
const formatter = NAMES.find((name) => spawnSync(name, ["--version"], { encoding: "utf8" }).stdout?.includes(" 16."));
if (formatter === undefined) {
  const message = "clang-format 16 was not found (Debian: apt-get install clang-format-16)";
  process.stderr.write(`${message}\n`);
  process.exit(process.env.CI ? 1 : 0);
}
const mode = process.argv.includes("--write") ? ["-i"] : ["--dry-run", "-Werror"];
process.exitCode = spawnSync(formatter, [...mode, ...sources], { cwd: ROOT, stdio: "inherit" }).status ?? 1;
