/** A directory of models, served: versions, configurations against their models, paths. */
import { mkdir, rename, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { ModelRepository } from "../../src/repository/index.js";
import { init } from "../../src/runtime/index.js";
import { type ModelFiles, modelDirectory, putModel, putVersion, temporaryFolder } from "../support/models.js";
import { fixture, GRU, SILERO } from "../support/paths.js";
import { openRepository as open } from "../support/repository.js";

const ACCUMULATOR = fixture("accumulator");

/** Why a model cannot be served, or "" if it can. */
async function whyNot(t: Test, files: ModelFiles): Promise<string> {
  const { failed } = await open(t, await modelDirectory(t, { m: files }));
  const [first] = failed;
  return first === undefined ? "" : (first.error as Error).message;
}

t.test("all models of a directory, those that cannot be loaded with their reasons", async (t) => {
  const directory = await modelDirectory(t, {
    gru: { versions: { 1: GRU, 3: GRU, 20: GRU } },
    acc: { config: 'name: "acc" version_policy { all { } }', versions: { 1: ACCUMULATOR, 2: ACCUMULATOR } },
    empty: { versions: {} },
    broken: { config: "max_batch_size: x", versions: { 1: GRU } },
  });
  await mkdir(join(directory, ".git"));
  await mkdir(join(directory, "gru", "old"));
  await mkdir(join(directory, "gru", "007"));
  await writeFile(join(directory, "README.md"), "no model");
  const { repository, failed } = await open(t, directory);
  t.same(
    failed.map(({ name }) => name),
    ["broken", "empty"],
  );
  t.match(await repository.index(), [
    { name: "acc", version: "1", state: "READY", reason: "" },
    { name: "acc", version: "2", state: "READY", reason: "" },
    {
      name: "broken",
      version: "",
      state: "UNAVAILABLE",
      reason: /broken\/config\.pbtxt:1: max_batch_size: expected a number/,
    },
    { name: "empty", version: "", state: "UNAVAILABLE", reason: /empty: has no version/ },
    { name: "gru", version: "20", state: "READY", reason: "" },
  ]);
  t.ok(repository.isReady, "a model that is wrong does not make the server unready");
});

t.test("which versions are served", async (t) => {
  const versions = { 1: ACCUMULATOR, 2: ACCUMULATOR, 10: ACCUMULATOR };
  const served = async (policy: string) => {
    const { repository } = await open(t, await modelDirectory(t, { m: { config: policy, versions } }));
    return (await repository.index()).map(({ version, state, reason }) => (state === "READY" ? version : reason));
  };
  t.same(await served(""), ["10"]);
  t.same(await served("version_policy { latest { num_versions: 2 } }"), ["2", "10"]);
  t.same(await served("version_policy { all { } }"), ["1", "2", "10"]);
  t.same(await served("version_policy { specific { versions: [ 10, 1 ] } }"), ["1", "10"]);
  t.match(await served("version_policy { specific { versions: [ 1, 4 ] } }"), [
    "m/config.pbtxt:1: there is no version 4; there are 1, 2, 10",
  ]);
});

t.test("a configuration that fits its model", async (t) => {
  const directory = await modelDirectory(t, {
    vad: {
      config: `
        default_model_filename: "silero.onnx"
        max_batch_size: 16
        input { name: "input" data_type: TYPE_FP32 dims: 512 }
        parameters { key: "headrace.constant.sr" value { string_value: "16000" } }
        parameters { key: "headrace.context.input" value { string_value: "64" } }
      `,
      versions: {},
    },
    lengths: { config: "max_batch_size: 4 input { name: 'x' dims: 7 }", versions: { 1: fixture("dynamic_length") } },
    free: { config: "input { name: 'x' dims: [ -1, 4 ] }", versions: { 1: ACCUMULATOR } },
    explicit: {
      config: `
        max_batch_size: 4
        input [ { name: "x" dims: 4 }, { name: "state" dims: 4 } ]
        output [ { name: "stateN" dims: 4 } ]
      `,
      versions: { 1: ACCUMULATOR },
    },
    states: {
      config: `
        max_batch_size: 4
        sequence_batching { state [ { input_name: "sum_in" output_name: "sum_out" data_type: TYPE_FP32 dims: 3 initial_state { data_type: TYPE_FP32 dims: 3 zero_data: true name: "z" } } ] }
        input [ { name: "x" dims: 3 }, { name: "steps_in" data_type: TYPE_INT64 dims: 1 } ]
      `,
      versions: { 1: fixture("two_states") },
    },
  });
  await putVersion(directory, "vad", "1", SILERO);
  await rename(join(directory, "vad", "1", "model.onnx"), join(directory, "vad", "1", "silero.onnx"));
  const { failed, find } = await open(t, directory);
  t.same(failed, []);
  const shapes = (name: string) => {
    const { inputs, outputs } = find(name);
    const text = (types: typeof inputs) => Object.entries(types).map(([port, { shape }]) => `${port}[${shape}]`);
    return [...text(inputs), "->", ...text(outputs)].join(" ");
  };
  t.equal(shapes("vad"), "input[-1,512] -> output[-1,1]", "constants, context and state are no inputs");
  t.equal(shapes("lengths"), "x[-1,7] -> sum[-1,1] echo[-1,-1]", "an open dimension that is fixed here");
  t.equal(shapes("free"), "x[-1,4] -> y[-1,4]", "without max_batch_size dims may have the batch");
  t.equal(shapes("explicit"), "x[-1,4] state[-1,4] -> stateN[-1,4]", "a state that clients keep, and fewer outputs");
  t.notOk(find("explicit").stateful);
  t.equal(shapes("states"), "x[-1,3] steps_in[-1,1] -> sum[-1,3] steps[-1,1] steps_out[-1,1]");
  t.ok(find("states").stateful);
});

t.test("a configuration that contradicts its model names both", async (t) => {
  const acc = (config: string) => whyNot(t, { config, versions: { 1: ACCUMULATOR } });
  t.match(await acc("input { name: 'z' dims: 4 }"), /:1: the model has no input 'z'; its inputs are x/);
  t.match(await acc("input [ { name: 'x' }, { name: 'x' } ]"), /input 'x' is there already/);
  t.match(
    await acc("max_batch_size: 4 input { name: 'x' data_type: TYPE_INT32 dims: 4 }"),
    /input 'x' is TYPE_INT32 here, but FP32 in the model/,
  );
  t.match(
    await acc("max_batch_size: 4 input { name: 'x' dims: [ 5 ] }"),
    /input 'x' has dims \[5\] after the batch dimension here, but shape \[-1,4\] in the model/,
  );
  t.match(await acc("max_batch_size: 0 input { name: 'x' dims: [ 4 ] }"), /has dims \[4\] here, but shape \[-1,4\]/);
  t.match(
    await acc("max_batch_size: 4 input { name: 'x' dims: [ -1 ] }"),
    /dims \[-1\]/,
    "what is fixed is not opened",
  );
  t.match(await acc("output { name: 'q' dims: 4 }"), /the model has no output 'q'; its outputs are y/);
  t.match(
    await acc("sequence_batching { state { input_name: 'state' output_name: 'stateN' dims: 9 } }"),
    /state 'state' has dims \[9\] here, but shape \[-1,4\] in the model/,
  );
  t.match(
    await acc("sequence_batching { state { input_name: 'state' output_name: 'stateN' data_type: TYPE_INT8 dims: 4 } }"),
    /is TYPE_INT8 here, but FP32/,
  );
  t.match(
    await acc(
      "sequence_batching { state { input_name: 'state' output_name: 'stateN' initial_state { data_file: 's' } } }",
    ),
    /a new state begins with zeros/,
  );
  t.match(await acc("sequence_batching { state { input_name: 'st' output_name: 'stateN' } }"), /names tensor 'st'/);
  t.match(await acc("sequence_batching { state { input_name: 'state' } }"), /needs an input_name and an output_name/);
  const noBatch = { config: "max_batch_size: 8", versions: { 1: fixture("no_batch") } };
  t.match(await whyNot(t, noBatch), /:1: is 8, but the model takes one step at a time/);
  const axis1 = { config: "max_batch_size: 8", versions: { 1: fixture("strings_axis1") } };
  t.match(await whyNot(t, axis1), /which needs the batch in front; input 'text' \[2,-1\] has axis 1/);
  const two = { config: "input { name: 'x' }", versions: { 1: fixture("scaled") } };
  t.match(await whyNot(t, two), /the model has inputs scale, offset, which the configuration lacks/);
});

t.test("control inputs of sequences are made here", async (t) => {
  const control = (name: string, kind: string, values: string) =>
    `{ name: "${name}" control { kind: ${kind} ${values} } }`;
  const config = `
    max_batch_size: 8
    input { name: "x" data_type: TYPE_FP32 dims: 2 }
    sequence_batching {
      control_input [
        ${control("START", "CONTROL_SEQUENCE_START", "fp32_false_true: [ 0, 1 ]")},
        ${control("END", "CONTROL_SEQUENCE_END", "bool_false_true: [ false, true ]")},
        ${control("READY", "CONTROL_SEQUENCE_READY", "int32_false_true: [ 3, 4 ]")},
        ${control("CORRID", "CONTROL_SEQUENCE_CORRID", "data_type: TYPE_UINT64")}
      ]
    }`;
  const versions = { 1: fixture("sequence_controls") };
  const { failed, find } = await open(t, await modelDirectory(t, { m: { config, versions } }));
  t.same(failed, []);
  const model = find("m");
  t.same(Object.keys(model.inputs), ["x"]);
  const step = async (options: object, x: number[][] = [[1, 2]]) => {
    const outputs = (await model.predict({ x } as never, options)) as Record<string, ArrayLike<number | bigint>>;
    const { y, ...seen } = outputs;
    t.same([...(y as unknown as Float32Array)], x.flat());
    return Object.values(seen).map((values) => Array.from(values));
  };
  t.same(await step({ stateId: "7" }), [[1], [0], [4], [7n]], "the first step");
  t.same(await step({ stateId: "7" }), [[0], [0], [4], [7n]]);
  t.same(await step({ stateId: "8" }), [[1], [0], [4], [8n]], "another sequence");
  t.same(await step({ stateId: "7", end: true }), [[0], [1], [4], [7n]]);
  t.same(await step({ stateId: "7" }), [[1], [0], [4], [7n]], "it ended, so this one is a first one again");
  t.same(await step({ stateId: "7", start: true }), [[1], [0], [4], [7n]]);
  t.same(
    await step({}, [
      [1, 2],
      [3, 4],
    ]),
    [
      [1, 1],
      [1, 1],
      [4, 4],
      [0n, 0n],
    ],
    "rows without a sequence, each its own",
  );
  await t.rejects(step({ stateId: "camera" }), {
    code: "INVALID_ARGUMENT",
    message: /takes the sequence id as a number/,
  });
  const wrong = async (controls: string) =>
    whyNot(t, { config: `max_batch_size: 8 sequence_batching { control_input [ ${controls} ] }`, versions });
  t.match(await wrong(control("START", "CONTROL_SEQUENCE_START", "")), /needs one of int32_false_true/);
  t.match(await wrong(control("NO", "CONTROL_SEQUENCE_END", "bool_false_true: [ false, true ]")), /has no input 'NO'/);
  t.match(
    await wrong(control("START", "CONTROL_SEQUENCE_START", "int32_false_true: [ 0, 1 ]")),
    /control input 'START' is one INT32 a step, but the model has FP32 \[-1,1\]/,
  );
  t.match(await wrong(control("x", "CONTROL_SEQUENCE_START", "fp32_false_true: [ 0, 1 ]")), /control input 'x' is one/);
});

t.test("nothing outside of the directory is read", async (t) => {
  const outside = await temporaryFolder(t);
  await putModel(outside, "secret", { config: 'name: "secret"', versions: { 1: ACCUMULATOR } });
  // One level down, so that its neighbour can be written.
  const directory = join(await temporaryFolder(t), "models");
  const models = {
    file: { versions: { 1: ACCUMULATOR } },
    version: { versions: {} },
    config: { versions: { 1: ACCUMULATOR } },
    inner: { versions: { 1: ACCUMULATOR } },
    weights: { versions: { 1: fixture("external_escapes") } },
  };
  for (const [name, files] of Object.entries(models)) await putModel(directory, name, files);
  await writeFile(join(directory, "..", "secret.bin"), new Float32Array(4));
  await unlink(join(directory, "file", "1", "model.onnx"));
  await symlink(join(outside, "secret", "1", "model.onnx"), join(directory, "file", "1", "model.onnx"));
  await symlink(join(outside, "secret", "1"), join(directory, "version", "1"));
  await symlink(join(outside, "secret", "config.pbtxt"), join(directory, "config", "config.pbtxt"));
  await symlink(join(outside, "secret"), join(directory, "folder"));
  await symlink(join(directory, "inner"), join(directory, "alias"));
  await symlink(directory, join(directory, "self"));
  await symlink("/nowhere/at/all", join(directory, "dangling"));
  const { repository, failed } = await open(t, directory);
  const reasons = Object.fromEntries(failed.map(({ name, error }) => [name, (error as Error).message]));
  t.match(reasons, {
    file: /file\/1\/model\.onnx: leads out of the model directory/,
    version: /version\/1\/model\.onnx: leads out of the model directory/,
    config: /config\/config\.pbtxt: leads out/,
    folder: /folder: leads out/,
    self: /self: leads out/,
    weights: /External data path escapes model directory/,
  });
  t.equal(Object.keys(reasons).length, 6);
  const ready = (await repository.index()).filter(({ state }) => state === "READY").map(({ name }) => name);
  t.same(ready, ["alias", "inner"], "links within the directory are fine");
  for (const name of ["..", ".", "", "a/b", "../secret", "a\\b", "a\0b", "x".repeat(300), outside]) {
    await t.rejects(repository.load(name), { code: "INVALID_ARGUMENT", message: /is no name of a model/ }, name);
  }
  await t.rejects(open(t, join(directory, "nowhere")), { code: "NOT_FOUND" });
  await t.rejects(open(t, ACCUMULATOR), { code: "INVALID_ARGUMENT", message: /is no directory/ });
});

t.test("ready when everything that was to be loaded is served, for those who want it so", async (t) => {
  const directory = await modelDirectory(t, { good: { versions: { 1: ACCUMULATOR } }, bad: { versions: {} } });
  const runtime = await init("local");
  t.teardown(() => runtime.stop());
  const repository = await ModelRepository.open(runtime, {
    directory,
    strictReadiness: true,
    addDrivers: async () => {},
  });
  t.notOk(repository.isReady, "before the models were loaded");
  await repository.start();
  t.notOk(repository.isReady);
  await putVersion(directory, "bad", "1", ACCUMULATOR);
  await repository.load("bad");
  t.ok(repository.isReady);
});
