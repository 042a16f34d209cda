/** `headrace run` as people and supervisors do it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { HeadraceClient } from "../../src/client/index.js";
import { Command, headrace, headraceIn } from "../support/cli.js";
import { stepsTaken } from "../support/metrics.js";
import { fixture, GRU, VAD_MODULE } from "../support/paths.js";
import { pluginProject } from "../support/plugins.js";

const CELL = "version: 1\npipeline: { cell: kit/double }\n";
const PATIENT = "drivers: { cam: { use: kit/patient } }\n";

t.test("drivers, sources and sinks of a plugin; ends when they have ended", async (t) => {
  const { folder, write } = await pluginProject(t);
  const text = `version: 1
pipeline: { use: kit/double }
drivers:
  feed:
    use: kit/feeder
    options:
      sources: { n: { source: { use: kit/numbers, options: { count: 3 } } } }
      sinks: { out: { sink: { use: kit/lines, options: { path: "\${OUT:-out}.jsonl" } } } }
`;
  await write("conf/headrace.yaml", text);
  const run = await headraceIn(t, { cwd: folder, env: { OUT: "results" } }, "run", "conf/headrace.yaml");
  t.match(run, { code: 0, stderr: "", stdout: "  feed  runs\nheadrace: driver feed has ended\n" });
  const lines = await readFile(join(folder, "conf", "results.jsonl"), "utf8");
  t.same(lines, '{"value":0}\n{"value":3}\n{"value":6}\n', "relative to the file, with the module's parameters");
  await write("conf/headrace.yaml", text.replace("drivers:", "parameters: { double: { offset: 1 } }\ndrivers:"));
  t.match(
    await headraceIn(t, { cwd: join(folder, "conf") }, "run"),
    { code: 0 },
    "headrace.yaml where nothing is said",
  );
  t.equal(await readFile(join(folder, "conf", "out.jsonl"), "utf8"), '{"value":1}\n{"value":4}\n{"value":7}\n');
});

t.test("the built-in sources and sinks, and a module's own modelPath", async (t) => {
  const { folder, write } = await pluginProject(t);
  await write(
    "pipeline.mjs",
    `import { defineCell, Inference, Integer, PipelineFactory, String as Text } from "headrace";
const Where = defineCell({
  name: "Where",
  inputs: { n: Integer() },
  outputs: { path: Text() },
  load: ({ modelPath }) => modelPath,
  call: ({ resources }) => ({ path: resources }),
});
const factory = new PipelineFactory({ name: "where" });
const where = factory.addCell("where", Where);
const pipeline = factory.declareInput("n", where.inputs.n).declareOutput("path", where.outputs.path).build();
export default new Inference({ pipeline, modelPath: "/srv/models" });
`,
  );
  await write(
    "headrace.yaml",
    `version: 1
pipeline: ./pipeline.mjs
drivers:
  flow:
    use: source-sink
    restart: on-failure
    options:
      sources: { made: { source: { use: dummy, options: { count: 2 } } } }
      sinks: { out: { sink: { use: file, options: { path: out.jsonl } } } }
`,
  );
  t.match(await headraceIn(t, { cwd: folder }, "run"), { code: 0, stderr: "", stdout: /driver flow has ended/ });
  const lines = (await readFile(join(folder, "out.jsonl"), "utf8")).trimEnd().split("\n");
  t.equal(lines.length, 2);
  for (const line of lines) t.match(JSON.parse(line), { outputs: { path: "/srv/models" } });
});

t.test("--check loads and starts nothing; problems have their place", async (t) => {
  const { folder, write } = await pluginProject(t);
  await write("headrace.yaml", `${CELL}drivers:\n  a: { use: kit/failing }\n  b: { use: http }\n`);
  const cwd = { cwd: folder };
  t.match(await headraceIn(t, cwd, "run", "--check"), {
    code: 0,
    stderr: "",
    stdout: "headrace: headrace.yaml is fine: double with a, b\n",
  });
  const json = await headraceIn(t, cwd, "run", "--check", "--json");
  t.same(JSON.parse(json.stdout), {
    event: "checked",
    file: "headrace.yaml",
    pipeline: "double",
    drivers: { a: "kit/failing", b: "http" },
  });
  const bad =
    "feed: { use: kit/feeder, options: { sources: { n: { source: { use: kit/numbers, options: { count: x } } } } } }";
  await write("bad.yaml", `${CELL}drivers:\n  ${bad}\n`);
  const path = "drivers.feed.options.sources.n.source.options.count";
  for (const args of [
    ["run", "bad.yaml"],
    ["run", "--check", "bad.yaml"],
  ]) {
    t.match(await headraceIn(t, cwd, ...args), {
      code: 2,
      stdout: "",
      stderr: `headrace: INVALID_ARGUMENT: bad.yaml:4:101: ${path}: expected a number, got x\n`,
    });
  }
  const problems = await headraceIn(t, cwd, "run", "--json", "--check", "bad.yaml");
  t.equal(problems.code, 2);
  t.match(JSON.parse(problems.stdout), {
    event: "invalid",
    problems: [{ file: "bad.yaml", line: 4, column: 101, path, message: "expected a number, got x" }],
  });
  t.match(await headraceIn(t, cwd, "run", "gone.yaml"), { code: 2, stderr: /cannot read gone\.yaml: ENOENT/ });
  t.match(await headraceIn(t, cwd, "run", "no/gone.yaml"), { code: 2, stderr: /cannot read no\/gone\.yaml: ENOENT/ });
  t.match(await headraceIn(t, cwd, "run", "--grace", "long"), { code: 2, stderr: /--grace: expected a number/ });
});

t.test("a driver that fails makes it 1; one that cannot start ends it", async (t) => {
  const { folder, write } = await pluginProject(t);
  await write("headrace.yaml", `${CELL}drivers:\n  bad: { use: kit/failing }\n  feed: { use: kit/feeder }\n`);
  const quiet = { cwd: folder, env: { HEADRACE_LOG: "silent" } };
  t.match(await headraceIn(t, quiet, "run"), {
    code: 1,
    stdout: /driver feed has ended/,
    stderr: "headrace: driver bad failed: INTERNAL: the cable was pulled\n",
  });
  const events = (await headraceIn(t, quiet, "run", "--json")).stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const bad = events.find(({ event, driver }) => event === "ended" && driver === "bad");
  t.match(bad, { status: "failed", error: { code: "INTERNAL", message: "the cable was pulled" } });
  const early = `${CELL}drivers:\n  cam: { use: kit/patient }\n  bad: { use: kit/failing, options: { early: true } }\n`;
  await write("early.yaml", early);
  t.match(await headraceIn(t, quiet, "run", "early.yaml"), {
    code: 1,
    stdout: /draining\ndrained\n/,
    stderr: "headrace: INTERNAL: early.yaml:5:37: drivers.bad.options: no cable\n",
  });
});

t.test("--json says why nothing runs", async (t) => {
  const { folder, write } = await pluginProject(t);
  const early = `${CELL}drivers: { bad: { use: kit/failing, options: { early: true } } }\n`;
  await write("headrace.yaml", early);
  const { code, stdout } = await headraceIn(t, { cwd: folder }, "run", "--json");
  t.equal(code, 1);
  t.match(JSON.parse(stdout), { event: "failed", error: { code: "INTERNAL", message: /no cable$/ } });
});

t.test("SIGTERM and SIGINT drain", async (t) => {
  const { folder, write } = await pluginProject(t);
  await write("headrace.yaml", `${CELL}${PATIENT}`);
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const command = new Command(t, ["run"], { cwd: folder });
    t.ok(await command.saw(/^ {2}cam {2}camera on 127\.0\.0\.1:4711\n/));
    command.signal(signal);
    t.match(await command.exited, {
      code: 0,
      signal: null,
      stderr: "",
      stdout: /draining\ndrained\nheadrace: driver cam/,
    });
  }
});

t.test("a second signal ends at once", async (t) => {
  const { folder, write } = await pluginProject(t);
  await write("headrace.yaml", `${CELL}drivers: { cam: { use: kit/patient, options: { stubborn: true } } }\n`);
  const command = new Command(t, ["run"], { cwd: folder });
  await command.saw(/cam/);
  command.signal("SIGTERM");
  await command.saw(/draining/);
  command.signal("SIGTERM");
  t.match(await command.exited, { code: null, signal: "SIGTERM" });
});

t.test("what a driver leaves open does not keep it alive", async (t) => {
  const { folder, write } = await pluginProject(t);
  await write("headrace.yaml", `${CELL}drivers: { cam: { use: kit/patient, options: { leaky: true } } }\n`);
  t.match(await headraceIn(t, { cwd: folder }, "run"), {
    code: 0,
    stderr: /a plugin left Timeout open; ending anyway/,
  });
});

t.test("a bare model over HTTP: what was accepted is answered after SIGTERM", async (t) => {
  const { folder, write } = await pluginProject(t);
  const model = `{ model: ${fixture("busy")}, name: worker, execution: lanes, lanes: 1 }`;
  await write(
    "headrace.yaml",
    `version: 1\npipeline: ${model}\ndrivers:\n  web:\n    use: http\n    options: { port: 0 }\n`,
  );
  const command = new Command(t, ["run"], { cwd: folder });
  const [, url = ""] = await command.saw(/ {2}web {2}http on (http:\S+)\n/);
  const client = new HeadraceClient({ url, model: "worker" });
  const answers = Array.from({ length: 3 }, () => client.predict({ trips: [100_000] }));
  while ((await stepsTaken(url)) < 3) await new Promise((resolve) => setImmediate(resolve));
  command.signal("SIGTERM");
  for (const { y } of await Promise.all(answers)) t.same(y, [[32]]);
  t.match(await command.exited, { code: 0, stderr: "" });
});

t.test("a module's pipeline, and a file in this repository", async (t) => {
  const { write } = await pluginProject(t);
  const web = "drivers: { web: { use: http } }\n";
  const file = await write("headrace.yaml", `version: 1\npipeline: ${JSON.stringify(VAD_MODULE)}\n${web}`);
  t.match(await headrace(t, "run", "--check", file), { code: 0, stdout: /is fine: silero-vad with web/ });
  const bare = await write("gru.yaml", `version: 1\npipeline: { model: ${JSON.stringify(GRU)} }\n${web}`);
  t.match(await headrace(t, "run", "--check", bare), { code: 0, stdout: /is fine: gru512 with web/ });
});

t.test("help", async (t) => {
  const all = await headrace(t, "--help");
  for (const part of ["run [file]", "plugins", "init <name>", "headrace run --check", "headrace init my-plugin"]) {
    t.ok(all.stdout.includes(part), part);
  }
  const run = await headrace(t, "run", "--help");
  for (const part of ["--check", "--json", "--grace", "Examples:"]) t.ok(run.stdout.includes(part), part);
  for (const command of ["plugins", "init"]) {
    t.match(await headrace(t, command, "--help"), { code: 0, stdout: /Examples:\n {2}headrace / });
  }
});
