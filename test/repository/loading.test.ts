/** Loading and unloading the models of a directory while they are served. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { HttpDriver, openHttpPort } from "../../src/drivers/http/index.js";
import { ModelRepository } from "../../src/repository/index.js";
import { init, PipelineDriver } from "../../src/runtime/index.js";
import { modelDirectory, putVersion, touch } from "../support/models.js";
import { fixture, GRU } from "../support/paths.js";
import { openRepository as open } from "../support/repository.js";

const ACCUMULATOR = fixture("accumulator");

t.test("loading again: what has changed is swapped, what has not stays with its states", async (t) => {
  const directory = await modelDirectory(t, {
    m: { config: "version_policy { all { } }", versions: { 1: ACCUMULATOR, 2: ACCUMULATOR } },
  });
  const { repository, find, served } = await open(t, directory);
  const step = async (version: string) => {
    const { y } = (await find("m", version).predict({ x: [[1, 1, 1, 1]] } as never, { stateId: "s" })) as {
      y: Float32Array;
    };
    return y[0];
  };
  t.same([await step("1"), await step("1"), await step("2")], [1, 2, 1]);
  const before = find("m", "1");
  await repository.load("m");
  t.equal(find("m", "1"), before, "nothing has changed");
  t.equal(await step("1"), 3, "the state is still there");

  await touch(join(directory, "m", "2", "model.onnx"));
  await repository.load("m");
  t.equal(find("m", "1"), before);
  t.same([await step("1"), await step("2")], [4, 1], "only the one whose file changed begins anew");

  await putVersion(directory, "m", "3", ACCUMULATOR);
  await rm(join(directory, "m", "2"), { recursive: true });
  await repository.load("m");
  t.match(await repository.index(), [{ version: "1" }, { version: "3" }]);
  t.equal(await step("1"), 5);

  await repository.load("m", { config: JSON.stringify({ version_policy: { specific: { versions: [3] } } }) });
  t.match(await repository.index(), [{ version: "3", state: "READY" }], "a configuration in place of the file's");
  await repository.load("m");
  t.match(await repository.index(), [{ version: "1" }, { version: "3" }], "which goes with the next load");
  t.equal(served.length, 2 + 1 + 1 + 1 + 2, "each was started once");
});

t.test("a load that fails leaves what was served", async (t) => {
  const directory = await modelDirectory(t, { m: { versions: { 1: ACCUMULATOR } } });
  const { repository, runtime, find } = await open(t, directory);
  const before = find("m");
  await writeFile(join(directory, "m", "1", "model.onnx"), "GIF89a");
  await t.rejects(repository.load("m"), { code: "MODEL_INVALID" });
  await t.rejects(repository.load("m", { config: "{}}" }), { code: "MODEL_INVALID", message: /not JSON/ });
  await t.rejects(repository.load("m", { config: 7 }), {
    code: "INVALID_ARGUMENT",
    message: /parameters\.config: expected/,
  });
  await t.rejects(repository.load("m", { "file:1/model.onnx": "AAAA" }), { code: "UNIMPLEMENTED" });
  await t.rejects(repository.load("m", { colour: "red" }), { code: "INVALID_ARGUMENT", message: /parameters\.colour/ });
  t.equal(find("m"), before);
  t.same(runtime.listProcesses(), [before], "nothing else is left");
  t.same(await repository.index(), [{ name: "m", version: "1", state: "READY", reason: "" }]);
  await repository.unload("m");
  t.same(await repository.index(), [{ name: "m", version: "1", state: "UNAVAILABLE", reason: "unloaded" }]);
  await t.rejects(repository.load("m"), { code: "MODEL_INVALID" });
  const reason = /^ONNX Runtime cannot load m\/1\/model\.onnx: /;
  t.match(await repository.index(), [{ name: "m", version: "1", state: "UNAVAILABLE", reason }]);
  t.notMatch(JSON.stringify(await repository.index()), new RegExp(directory), "clients are not told where it is");
  await putVersion(directory, "m", "1", ACCUMULATOR);
  await repository.load("m");
  t.match(await repository.index(), [{ name: "m", version: "1", state: "READY", reason: "" }]);
});

t.test("loads and unloads of one model take their turns", async (t) => {
  const directory = await modelDirectory(t, {
    a: { versions: { 1: ACCUMULATOR } },
    b: { versions: { 1: ACCUMULATOR } },
  });
  const { repository, runtime, failed } = await open(t, directory, []);
  t.same(failed, []);
  t.same(
    (await repository.index()).map(({ name, state, reason }) => [name, state, reason]),
    [
      ["a", "UNAVAILABLE", "not loaded"],
      ["b", "UNAVAILABLE", "not loaded"],
    ],
  );
  const loading = repository.load("a");
  await t.resolves(repository.unload("b"), "what is not loaded can be unloaded");
  const all = [loading];
  for (let i = 0; i < 5; i++) all.push(repository.unload("a"), repository.load("a"), repository.load("a"));
  all.push(repository.load("b"));
  await Promise.all(all);
  t.same(
    runtime
      .listProcesses()
      .map(({ name }) => name)
      .sort(),
    ["a", "b"],
    "one process of each, whatever was asked for at the same time",
  );
  await Promise.all([repository.load("a"), repository.unload("a"), repository.unload("b")]);
  t.same(runtime.listProcesses(), []);
  await t.rejects(repository.unload("c"), { code: "MODEL_NOT_FOUND", message: /failed to unload 'c'/ });
  await t.rejects(repository.load("c"), { code: "MODEL_NOT_FOUND", message: /failed to load 'c'/ });
  t.equal((await repository.index()).length, 2, "names that nobody has are not remembered");
});

t.test("the index while something is done to a model", async (t) => {
  const directory = await modelDirectory(t, { m: { versions: { 1: ACCUMULATOR } } });
  const runtime = await init("local");
  t.teardown(() => runtime.stop());
  const seen: string[] = [];
  const look = async (): Promise<void> => {
    for (const { version, state, reason } of await repository.index())
      seen.push(`${version} ${state} ${reason}`.trim());
  };
  class Watcher extends PipelineDriver {
    private over = (): void => {};
    override async start() {
      await look();
      return [];
    }
    override run(): Promise<void> {
      return new Promise((resolve) => {
        this.over = resolve;
      });
    }
    override async stop(): Promise<void> {
      await look();
      this.over();
    }
  }
  const repository = await ModelRepository.open(runtime, {
    directory,
    addDrivers: async (process) => {
      await process.addDriver("watcher", Watcher);
    },
  });
  await repository.load("m");
  await touch(join(directory, "m", "1", "model.onnx"));
  await repository.load("m");
  await repository.unload("m");
  t.same(
    seen,
    ["1 LOADING", "1 READY", "1 READY", "1 UNLOADING"],
    "start, again, the first one's stop, the second one's",
  );
});

t.test("a driver that does not come up: the load fails, and what was served stays", async (t) => {
  const directory = await modelDirectory(t, {
    m: { config: "version_policy { all { } }", versions: { 1: ACCUMULATOR, 2: ACCUMULATOR } },
  });
  const runtime = await init("local");
  t.teardown(() => runtime.stop());
  let isBroken = false;
  const front = await openHttpPort(runtime, { port: 0 });
  t.teardown(() => front.close());
  const url = `http://127.0.0.1:${front.port}`;
  const repository = await ModelRepository.open(runtime, {
    directory,
    addDrivers: async (process) => {
      if (isBroken && process.version === "2") {
        isBroken = false;
        throw new Error("no port is left");
      }
      await process.addDriver("http", HttpDriver, { port: front.port, replace: true });
    },
  });
  const statuses = () =>
    Promise.all(
      ["1", "2"].map(async (version) => (await fetch(`${url}/v2/models/m/versions/${version}/ready`)).status),
    );
  t.same(await repository.start(), []);
  const before = runtime.listProcesses();
  isBroken = true;
  for (const version of ["1", "2"]) await touch(join(directory, "m", version, "model.onnx"));
  await t.rejects(repository.load("m"), { message: "no port is left" });
  t.same(runtime.listProcesses(), before);
  t.same(await statuses(), [200, 200], "also the one that had been replaced already");
});

t.test("a runtime that stops while models are loaded", async (t) => {
  const directory = await modelDirectory(t, { a: { versions: { 1: GRU } }, b: { versions: { 1: GRU } } });
  const { repository, runtime } = await open(t, directory, []);
  const loads = [repository.load("a"), repository.load("b")];
  const stopped = runtime.stop();
  const outcomes = await Promise.allSettled(loads);
  await stopped;
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") t.equal((outcome.reason as { code: string }).code, "UNAVAILABLE");
  }
  t.same(runtime.listProcesses(), []);
  repository.close();
  await t.rejects(repository.load("a"), { code: "UNAVAILABLE" });
});
