/** `headrace plugins` as people type it. */
import { join } from "node:path";
import t from "tap";
import { headraceIn } from "../support/cli.js";
import { emptyProject, pluginProject } from "../support/plugins.js";

t.test("what is installed, for people", async (t) => {
  const { folder, write } = await pluginProject(t);
  await write("node_modules/bad/package.json", { headrace: { drivers: { a: "../../../etc/passwd" } } });
  await write("node_modules/worse/package.json", '{ "headrace": ');
  const { code, stdout, stderr } = await headraceIn(t, { cwd: folder }, "plugins");
  t.match({ code, stderr }, { code: 0, stderr: "" });
  t.match(stdout, /^built in\n {2}drivers {2}grpc, http, source-sink, stress\n/);
  t.match(stdout, /\nkit 1\.2\.3 {2}.*node_modules\/kit\n {2}drivers {4}kit\/feeder, kit\/patient, kit\/failing\n/);
  t.match(stdout, /\n@acme\/vision 0\.0\.1 .*\n {2}sources {2}@acme\/vision\/camera\n/);
  t.match(stdout, /\n {2}problem: .*bad\/package\.json: headrace\.drivers\.a: .*begins with ".\/"/);
  t.match(stdout, /\n {2}problem: .*worse\/package\.json: cannot be read/);
  const nothing = await headraceIn(t, { cwd: (await emptyProject(t)).folder }, "plugins");
  t.match(nothing, { code: 0, stdout: /no plugins are installed here/ });
});

t.test("what is installed, for programs", async (t) => {
  const { folder, write } = await pluginProject(t);
  await write("node_modules/bad/package.json", { headrace: 7 });
  const { code, stdout } = await headraceIn(t, { cwd: folder }, "plugins", "--json");
  t.equal(code, 0);
  const { builtIn, plugins } = JSON.parse(stdout);
  t.match(builtIn.drivers.http, { module: /drivers\/http\/index\.js$/, export: "HttpDriver" });
  t.same(
    plugins.map(({ name }: { name: string }) => name),
    ["@acme/vision", "bad", "kit"],
  );
  t.match(plugins[1], { folder: join(folder, "node_modules", "bad"), drivers: {}, problems: [{ path: "headrace" }] });
  t.match(plugins[2], {
    version: "1.2.3",
    problems: [],
    sinks: { "kit/lines": { module: join(folder, "node_modules", "kit", "ends.js"), export: "Lines" } },
  });
});
