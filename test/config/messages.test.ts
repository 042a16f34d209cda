/** What is wrong with a headrace.yaml, each with its line, its column, its path and what to do. */
import t from "tap";
import { ConfigInvalidError, type ConfigProblem, loadConfig } from "../../src/config/index.js";
import { pluginProject } from "../support/plugins.js";

const HEAD = "version: 1\npipeline: { cell: kit/double }\n";
const DRIVER = "drivers:\n  web: { use: http }\n";

/** A name, a file, and the one problem that it has. */
const WRONG: readonly [what: string, text: string, line: number, column: number, path: string, message: RegExp][] = [
  // YAML
  ["an empty file", "", 1, 1, "", /expected keys and values, got nothing/],
  ["a list", "- 1\n", 1, 1, "", /expected keys and values, got \[1\]/],
  ["a key twice", `${HEAD}${DRIVER}version: 1\n`, 5, 1, "", /the key 'version' is there already; give it once/],
  ["a key twice, further in", `${HEAD}drivers:\n  a: { use: http }\n  a: { use: http }\n`, 5, 3, "", /the key 'a'/],
  ["a tab", "version: 1\n\tpipeline: x\n", 2, 1, "", /a tab; indent with spaces/],
  ["an open quote", 'version: "1\n', 2, 1, "", /[Mm]issing closing "quote/],
  ["two documents", `${HEAD}${DRIVER}---\nversion: 1\n`, 5, 1, "", /remove the '---'/],
  ["a tag", "version: !int 1\n", 1, 10, "", /tags have no meaning here/],
  ["no anchor", "version: *one\n", 1, 10, "version", /there is no anchor '&one' before this alias/],
  ["an endless alias", "version: 1\npipeline: &p { cell: *p }\n", 2, 22, "pipeline.cell", /part of what it stands for/],
  ["a reference in braces", `${HEAD}drivers: { web: { use: \${X} } }\n`, 3, 25, "", /write "\$\{NAME\}" with quotes/],
  ["__proto__", `${HEAD}${DRIVER}__proto__: 1\n`, 5, 1, "__proto__", /cannot be a name/],
  // the environment
  [
    "a variable that is not set",
    `${HEAD}${DRIVER}maxStates: \${MANY}\n`,
    5,
    12,
    "maxStates",
    /MANY is not set; set it, or write \$\{MANY:-default\}/,
  ],
  [
    "no name",
    `${HEAD}${DRIVER}evict: "a \${9} b"\n`,
    5,
    8,
    "evict",
    /expected \$\{NAME\} or .*, got '\$\{9\}'; write \$\$\{/,
  ],
  ["no end", `${HEAD}${DRIVER}evict: "\${SET"\n`, 5, 8, "evict", /got '\$\{SET'/],
  // the schema
  ["no drivers", HEAD, 1, 1, "drivers", /is missing; add it/],
  ["no driver", `${HEAD}drivers: {}\n`, 3, 10, "drivers", /is empty; name at least one/],
  ["an unknown key", `${HEAD}${DRIVER}maxStats: 3\n`, 5, 1, "maxStats", /unknown key; did you mean 'maxStates'\?/],
  [
    "an unknown key, unlike any",
    `${HEAD}${DRIVER}colour: red\n`,
    5,
    1,
    "colour",
    /unknown key; known: version, pipeline/,
  ],
  ["another version", `version: 2\npipeline: { cell: kit/double }\n${DRIVER}`, 1, 10, "version", /expected 1, got 2/],
  [
    "a wrong type",
    `${HEAD}${DRIVER}stateTtlSeconds: soon\n`,
    5,
    18,
    "stateTtlSeconds",
    /expected a number, got "soon"/,
  ],
  [
    "a string of a number",
    `${HEAD}${DRIVER}stateTtlSeconds: "\${SET}"\n`,
    5,
    18,
    "stateTtlSeconds",
    /expected a number, got "7"/,
  ],
  [
    "out of range",
    `${HEAD}${DRIVER}stateTtlSeconds: 0\n`,
    5,
    18,
    "stateTtlSeconds",
    /expected a number above 0, got 0/,
  ],
  ["no integer", `${HEAD}${DRIVER}maxStates: 1.5\n`, 5, 12, "maxStates", /expected an integer, got 1\.5/],
  ["too small", `${HEAD}${DRIVER}maxStates: 0\n`, 5, 12, "maxStates", /expected at least 1, got 0/],
  [
    "no choice",
    `${HEAD}${DRIVER}evict: lruu\n`,
    5,
    8,
    "evict",
    /expected one of refuse, lru, got "lruu"; did you mean 'lru'\?/,
  ],
  [
    "nothing after the colon",
    `${HEAD}drivers:\n  web:\n`,
    4,
    7,
    "drivers.web",
    /expected keys and values, got nothing/,
  ],
  ["no use", `${HEAD}drivers:\n  web:\n    options: {}\n`, 4, 3, "drivers.web.use", /is missing; add it/],
  [
    "use that is no string",
    `${HEAD}drivers:\n  web: { use: 1 }\n`,
    4,
    15,
    "drivers.web.use",
    /expected a string, got 1/,
  ],
  [
    "a misspelt option key",
    `${HEAD}drivers:\n  web: { use: http, option: {} }\n`,
    4,
    21,
    "drivers.web.option",
    /did you mean 'options'\?/,
  ],
  ["an odd name", `${HEAD}drivers:\n  "my web": { use: 1 }\n`, 4, 20, 'drivers["my web"].use', /expected a string/],
  [
    "no form of pipeline",
    `version: 1\npipeline: { name: x }\n${DRIVER}`,
    2,
    11,
    "pipeline",
    /exactly one of use, cell, model/,
  ],
  [
    "two forms of pipeline",
    `version: 1\npipeline: { use: a/b, model: c }\n${DRIVER}`,
    2,
    11,
    "pipeline",
    /exactly one of use, cell, model/,
  ],
  [
    "a model's key without a model",
    `version: 1\npipeline:\n  use: kit/double\n  lanes: 2\n${DRIVER}`,
    4,
    3,
    "pipeline.lanes",
    /goes with 'model' only/,
  ],
  [
    "a misspelt model key",
    `version: 1\npipeline:\n  model: x.onnx\n  batching: { maxsize: 2 }\n${DRIVER}`,
    4,
    15,
    "pipeline.batching.maxsize",
    /did you mean 'maxSize'\?/,
  ],
  ["parameters of no cell", `${HEAD}${DRIVER}parameters: 3\n`, 5, 13, "parameters", /expected keys and values, got 3/],
  [
    "no source",
    `${HEAD}drivers:\n  a: { use: source-sink, options: { sources: { b: { sourc: 1 } } } }\n`,
    4,
    48,
    "drivers.a.options.sources.b.source",
    /is missing/,
  ],
  [
    "a source without use",
    `${HEAD}drivers:\n  a: { use: source-sink, options: { sinks: { b: { sink: {} } } } }\n`,
    4,
    51,
    "drivers.a.options.sinks.b.sink.use",
    /is missing/,
  ],
  // names
  [
    "an unknown driver",
    `${HEAD}drivers:\n  web: { use: htp }\n`,
    4,
    15,
    "drivers.web.use",
    /there is no driver 'htp'; did you mean 'http'\? \(known: grpc, http, source-sink, stress, kit\/feeder/,
  ],
  [
    "a source as a driver",
    `${HEAD}drivers:\n  web: { use: kit/numbers }\n`,
    4,
    15,
    "drivers.web.use",
    /it is a source/,
  ],
  [
    "an unknown source",
    `${HEAD}drivers:\n  a:\n    use: http\n    options:\n      sources:\n        b: { source: { use: kit/number } }\n`,
    8,
    29,
    "drivers.a.options.sources.b.source.use",
    /did you mean 'kit\/numbers'\?/,
  ],
  [
    "an unknown pipeline",
    `version: 1\npipeline: { use: kit/triple }\n${DRIVER}`,
    2,
    18,
    "pipeline.use",
    /there is no pipeline 'kit\/triple'/,
  ],
  [
    "an unknown cell",
    `version: 1\npipeline: { cell: kit/duble }\n${DRIVER}`,
    2,
    19,
    "pipeline.cell",
    /did you mean 'kit\/double'\?/,
  ],
  [
    "a module that throws",
    `version: 1\npipeline: { use: kit/thrower }\n${DRIVER}`,
    2,
    18,
    "pipeline.use",
    /cannot load 'kit\/thrower' .*: loaded, though nobody asked/,
  ],
  [
    "a module that is not there",
    `version: 1\npipeline: ./gone.mjs\n${DRIVER}`,
    2,
    11,
    "pipeline",
    /cannot load \.\/gone\.mjs: /,
  ],
  [
    "a model as a module",
    `version: 1\npipeline: ./gru.onnx\n${DRIVER}`,
    2,
    11,
    "pipeline",
    /\{ model: \.\/gru\.onnx \}/,
  ],
  // values
  [
    "a driver's option",
    `${HEAD}drivers:\n  web:\n    use: http\n    options:\n      port: 70000\n`,
    7,
    13,
    "drivers.web.options.port",
    /expected an integer from 0 to 65535, got 70000/,
  ],
  [
    "no option of the driver's",
    `${HEAD}drivers:\n  web:\n    use: http\n    options:\n      prot: 70000\n`,
    7,
    13,
    "drivers.web.options.prot",
    /there is no such parameter; there are port, host/,
  ],
  [
    "a source's option",
    `${HEAD}drivers:\n  a:\n    use: http\n    options:\n      sources:\n        b: { source: { use: kit/numbers, options: { count: few } } }\n`,
    8,
    60,
    "drivers.a.options.sources.b.source.options.count",
    /expected a number, got few/,
  ],
  [
    "a parameter",
    `${HEAD}${DRIVER}parameters:\n  cell: { factor: much }\n`,
    6,
    19,
    "parameters.cell.factor",
    /expected an integer, got "much"/,
  ],
  [
    "no parameter of the cell's",
    `${HEAD}${DRIVER}parameters:\n  cell: { fctor: 1 }\n`,
    6,
    18,
    "parameters.cell.fctor",
    /./,
  ],
  [
    "parameters of another cell",
    `${HEAD}${DRIVER}parameters:\n  cel: { factor: 1 }\n`,
    6,
    8,
    "parameters.cel",
    /there is no such cell; the pipeline's cells are cell/,
  ],
];

async function problemsOf(file: string): Promise<readonly ConfigProblem[]> {
  const environment = { SET: "7" };
  const error = await loadConfig(file, { environment, label: "h.yaml" }).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(error instanceof ConfigInvalidError)) throw new Error(`expected a ConfigInvalidError, got ${String(error)}`);
  return error.problems;
}

t.test("every message has its place, its path and what to do", async (t) => {
  const { write } = await pluginProject(t);
  for (const [what, text, line, column, path, message] of WRONG) {
    const problems = await problemsOf(await write("headrace.yaml", text));
    const [problem] = problems;
    t.equal(problems.length, 1, `${what}: one problem`);
    t.match(problem, { file: "h.yaml", line, column, path, message }, what);
  }
});

t.test("all that is wrong is told at once, in the order of the file", async (t) => {
  const { write } = await pluginProject(t);
  const text = `version: 1\npipelin: x\ndrivers:\n  web: { use: 3, optoins: {} }\nevict: never\n`;
  const file = await write("headrace.yaml", text);
  t.same(
    (await problemsOf(file)).map(({ line, path }) => [line, path]),
    [
      [1, "pipeline"],
      [2, "pipelin"],
      [4, "drivers.web.use"],
      [4, "drivers.web.optoins"],
      [5, "evict"],
    ],
  );
  await t.rejects(loadConfig(file, { label: "h.yaml" }), {
    code: "INVALID_ARGUMENT",
    message: /^5 problems\n {2}h\.yaml:1:1: pipeline: is missing; add it\n {2}h\.yaml:2:1: pipelin: unknown key/,
  });
  await write("headrace.yaml", "version: 1\npipeline: { cell: a/b }\ndrivers: { a: { use: b }, c: { use: d/e } }\n");
  t.equal((await problemsOf(file)).length, 3, "names, too");
});

t.test("errors of other codes keep theirs and get a place", async (t) => {
  const { write } = await pluginProject(t);
  const file = await write("headrace.yaml", `version: 1\npipeline:\n  model: gone.onnx\n${DRIVER}`);
  await t.rejects(loadConfig(file, { label: "h.yaml" }), {
    code: "MODEL_NOT_FOUND",
    message: /^h\.yaml:3:3: pipeline: .*gone\.onnx/,
  });
});

t.test("aliases that would make millions of values are refused", async (t) => {
  const { write } = await pluginProject(t);
  const levels = Array.from({ length: 9 }, (_, i) => {
    return `  l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(", ")}]\n`;
  });
  const file = await write("headrace.yaml", `x:\n  l0: &l0 1\n${levels.join("")}`);
  t.match(await problemsOf(file), [{ message: /more than 100000 values; use fewer aliases/ }]);
});

t.test("a file that is not there", async (t) => {
  await t.rejects(loadConfig("/no/such/headrace.yaml"), {
    code: "INVALID_ARGUMENT",
    message: /cannot read \/no\/such\/headrace\.yaml: ENOENT/,
  });
});
