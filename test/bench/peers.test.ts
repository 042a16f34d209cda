/** The peers of `npm run bench:peers` are described, pinned, and refused when they are asked for by a wrong name. */

import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { ROOT } from "../support/paths.js";

const PEERS = join(ROOT, "bench", "peers");
const REQUIREMENTS = ["package.json", "requirements.in"];

const folders: string[] = [];
for (const entry of await readdir(PEERS, { withFileTypes: true })) {
  if (!entry.isDirectory()) continue;
  // What an earlier version had installed may still lie there.
  const files = await readdir(join(PEERS, entry.name));
  if (files.some((file) => REQUIREMENTS.includes(file))) folders.push(entry.name);
}

async function lines(...path: string[]): Promise<string[]> {
  const text = await readFile(join(PEERS, ...path), "utf8");
  return text.split("\n").filter((line) => line !== "");
}

/** What a failed run of the command said. */
async function failure(...options: string[]): Promise<{ code: unknown; stderr: unknown }> {
  try {
    await promisify(execFile)(process.execPath, [join(PEERS, "run.mjs"), ...options]);
  } catch (error) {
    if (error instanceof Error && "code" in error && "stderr" in error)
      return { code: error.code, stderr: error.stderr };
    throw error;
  }
  throw new Error(`${options.join(" ")} did not fail`);
}

t.test("each peer has a row in the README that tells its settings", async (t) => {
  const rows = (await lines("README.md")).filter((line) => line.startsWith("| `"));
  t.same(rows.map((row) => row.split("`")[1]).sort(), folders.toSorted());
});

t.test("each peer has everything pinned", async (t) => {
  for (const folder of folders) {
    const files = await readdir(join(PEERS, folder));
    if (!files.includes("requirements.txt")) {
      t.ok(files.includes("package-lock.json"), `${folder} has a lockfile`);
      continue;
    }
    const pinned = await lines(folder, "requirements.txt");
    t.same(
      pinned.filter((line) => !/^[\w.[\]-]+==[\w.]+( ; .+)?$/.test(line)),
      [],
      `${folder}: one version of each`,
    );
    const names = new Set(pinned.map((line) => line.replace(/[[=].*/, "")));
    const asked = (await lines(folder, "requirements.in")).map((line) => line.replace(/[[=].*/, ""));
    t.same(
      asked.filter((name) => !names.has(name)),
      [],
      `${folder}: what it asks for is there`,
    );
  }
});

t.test("a server that there is not is refused, and those there are named", async (t) => {
  const { code, stderr } = await failure("--only", "tomcat");
  t.equal(code, 2);
  t.match(stderr, /no server begins with "tomcat"; there are headrace, /);
  for (const folder of folders) t.ok(String(stderr).includes(folder), folder);
});

t.test("an option that there is not is refused", async (t) => {
  const { code, stderr } = await failure("--fast");
  t.equal(code, 2);
  t.match(stderr, /--help/);
});
