/** A project folder with plugins installed, as npm would leave it. */
import { cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Test } from "tap";
import { ROOT } from "./paths.js";

const FIXTURES = fileURLToPath(new URL("../fixtures/plugins/", import.meta.url));

export interface Project {
  readonly folder: string;
  /** Writes a file; its folders are made. Gives its absolute path. */
  write(path: string, content: string | object): Promise<string>;
}

/** An empty project, removed when its test ends. */
export async function emptyProject(t: Test): Promise<Project> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "headrace-")));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return {
    folder,
    async write(path, content) {
      const file = join(folder, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
      return file;
    },
  };
}

/** One with this headrace, the plugin `kit` and the plugin `@acme/vision`. */
export async function pluginProject(t: Test): Promise<Project> {
  const project = await emptyProject(t);
  const modules = join(project.folder, "node_modules");
  await mkdir(join(modules, "@acme"), { recursive: true });
  await symlink(ROOT, join(modules, "headrace"));
  await cp(join(FIXTURES, "kit"), join(modules, "kit"), { recursive: true });
  await cp(join(FIXTURES, "scoped"), join(modules, "@acme", "vision"), { recursive: true });
  return project;
}
