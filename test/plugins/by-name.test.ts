/** From names to what they stand for. Drivers of plugins are tested through the command, whose headrace they share. */
import t from "tap";
import { HttpDriver } from "../../src/drivers/http/index.js";
import { BUILT_IN, discoverPlugins, findPlugin, loadModule, loadPlugin } from "../../src/plugins/index.js";
import { emptyProject, pluginProject } from "../support/plugins.js";

t.test("built-in names are known everywhere", async (t) => {
  t.equal(await loadPlugin([], "drivers", "http"), HttpDriver);
  const names = BUILT_IN.map(({ kind, use }) => `${kind} ${use}`);
  t.same(names, [
    "drivers grpc",
    "drivers http",
    "drivers source-sink",
    "drivers stress",
    "sources dummy",
    "sources file",
    "sinks dummy",
    "sinks file",
  ]);
});

t.test("a plugin's export is loaded when it is asked for, and nothing else of the package", async (t) => {
  const { folder } = await pluginProject(t);
  const plugins = discoverPlugins(folder);
  const Camera = await loadPlugin(plugins, "sources", "@acme/vision/camera");
  t.match(new Camera({ rate: 3 }), { options: { rate: 3 } });
  const double = await loadPlugin(plugins, "cells", "kit/double");
  t.match(double, { kind: "function", name: "double" });
  t.equal(findPlugin(plugins, "pipelines", "kit/thrower").use, "kit/thrower", "finding loads nothing");
  await t.rejects(loadPlugin(plugins, "pipelines", "kit/thrower"), {
    code: "INVALID_ARGUMENT",
    message: /^cannot load 'kit\/thrower' \(.*thrower\.js\): loaded, though nobody asked$/,
  });
});

t.test("a name that is not known, or of another kind, or broken", async (t) => {
  const { folder, write } = await pluginProject(t);
  await write("node_modules/bad/package.json", { headrace: { drivers: { gone: "./gone.js" } } });
  await write("node_modules/worse/package.json", '{ "headrace": ');
  const plugins = discoverPlugins(folder);
  const refused = (kind: "drivers" | "sources", use: string, message: RegExp) =>
    t.throws(() => findPlugin(plugins, kind, use), { code: "INVALID_ARGUMENT", message }, use);
  refused("drivers", "htp", /there is no driver 'htp'; did you mean 'http'\? \(known: grpc, http, .*kit\/feeder/);
  refused("drivers", "kit/feder", /did you mean 'kit\/feeder'\?/);
  refused("sources", "kit/lines", /there is no source 'kit\/lines'; it is a sink; known: dummy, file, /);
  refused(
    "drivers",
    "bad/gone",
    /the driver 'bad\/gone' is broken: .*bad\/package\.json: headrace\.drivers\.gone: there is no/,
  );
  refused("drivers", "worse/any", /the driver 'worse\/any' is broken: .*worse\/package\.json: cannot be read/);
  refused("drivers", "toString", /there is no driver 'toString'/);
});

t.test("an export must be what it is said to be", async (t) => {
  const { write } = await emptyProject(t);
  const module = await write(
    "m.mjs",
    "export class Alien { run() {} stop() {} }\nexport const number = 7;\nexport const arrow = () => 7;\nexport default {};",
  );
  const refused = (kind: "drivers" | "sources" | "cells" | "pipelines", name: string, message: RegExp) =>
    t.rejects(loadModule(kind, module, name, "m.mjs"), { code: "INVALID_ARGUMENT", message }, `${kind} ${name}`);
  await refused(
    "drivers",
    "Alien",
    /m\.mjs must export as 'Alien' a class that extends PipelineDriver, .*peerDependencies/,
  );
  await refused("drivers", "arrow", /a class that extends PipelineDriver/);
  await refused("sources", "number", /a class whose constructor takes the options/);
  await refused("sources", "arrow", /a class whose constructor/);
  await refused("cells", "default", /m\.mjs must default-export a cell/);
  await refused("pipelines", "arrow", /an Inference, a Pipeline or a function that returns one/);
  await refused("pipelines", "missing", /m\.mjs has no export 'missing'; it exports Alien, arrow, default, number/);
  await refused("pipelines", "toString", /has no export 'toString'/);
});

t.test("a pipeline made with another copy of headrace is refused with the reason", async (t) => {
  const { folder } = await pluginProject(t);
  // The plugin imports what was built, this test the sources: two copies.
  await t.rejects(loadPlugin(discoverPlugins(folder), "pipelines", "kit/double"), {
    message: /so that there is one copy/,
  });
});
