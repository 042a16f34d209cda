/** `headrace serve --models DIR` as people type it. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { Command, headrace, serveCommand } from "../support/cli.js";
import { modelDirectory } from "../support/models.js";
import { fixture, GRU } from "../support/paths.js";

const ACCUMULATOR = fixture("accumulator");

async function index(url: string): Promise<[string, string, string][]> {
  const response = await fetch(`${url}/v2/repository/index`, { method: "POST" });
  const entries = (await response.json()) as { name: string; version: string; state: string }[];
  return entries.map(({ name, version, state }) => [name, version, state]);
}

t.test("the models of a directory, and what could not be served", async (t) => {
  const directory = await modelDirectory(t, {
    acc: { config: "max_batch_size: 4 version_policy { all { } }", versions: { 1: ACCUMULATOR, 2: ACCUMULATOR } },
    lines: { versions: { 5: fixture("no_batch") } },
    typo: { config: "max_batch: 4", versions: { 1: ACCUMULATOR } },
  });
  const { url, command } = await serveCommand(t, "--models", directory);
  t.match(command.stdout, /^ {2}acc {4}version 1 {2}up to 4 steps a run, stateful$/m);
  t.match(command.stdout, /^ {2}acc {4}version 2 {2}up to 4 steps a run, stateful$/m);
  t.match(command.stdout, /^ {2}lines {2}version 5 {2}one step a run$/m);
  t.ok(command.stdout.endsWith(`headrace: ${directory} is listening on ${url}\n`));
  // The two streams are read side by side.
  await command.saw(
    /^headrace: typo is not served: MODEL_INVALID: typo\/config\.pbtxt:1: there is no field 'max_batch'/,
    "stderr",
  );
  t.same(await index(url), [
    ["acc", "1", "READY"],
    ["acc", "2", "READY"],
    ["lines", "5", "READY"],
    ["typo", "", "UNAVAILABLE"],
  ]);
  t.equal((await fetch(`${url}/v2/health/ready`)).status, 200);
  await writeFile(join(directory, "typo", "config.pbtxt"), "max_batch_size: 4");
  t.equal((await fetch(`${url}/v2/repository/models/typo/load`, { method: "POST" })).status, 200);
  t.equal((await command.stop()).code, 0);
});

t.test("an empty directory", async (t) => {
  const { url, command } = await serveCommand(t, "--models", await modelDirectory(t, {}));
  t.match(command.stdout, /^headrace: no model is loaded\n/);
  t.same(await index(url), []);
  t.equal((await fetch(`${url}/v2/health/live`)).status, 200);
  t.match(await command.stop(), { code: 0, stderr: "" });
});

t.test("explicit: only what is named", async (t) => {
  const directory = await modelDirectory(t, {
    a: { versions: { 1: ACCUMULATOR } },
    b: { versions: { 1: ACCUMULATOR } },
    c: { versions: {} },
  });
  const explicit = ["--models", directory, "--model-control", "explicit"];
  const none = await serveCommand(t, ...explicit);
  t.same(await index(none.url), [
    ["a", "", "UNAVAILABLE"],
    ["b", "", "UNAVAILABLE"],
    ["c", "", "UNAVAILABLE"],
  ]);
  const some = await serveCommand(t, ...explicit, "--load-model", "b", "--load-model", "c", "--strict-readiness");
  t.same(await index(some.url), [
    ["a", "", "UNAVAILABLE"],
    ["b", "1", "READY"],
    ["c", "", "UNAVAILABLE"],
  ]);
  t.equal((await fetch(`${some.url}/v2/health/ready`)).status, 503);
  t.equal((await fetch(`${some.url}/v2/models/b/ready`)).status, 200);
  t.equal((await none.command.stop()).code, 0);
  t.equal((await some.command.stop()).code, 0);
});

t.test("names that look like numbers are those of the directory", async (t) => {
  const directory = await modelDirectory(t, { "007": { versions: { 1: ACCUMULATOR } } });
  const explicit = ["--models", directory, "--model-control", "explicit", "--load-model", "007"];
  const { url, command } = await serveCommand(t, ...explicit);
  t.same(await index(url), [["007", "1", "READY"]]);
  t.equal((await command.stop()).code, 0);
});

t.test("a signal while models are loaded", async (t) => {
  const models = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`m${n}`, { versions: { 1: GRU } }]));
  const command = new Command(t, ["serve", "--port", "0", "--models", await modelDirectory(t, models)], {
    env: { HEADRACE_LOG: "info" },
  });
  await command.saw(/"level":/, "stderr");
  t.equal((await command.stop()).code, 0, "it ends in good order");
  t.notMatch(command.stdout, /is listening/);
});

t.test("what the user got wrong is exit status 2, what is not there 1", async (t) => {
  const directory = await modelDirectory(t, {});
  const wrong: [string[], number, RegExp][] = [
    [["serve", GRU, "--models", directory], 2, /--models: excludes a model or a module/],
    [["serve", GRU, "--model-control", "all"], 2, /--model-control: goes with --models DIR/],
    [["serve", GRU, "--load-model", "a"], 2, /--load-model: goes with --models DIR/],
    [
      ["serve", "--models", directory, "--model-control", "poll"],
      2,
      /--model-control: expected all or explicit, got 'poll'/,
    ],
    [["serve", "--models", directory, "--load-model", "a"], 2, /--load-model: goes with --model-control explicit/],
    [["serve", "--models", directory, "--max-batch", "4"], 2, /--max-batch: .*config\.pbtxt/],
    [["serve", "--port", "0", "--models", join(directory, "no")], 1, /NOT_FOUND: .*no: ENOENT/],
    [["serve", "--port", "0", "--models", GRU], 2, /is no directory/],
  ];
  const outcomes = wrong.map(async ([args, code, message]) => ({
    args,
    code,
    message,
    outcome: await headrace(t, ...args),
  }));
  for (const { args, code, message, outcome } of await Promise.all(outcomes)) {
    t.equal(outcome.code, code, args.join(" "));
    t.match(outcome.stderr, message);
  }
});
