/** The walk-through of the public API, as the documentation has it. */
import t from "tap";
import { HeadraceClient } from "../../src/client/index.js";
import { HttpDriver } from "../../src/drivers/http/index.js";
import { DriverAlreadyExistsError, DriverNotFoundError, ServiceNotFoundError } from "../../src/errors.js";
import { Inference, init, PipelineDriver } from "../../src/runtime/index.js";
import { myPipeline } from "../support/cells.js";
import { start } from "../support/serve.js";

t.test("predict keeps one state per state id", async (t) => {
  const inference = new Inference({ pipeline: myPipeline(), parameters: { "my-cell": { adder: 2 } } });
  const proc = await start(t, inference, "debug");
  t.equal(proc.name, "MyPipeline");
  t.equal(proc.stateful, true);
  t.same(await proc.predict({ input: 1 }, { stateId: "camera-7" }), { output: 3, counter: 1 });
  t.same(await proc.predict({ input: 5 }, { stateId: "camera-7" }), { output: 7, counter: 2 });
  t.same(await proc.predict({ input: 1 }, { stateId: "camera-8" }), { output: 3, counter: 1 });
  t.same(await proc.predict({ input: 1 }), { output: 3, counter: 1 }, "no state id: a fresh state");
  t.same(await proc.predict({ input: 1 }), { output: 3, counter: 1 }, "that is dropped afterwards");
  t.same(await proc.predict({ input: 1 }, { stateId: "camera-7" }), { output: 3, counter: 3 });
});

t.test("a driver serves the process, and a client predicts through it", async (t) => {
  const proc = await start(t, myPipeline(), "debug");
  const web = await proc.addDriver("webapi", HttpDriver, { port: 0 });
  t.type(web.pid, "number");
  t.equal(web.ref, "webapi");
  t.equal(web.status, "running");
  const [service, ...others] = web.listServices();
  t.same(others, []);
  t.equal(web.getService("http"), service);
  t.match(service, {
    id: `webapi-http-${web.pid}`,
    name: "http",
    pid: web.pid,
    taggedAddresses: { lan: { address: "127.0.0.1", port: Number }, wan: { address: "127.0.0.1", port: Number } },
  });
  t.throws(() => web.getService("grpc"), ServiceNotFoundError);
  t.throws(() => web.getService("grpc"), {
    code: "SERVICE_NOT_FOUND",
    message: /'webapi' offers no service 'grpc'.*http/,
  });

  const client = new HeadraceClient({ process: web });
  await client.wait({ timeoutMs: 5000 });
  t.same(await client.predict({ input: 1 }, { stateId: "a" }), { output: 2, counter: 1 });
  t.same(await proc.predict({ input: 1 }, { stateId: "a" }), { output: 2, counter: 2 }, "the state is the process's");

  t.equal(proc.getDriver("webapi"), web);
  t.equal(proc.getDriver(web.pid), web);
  t.same(proc.listDrivers(), [web]);
  await proc.removeDriver(web.pid);
  t.equal(web.status, "stopped");
  t.same(proc.listDrivers(), []);
  await t.rejects(client.predict({ input: 1 }), { code: "UNAVAILABLE" });
  t.same(
    await proc.predict({ input: 1 }, { stateId: "a" }),
    { output: 2, counter: 3 },
    "the process goes on without it",
  );
});

t.test("parameters of a driver change all or not at all", async (t) => {
  const proc = await start(t, myPipeline(), "debug");
  const web = await proc.addDriver("webapi", HttpDriver, { port: 0, maxInFlightPerConnection: 7 });
  const params = web.getParameters();
  t.equal(params.maxInFlightPerConnection, 7);
  t.equal(params.port, web.getService("http").taggedAddresses.lan.port, "the port that was found");
  await web.setParameters({ ...params, maxInFlightPerConnection: 9 });
  t.equal(web.getParameters().maxInFlightPerConnection, 9);
  const wrong = [
    [{ maxInFlightPerConnection: 0 }, "maxInFlightPerConnection"],
    [{ maxBackpressureBytes: 1.5 }, "maxBackpressureBytes"],
    [{ port: 70_000 }, "port"],
    [{ port: params.port === 1 ? 2 : 1 }, "port"],
    [{ host: "" }, "host"],
    [{ idleTimeoutSeconds: 60 }, "idleTimeoutSeconds"],
    [{ colour: "red" }, "colour"],
  ] as const;
  for (const [change, path] of wrong) {
    await t.rejects(web.setParameters({ ...params, maxInFlightPerConnection: 3, ...change }), {
      code: "INVALID_ARGUMENT",
      path,
    });
  }
  t.equal(web.getParameters().maxInFlightPerConnection, 9, "what was refused changed nothing");
  await web.stop();
  await t.rejects(web.setParameters(params), { code: "INVALID_ARGUMENT", message: /is stopped/ });
});

