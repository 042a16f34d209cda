import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The version in package.json, which lies one folder above src/ and dist/ alike. */
function packageVersion(): string {
  const file = join(dirname(dirname(fileURLToPath(import.meta.url))), "package.json");
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return version;
}

export const VERSION = packageVersion();
