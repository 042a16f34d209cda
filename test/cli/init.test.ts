/** `headrace init`, and that what it makes works: its build, its tests, its headrace.yaml. */
import { execFile } from "node:child_process";
import { mkdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { VERSION } from "../../src/version.js";
import { headraceIn } from "../support/cli.js";
import { ROOT } from "../support/paths.js";
import { emptyProject } from "../support/plugins.js";

/** As `npm install` would, but with what is here already. */
async function install(folder: string): Promise<void> {
  const modules = join(folder, "node_modules");
  await mkdir(join(modules, "@types"), { recursive: true });
  await symlink(ROOT, join(modules, "headrace"));
  for (const name of ["typescript", "@types/node"]) {
    await symlink(join(ROOT, "node_modules", name), join(modules, name));
  }
  await mkdir(join(modules, ".bin"));
  await symlink("../typescript/bin/tsc", join(modules, ".bin", "tsc"));
}

t.test("a new plugin builds, passes its tests, is found, and runs its headrace.yaml", async (t) => {
  const { folder } = await emptyProject(t);
  const made = await headraceIn(t, { cwd: folder }, "init", "@acme/levels", "--headrace", 'file:/src/"headrace"');
  t.match(made, {
    code: 0,
    stderr: "",
    stdout: /made @acme\/levels\n {2}levels\/\.gitignore\n.*next:\n {2}cd levels\n/s,
  });
  const plugin = join(folder, "levels");
  t.match(JSON.parse(await readFile(join(plugin, "package.json"), "utf8")), {
    name: "@acme/levels",
    peerDependencies: { headrace: `^${VERSION}` },
    devDependencies: { headrace: 'file:/src/"headrace"' },
  });
  await install(plugin);
  // The tests' own runner tells its children about itself; node:test must not hear of it.
  const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
  const { stdout } = await promisify(execFile)("npm", ["test"], { cwd: plugin, env: { ...env, TAP: "0" } });
  t.match(stdout, /pass 4\n/);
  t.match(stdout, /fail 0\n/);
  t.match(await headraceIn(t, { cwd: plugin }, "plugins"), {
    code: 0,
    stdout: /\n@acme\/levels 0\.1\.0 .*\n {2}drivers {4}@acme\/levels\/wave\n {2}cells {6}@acme\/levels\/smooth\n/,
  });
  t.match(await headraceIn(t, { cwd: plugin }, "run", "--check"), { code: 0, stdout: /smooth with wave/ });
  const run = await headraceIn(t, { cwd: plugin, env: { STEPS: "3" } }, "run");
  t.match(run, { code: 0, stderr: "", stdout: /^\{"step":0,.*\n([^{].*\n)*\{"step":1,.*\n([^{].*\n)*\{"step":2,/m });
  // The driver writes as soon as it runs, so perhaps before it is said to.
  t.match(run.stdout, /^ {2}wave {2}runs$/m);
  t.match(run.stdout, /\nheadrace: driver wave has ended\n$/);
});

t.test("asks for this version where nothing is said", async (t) => {
  const { folder } = await emptyProject(t);
  t.equal((await headraceIn(t, { cwd: folder }, "init", "mine")).code, 0);
  const manifest = await readFile(join(folder, "mine", "package.json"), "utf8");
  t.match(JSON.parse(manifest), { name: "mine", devDependencies: { headrace: `^${VERSION}` } });
  for (const file of ["README.md", "headrace.yaml", "src/wave-driver.ts"]) {
    t.notMatch(await readFile(join(folder, "mine", file), "utf8"), /\{\{/, file);
  }
});

t.test("refuses what is no name, and to write over anything", async (t) => {
  const { folder, write } = await emptyProject(t);
  for (const name of ["../up", "Upper", "a/b", "@acme", ".hidden", "a b", "x".repeat(215)]) {
    t.match(
      await headraceIn(t, { cwd: folder }, "init", name),
      { code: 2, stderr: /no name for an npm package/ },
      name,
    );
  }
  await write("mine/notes.txt", "precious");
  t.match(await headraceIn(t, { cwd: folder }, "init", "mine"), {
    code: 2,
    stderr: /mine is there already and not empty/,
  });
  t.match(await headraceIn(t, { cwd: folder }, "init"), { code: 2, stderr: /missing required args/ });
  await mkdir(join(folder, "empty"));
  t.equal((await headraceIn(t, { cwd: folder }, "init", "empty")).code, 0, "an empty folder is fine");
});
