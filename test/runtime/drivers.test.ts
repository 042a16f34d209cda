/** The life of a driver: started, running, ended by itself or on request, and what it leaves behind: nothing. */
import { once } from "node:events";
import { createServer } from "node:net";
import t from "tap";
import {
  type DriverResources,
  type DriverStatus,
  PipelineDriver,
  type ResourcesRequest,
  type RestrictedInferenceProcess,
} from "../../src/runtime/index.js";
import { type Deferred, deferred, myPipeline } from "../support/cells.js";
import { start } from "../support/serve.js";

/** A driver whose every step waits for its test. */
class Puppet extends PipelineDriver {
  readonly starting: Deferred<void> = deferred();
  readonly running: Deferred<void> = deferred();
  readonly stopping: Deferred<void> = deferred();
  readonly calls: string[] = [];
  inference: RestrictedInferenceProcess | undefined;
  port: number | undefined;

  constructor(private readonly request: ResourcesRequest = {}) {
    super({});
  }

  override resourcesRequest(): ResourcesRequest {
    return this.request;
  }

  override async start(inference: RestrictedInferenceProcess, resources: DriverResources) {
    this.calls.push("start");
    this.inference = inference;
    if (this.request.ports !== undefined) this.port = resources.port("dummy-port");
    await this.starting.promise;
    return [{ name: "dummy", address: "127.0.0.1", port: 1 }];
  }

  override async run(): Promise<void> {
    this.calls.push("run");
    await this.running.promise;
  }

  override async stop(): Promise<void> {
    this.calls.push("stop");
    this.running.resolve();
    await this.stopping.promise;
  }
}

t.test("addDriver waits for start; run begins then; stop ends it once", async (t) => {
  const proc = await start(t, myPipeline());
  const puppet = new Puppet();
  let added = false;
  const adding = proc
    .addDriver("puppet", () => puppet)
    .finally(() => {
      added = true;
    });
  await Promise.resolve();
  const driver = proc.getDriver("puppet");
  t.equal(driver.status, "starting");
  t.equal(added, false);
  const seen: DriverStatus[] = [];
  driver.on("status", (status: DriverStatus) => seen.push(status));
  puppet.starting.resolve();
  t.equal(await adding, driver);
  t.same(puppet.calls, ["start", "run"]);
  puppet.stopping.resolve();
  t.equal(driver.stop(), driver.stop(), "the same promise for every caller");
  await driver.stop();
  t.same(seen, ["running", "stopping", "stopped"]);
  t.same(puppet.calls, ["start", "run", "stop"]);
  t.same(proc.listDrivers(), []);
});

t.test("a driver that fails to start is not there, and its name and port are free again", async (t) => {
  const proc = await start(t, myPipeline());
  const first = new Puppet({ ports: ["dummy-port"] });
  first.stopping.resolve();
  const adding = proc.addDriver("puppet", () => first);
  first.starting.reject(new Error("no camera"));
  await t.rejects(adding, { code: "INTERNAL", message: "no camera" });
  t.same(proc.listDrivers(), []);
  t.same(first.calls, ["start", "stop"]);
  const second = new Puppet({ ports: [{ name: "dummy-port", port: first.port ?? 0 }] });
  second.starting.resolve();
  second.stopping.resolve();
  await proc.addDriver("puppet", () => second);
  t.equal(second.port, first.port);
  const third = new Puppet({ ports: [{ name: "dummy-port", port: first.port ?? 0 }] });
  third.stopping.resolve();
  await t.rejects(
    proc.addDriver("third", () => third),
    { code: "PORT_IN_USE" },
    "a port is one driver's at a time",
  );
});

t.test("stopping while a driver starts leaves none running", async (t) => {
  const proc = await start(t, myPipeline());
  const puppet = new Puppet();
  puppet.stopping.resolve();
  const adding = proc
    .addDriver("puppet", () => puppet)
    .then(
      (driver) => driver.status,
      (error: { code?: string }) => error.code,
    );
  await Promise.resolve();
  const driver = proc.getDriver("puppet");
  const stopped = proc.stop();
  puppet.starting.resolve();
  await stopped;
  t.equal(driver.status, "stopped");
  await adding;
  t.equal(driver.status, "stopped", "also after its start has ended");
  t.same(puppet.calls, ["start", "run", "stop"], "stopped once it was up");
});

t.test("a driver whose run throws has failed; one whose run returns has stopped", async (t) => {
  const proc = await start(t, myPipeline());
  const bad = new Puppet();
  bad.starting.resolve();
  bad.stopping.resolve();
  const failing = await proc.addDriver("bad", () => bad);
  bad.running.reject(new Error("the cable was pulled"));
  await once(failing, "status");
  t.equal(failing.status, "failed");
  t.match(failing.error, { code: "INTERNAL", message: "the cable was pulled" });
  t.same(proc.listDrivers(), []);
  await failing.stop();
  t.same(bad.calls, ["start", "run", "stop"], "stop is called once, also after a failure");

  const done = new Puppet();
  done.starting.resolve();
  done.stopping.resolve();
  const ending = await proc.addDriver("done", () => done);
  done.running.resolve();
  await once(ending, "status");
  t.equal(ending.status, "stopped");
  t.equal(ending.error, undefined);
});

