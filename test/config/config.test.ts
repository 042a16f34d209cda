// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the references of a headrace.yaml
/** What a headrace.yaml becomes. Drivers of plugins are tested through the command, whose headrace they share. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import t from "tap";
import { parse } from "yaml";
import type { HeadraceConfig, ModelConfig } from "../../src/config/index.js";
import { loadConfig } from "../../src/config/index.js";
import { ROOT, SILERO } from "../support/paths.js";
import { pluginProject } from "../support/plugins.js";

const SCHEMA = JSON.parse(await readFile(join(ROOT, "schema/headrace.schema.json"), "utf8")) as {
  properties: object;
  $defs: Record<string, { properties: object }>;
};

t.test("drivers in their order, their options with the environment in them", async (t) => {
  const { write } = await pluginProject(t);
  const file = await write(
    "headrace.yaml",
    [
      "version: 1",
      "pipeline: { cell: kit/double }",
      "parameters: { cell: { factor: 5 } }",
      "stateTtlSeconds: ${TTL:-2.5}",
      "maxStates: 7",
      "evict: lru",
      "stallSeconds: 90",
      "drivers:",
      "  second: { use: http, options: { port: 0, host: '${HOST}' } }",
      "  first:",
      "    use: http",
      "    options: &same",
      "      port: ${PORT}",
      "  third: { use: http, options: *same }",
      "  fourth: { use: http }",
    ].join("\n"),
  );
  const { inference, drivers } = await loadConfig(file, { environment: { HOST: "::1", PORT: "9000" } });
  t.match(inference, {
    parameters: { cell: { factor: 5 } },
    stateTtlSeconds: 2.5,
    maxStates: 7,
    evict: "lru",
    stallSeconds: 90,
  });
  t.same(Object.keys(inference.pipeline.inputs), ["value"]);
  t.same(Object.keys(inference.pipeline.outputs), ["value"]);
  t.same(
    drivers.map(({ ref, use, driver, options }) => [ref, use, driver.name, options]),
    [
      ["second", "http", "HttpDriver", { port: 0, host: "::1" }],
      ["first", "http", "HttpDriver", { port: 9000 }],
      ["third", "http", "HttpDriver", { port: 9000 }],
      ["fourth", "http", "HttpDriver", {}],
    ],
  );
});

t.test("a bare model: its ports, its name, and the file's state options", async (t) => {
  const { write } = await pluginProject(t);
  const load = async (pipeline: string) => {
    const text = `version: 1\npipeline: ${pipeline}\nmaxStates: 3\nevict: lru\ndrivers: { web: { use: http } }\n`;
    return (await loadConfig(await write("conf/headrace.yaml", text))).inference.pipeline;
  };
  await write("conf/my.onnx", "");
  await t.rejects(load("{ model: my.onnx }"), { code: "MODEL_INVALID" }, "relative to the file");
  const bare = await load(`{ model: ${SILERO}, constants: { sr: 16000 }, context: { input: 64 } }`);
  t.equal(bare.name, "silero_vad_16k_op15");
  t.same([Object.keys(bare.inputs), Object.keys(bare.outputs)], [["input"], ["output"]]);
  t.match(bare.cells.model, { maxStates: 3, evict: "lru", stateTtlSeconds: 60 });
  const named = await load(
    `{ model: ${SILERO}, name: vad, inputs: { audio: input }, outputs: { speech: output }, constants: { sr: 16000 }, state: [{ input: state, output: stateN }], batching: { maxSize: 8 }, execution: lanes, lanes: 1 }`,
  );
  t.equal(named.name, "vad");
  t.same([Object.keys(named.inputs), Object.keys(named.outputs)], [["audio"], ["speech"]]);
  t.match(named.cells.model, { execution: "lanes", lanes: 1, batching: { maxSize: 8 } });
});

t.test("the published schema is one, and is what the loader's types say", async (t) => {
  new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allowUnionTypes: true }).compile(SCHEMA);
  const top: Record<keyof HeadraceConfig, true> = {
    version: true,
    pipeline: true,
    parameters: true,
    stateTtlSeconds: true,
    maxStates: true,
    evict: true,
    stallSeconds: true,
    drivers: true,
  };
  const model: Record<keyof ModelConfig | "use" | "cell", true> = {
    use: true,
    cell: true,
    model: true,
    name: true,
    inputs: true,
    outputs: true,
    constants: true,
    state: true,
    context: true,
    batching: true,
    accelerator: true,
    execution: true,
    lanes: true,
    intraOpThreads: true,
    queueSize: true,
    queueBytes: true,
  };
  t.same(Object.keys(SCHEMA.properties).sort(), Object.keys(top).sort());
  t.same(Object.keys(SCHEMA.$defs.pipeline?.properties ?? {}).sort(), Object.keys(model).sort());
});

t.test("docs/configuration.md names every key, and its examples fit the schema", async (t) => {
  const page = await readFile(join(ROOT, "docs/configuration.md"), "utf8");
  const validate = new Ajv2020({ strictTypes: false, allowUnionTypes: true }).compile(SCHEMA);
  const keys = [...Object.keys(SCHEMA.properties), ...Object.keys(SCHEMA.$defs.pipeline?.properties ?? {})];
  for (const key of keys) t.match(page, new RegExp(`\`${key}\``), key);
  const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = ""]) => text);
  const whole = examples.filter((text) => /^version: 1$/m.test(text));
  t.ok(whole.length >= 2, "examples were found");
  // As an editor sees them: the environment is not known to it.
  for (const text of whole) t.ok(validate(parse(text)), `${text}: ${JSON.stringify(validate.errors)}`);
});
