import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { CAC } from "cac";
import { InvalidArgumentError } from "../errors.js";
import { VERSION } from "../version.js";
import { bold } from "./style.js";

/** The files of a new plugin, beside package.json. */
const TEMPLATE = fileURLToPath(new URL("../../templates/plugin/", import.meta.url));

/** Template files that could not have their own name: npm would take them for this package's. */
const RENAMED: Readonly<Record<string, string>> = { gitignore: ".gitignore", "package.template.json": "package.json" };

const NAME = /^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;
const MAX_NAME = 214;

export function registerInit(cli: CAC): void {
  cli
    .command("init <name>", "Make a folder with a plugin package: a cell, a driver, tests and a headrace.yaml")
    .option(
      "--headrace <spec>",
      "What its package.json asks of npm for headrace, e.g. file:/path (default: this version)",
    )
    .example("  headrace init my-plugin")
    .example("  headrace init @acme/levels          in the folder levels")
    .example("  headrace init my-plugin --headrace file:/src/headrace")
    .action(init);
}

async function init(name: string, options: { headrace?: string }): Promise<void> {
  if (!NAME.test(name) || name.length > MAX_NAME) {
    const message = `'${name}' is no name for an npm package; use lower-case letters, digits and '-', e.g. my-plugin`;
    throw new InvalidArgumentError(message, { path: "name" });
  }
  const folder = basename(name);
  if (existsSync(folder) && (await readdir(folder).catch(() => ["a file"])).length > 0) {
    const message = `${folder} is there already and not empty; choose another name, or remove it`;
    throw new InvalidArgumentError(message, { path: "name" });
  }
  const values = { name, version: `^${VERSION}`, headrace: options.headrace ?? `^${VERSION}` };
  const files = await templateFiles();
  for (const file of files) await write(file, folder, values);
  const listed = files.map((file) => `  ${join(folder, target(file))}\n`).sort();
  process.stdout.write(
    `headrace: made ${bold(name)}\n${listed.join("")}\nnext:\n  cd ${folder}\n  npm install\n  npm test\n  npx headrace run\n`,
  );
}

/** Paths relative to the template's folder. */
async function templateFiles(): Promise<string[]> {
  const entries = await readdir(TEMPLATE, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(TEMPLATE, join(entry.parentPath, entry.name)));
}

function target(file: string): string {
  return RENAMED[file] ?? file;
}

/** One file, its `{{name}}`s replaced. Refuses to write over another. */
async function write(file: string, folder: string, values: Readonly<Record<string, string>>): Promise<void> {
  const template = await readFile(join(TEMPLATE, file), "utf8");
  const text = template.replaceAll(/\{\{(\w+)\}\}/g, (whole, key: string) => {
    const value = values[key] ?? whole;
    // In JSON they stand within quotes.
    return file.endsWith(".json") ? JSON.stringify(value).slice(1, -1) : value;
  });
  const path = join(folder, target(file));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text, { flag: "wx" });
}