t.test("stop that is asked for while a driver ends by itself is not a second one", async (t) => {
  const proc = await start(t, myPipeline());
  const puppet = new Puppet();
  puppet.starting.resolve();
  const driver = await proc.addDriver("puppet", () => puppet);
  puppet.running.resolve();
  // Its stop waits: the driver is between the two now.
  while (!puppet.calls.includes("stop")) await Promise.resolve();
  const stopping = driver.stop();
  puppet.stopping.resolve();
  await stopping;
  t.same(puppet.calls, ["start", "run", "stop"]);
  t.equal(driver.status, "stopped");
});

t.test("a run that fails while its driver stops is told, and crashes nothing", async (t) => {
  const proc = await start(t, myPipeline());
  const puppet = new Puppet();
  puppet.starting.resolve();
  const driver = await proc.addDriver("puppet", () => puppet);
  puppet.running.reject(new Error("lost in the middle"));
  const stopping = driver.stop();
  // Whoever leaves the rejection alone for a turn ends the process.
  await new Promise((resolve) => setImmediate(resolve));
  puppet.stopping.resolve();
  await stopping;
  t.equal(driver.status, "failed");
  t.match(driver.error, { message: "lost in the middle" });
});

t.test("a driver may predict and read the interface, and nothing else", async (t) => {
  const proc = await start(t, myPipeline());
  const puppet = new Puppet();
  puppet.starting.resolve();
  puppet.stopping.resolve();
  await proc.addDriver("puppet", () => puppet);
  const { inference } = puppet;
  t.equal(inference?.name, "MyPipeline");
  t.same(Object.keys(inference?.inputs ?? {}), ["input"]);
  t.same(await inference?.predict({ input: 1 }, { stateId: "s" }), { output: 2, counter: 1 });
  inference?.dropState("s");
  t.same(await inference?.predict({ input: 1 }, { stateId: "s" }), { output: 2, counter: 1 });
  for (const forbidden of ["stop", "addDriver", "removeDriver", "exportState"]) {
    t.notOk(forbidden in (inference ?? {}), `no ${forbidden}`);
  }
});

t.test("parameters of a driver that has none", async (t) => {
  const proc = await start(t, myPipeline());
  const puppet = new Puppet();
  puppet.starting.resolve();
  puppet.stopping.resolve();
  const driver = await proc.addDriver("puppet", () => puppet);
  t.same(driver.getParameters(), {});
  await t.rejects(driver.setParameters({}), { code: "INVALID_ARGUMENT", message: /no parameters/ });
});

t.test("a port that somebody else listens on", async (t) => {
  const proc = await start(t, myPipeline());
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  const { HttpDriver } = await import("../../src/drivers/http/index.js");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await t.rejects(proc.addDriver("web", HttpDriver, { port }), { code: "PORT_IN_USE", message: new RegExp(`${port}`) });
  await t.rejects(proc.addDriver("web", HttpDriver, { port: 0, host: "203.0.113.1", insecure: true }), {
    code: "PORT_IN_USE",
  });
  t.same(proc.listDrivers(), []);
});

t.test("a listener that throws keeps no driver from its end", async (t) => {
  const proc = await start(t, myPipeline());
  const puppet = new Puppet();
  puppet.starting.resolve();
  puppet.stopping.resolve();
  const driver = await proc.addDriver("puppet", () => puppet);
  const thrown: string[] = [];
  const listener = (error: Error): void => void thrown.push(error.message);
  process.on("uncaughtException", listener);
  t.teardown(() => process.off("uncaughtException", listener));
  driver.on("status", (status: DriverStatus) => {
    throw new Error(`not ${status}`);
  });
  await driver.stop();
  t.equal(driver.status, "stopped");
  t.same(proc.listDrivers(), []);
  t.same(puppet.calls, ["start", "run", "stop"]);
  t.same(thrown, ["not stopping", "not stopped"], "it is seen all the same");
});

t.test("a driver that does not come up is left behind when the time to stop is over", async (t) => {
  const proc = await start(t, myPipeline());
  const puppet = new Puppet({ ports: ["dummy-port"] });
  puppet.stopping.resolve();
  const adding = t.rejects(
    proc.addDriver("puppet", () => puppet),
    { code: "UNAVAILABLE", message: /before it was up/ },
  );
  const driver = proc.getDriver("puppet");
  await driver.stop({ timeoutMs: 1 });
  await adding;
  t.equal(driver.status, "failed");
  t.same(proc.listDrivers(), []);
  puppet.starting.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  t.same(puppet.calls, ["start", "stop"], "it never runs");
});