t.test("drivers have names, and are made by the runtime only", async (t) => {
  const proc = await start(t, myPipeline(), "debug");
  await proc.addDriver("webapi", HttpDriver, { port: 0 });
  await t.rejects(proc.addDriver("webapi", HttpDriver, { port: 0 }), DriverAlreadyExistsError);
  t.throws(() => proc.getDriver("other"), DriverNotFoundError);
  t.throws(() => proc.getDriver("other"), { code: "DRIVER_NOT_FOUND", message: /'other'; running: webapi \(\d+\)/ });
  t.throws(() => proc.getDriver(-1), DriverNotFoundError);
  await t.rejects(proc.removeDriver("other"), DriverNotFoundError);

  const instance = new HttpDriver({ port: 0 }) as unknown as typeof HttpDriver;
  await t.rejects(proc.addDriver("instance", instance), {
    code: "INVALID_ARGUMENT",
    path: "driver",
    message: /drivers are made by the runtime, an instance cannot be added/,
  });
  class NotADriver {}
  await t.rejects(proc.addDriver("class", NotADriver as unknown as typeof HttpDriver), {
    code: "INVALID_ARGUMENT",
    path: "driver",
  });
  await t.rejects(proc.addDriver("nothing", (() => undefined) as unknown as () => HttpDriver), {
    code: "INVALID_ARGUMENT",
    message: /did not return a PipelineDriver/,
  });
  const made = await proc.addDriver("made", () => new HttpDriver({ port: 0 }));
  t.equal(made.status, "running", "a function that makes one is as good as its class");
  t.ok(HttpDriver.prototype instanceof PipelineDriver);
  t.equal(proc.listDrivers().length, 2, "what was refused left nothing behind");
});

t.test("a process stops its drivers, a runtime its processes, each of them once", async (t) => {
  const runtime = await init("debug");
  const first = await runtime.startInference(new Inference({ pipeline: myPipeline() }));
  const second = await runtime.startInference(new Inference({ pipeline: myPipeline() }));
  const web = await first.addDriver("webapi", HttpDriver, { port: 0 });
  t.same(
    runtime.listProcesses().map(({ pid }) => pid),
    [first.pid, second.pid],
  );
  t.equal(new Set([first.pid, second.pid, web.pid]).size, 3);

  await Promise.all([first.stop(), first.stop()]);
  t.equal(web.status, "stopped");
  t.same(runtime.listProcesses(), [second]);
  await t.rejects(first.predict({ input: 1 }), { code: "UNAVAILABLE" });
  await t.rejects(first.addDriver("webapi", HttpDriver, { port: 0 }), { code: "UNAVAILABLE" });

  t.equal(runtime.stop(), runtime.stop(), "the same promise for every caller");
  await runtime.stop();
  await t.rejects(second.predict({ input: 1 }), { code: "UNAVAILABLE" });
  await t.rejects(runtime.startInference(new Inference({ pipeline: myPipeline() })), { code: "UNAVAILABLE" });
});

t.test("what is not a mode or an inference is refused", async (t) => {
  await t.rejects(init("fast" as "debug"), { code: "INVALID_ARGUMENT", path: "mode" });
  const runtime = await init("debug");
  t.teardown(() => runtime.stop());
  const pipeline = myPipeline();
  await t.rejects(runtime.startInference(pipeline as unknown as Inference), {
    code: "INVALID_ARGUMENT",
    path: "inference",
  });
});
