/** Which plugins are found, and what is said of those that are broken. */
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { discoverPlugins } from "../../src/plugins/index.js";
import { emptyProject, pluginProject } from "../support/plugins.js";

t.test("packages of node_modules, scoped ones too, from a folder upwards; others are none", async (t) => {
  const { folder, write } = await pluginProject(t);
  await write("node_modules/plain/package.json", { name: "plain", dependencies: { headrace: "^0.1.0" } });
  await write("node_modules/.cache/package.json", { name: "cache", headrace: {} });
  await mkdir(join(folder, "node_modules", "no-package"));
  await symlink(join(folder, "gone"), join(folder, "node_modules", "dangling"));
  await mkdir(join(folder, "deep", "deeper"), { recursive: true });
  const plugins = discoverPlugins(join(folder, "deep", "deeper"));
  t.same(
    plugins.map(({ name, version, folder }) => [name, version, folder]),
    [
      ["@acme/vision", "0.0.1", join(folder, "node_modules", "@acme", "vision")],
      ["kit", "1.2.3", join(folder, "node_modules", "kit")],
    ],
  );
  const [vision, kit] = plugins;
  const module = join(folder, "node_modules", "@acme", "vision", "camera.js");
  t.same(vision?.entries, [{ kind: "sources", use: "@acme/vision/camera", module, exportName: "default" }]);
  t.same(
    kit?.entries.map(({ kind, use, exportName }) => [kind, use, exportName]),
    [
      ["drivers", "kit/feeder", "Feeder"],
      ["drivers", "kit/patient", "default"],
      ["drivers", "kit/failing", "default"],
      ["sources", "kit/numbers", "Numbers"],
      ["sinks", "kit/lines", "Lines"],
      ["cells", "kit/double", "Double"],
      ["pipelines", "kit/double", "default"],
      ["pipelines", "kit/thrower", "default"],
    ],
  );
  t.same([vision?.problems, kit?.problems], [[], []]);
});

t.test("the nearest package of a name hides the others, also where it is no plugin", async (t) => {
  const { folder, write } = await pluginProject(t);
  const version = (from: string) => discoverPlugins(from).find(({ name }) => name === "kit")?.version;
  await write("near/node_modules/kit/package.json", { version: "9.9.9", headrace: {} });
  t.equal(version(join(folder, "near")), "9.9.9");
  t.equal(version(folder), "1.2.3");
  await write("near/node_modules/kit/package.json", { version: "9.9.9" });
  t.equal(version(join(folder, "near")), undefined);
});

t.test("the package that one works in is a plugin too, from anywhere within it", async (t) => {
  const { folder, write } = await pluginProject(t);
  await write("package.json", { name: "own", headrace: { cells: { own: "./src/cell.js" } } });
  const module = await write("src/cell.js", "export default 1;");
  t.same(discoverPlugins(join(folder, "src"))[0]?.entries, [
    { kind: "cells", use: "own/own", module, exportName: "default" },
  ]);
  t.same(
    discoverPlugins(folder).map(({ name }) => name),
    ["own", "@acme/vision", "kit"],
  );
});

t.test("a linked package is found; a linked module that leaves its package is not", async (t) => {
  const { folder, write } = await emptyProject(t);
  await write("elsewhere/package.json", { headrace: { cells: { inside: "./in.js", outside: "./out.js" } } });
  await write("elsewhere/in.js", "");
  await symlink(await write("secret.js", ""), join(folder, "elsewhere", "out.js"));
  await mkdir(join(folder, "node_modules"));
  await symlink(join(folder, "elsewhere"), join(folder, "node_modules", "linked"));
  const [linked] = discoverPlugins(folder);
  t.same(
    linked?.entries.map(({ use }) => use),
    ["linked/inside"],
  );
  t.match(linked?.problems, [{ path: "headrace.cells.outside", message: /is a link that leaves the package/ }]);
});

const WRONG: readonly [headrace: unknown, path: string, message: RegExp][] = [
  [7, "headrace", /expected an object with some of drivers, sources, .* got 7/],
  [["./x.js"], "headrace", /expected an object/],
  [null, "headrace", /got null/],
  [{ driver: {} }, "headrace.driver", /unknown key; did you mean 'drivers'\?/],
  [{ drivers: "./x.js" }, "headrace.drivers", /expected an object of names and modules, got "\.\/x\.js"/],
  [{ drivers: { a: 1 } }, "headrace.drivers.a", /expected a string such as .* got 1/],
  [{ drivers: { a: "x.js" } }, "headrace.drivers.a", /begins with "\.\/".* got "x\.js"/],
  [{ drivers: { a: "/etc/passwd" } }, "headrace.drivers.a", /begins with "\.\/"/],
  [{ drivers: { a: "../kit/feeder.js" } }, "headrace.drivers.a", /begins with "\.\/"/],
  [{ drivers: { a: "./../kit/feeder.js" } }, "headrace.drivers.a", /leaves the package/],
  [{ drivers: { a: "./x/../../y.js" } }, "headrace.drivers.a", /leaves the package/],
  [{ drivers: { a: "./." } }, "headrace.drivers.a", /leaves the package/],
  [{ drivers: { a: "./lib" } }, "headrace.drivers.a", /is no file/],
  [{ drivers: { a: "./gone.js" } }, "headrace.drivers.a", /no file "\.\/gone\.js"; build the package/],
  [{ drivers: { a: "./lib/x.js#" } }, "headrace.drivers.a", /no export after '#'/],
  [{ drivers: { "a/b": "./lib/x.js" } }, "headrace.drivers.a/b", /expected a name of letters/],
  [JSON.parse('{"drivers":{"__proto__":"./lib/x.js"}}'), "headrace.drivers.__proto__", /expected a name/],
];

t.test("what is wrong with a plugin is told with the place, and its other entries can be used", async (t) => {
  for (const [field, path, message] of WRONG) {
    const { folder, write } = await emptyProject(t);
    const isObject = typeof field === "object" && field !== null && !Array.isArray(field);
    await write("node_modules/bad/lib/x.js", "");
    const headrace = isObject ? { ...field, cells: { fine: "./lib/x.js" } } : field;
    const manifest = await write("node_modules/bad/package.json", { name: "bad", headrace });
    const [bad] = discoverPlugins(folder);
    t.match(bad, { name: "bad", manifest, problems: [{ path, message }] }, JSON.stringify(field));
    t.equal(bad?.problems.length, 1);
    t.same(
      bad?.entries.map(({ use }) => use),
      isObject ? ["bad/fine"] : [],
    );
  }
});

t.test(
  "a package.json that cannot be read is a broken plugin where it mentions headrace, or cannot be opened",
  async (t) => {
    const { folder, write } = await emptyProject(t);
    await write("node_modules/half/package.json", '{ "headrace": {');
    await write("node_modules/other/package.json", "{ not ours");
    await mkdir(join(folder, "node_modules", "odd", "package.json"), { recursive: true });
    await write("node_modules/nobody/package.json", '["headrace"]');
    const plugins = discoverPlugins(folder);
    t.match(plugins, [
      { name: "half", entries: [], problems: [{ path: "", message: /cannot be read: .*JSON/ }] },
      { name: "odd", entries: [], problems: [{ path: "", message: /cannot be read: EISDIR/ }] },
    ]);
    t.equal(plugins.length, 2);
    await write("package.json", { headrace: {} });
    t.match(discoverPlugins(folder)[0], { name: folder, problems: [{ path: "name", message: /needs a name/ }] });
  },
);
