/** Drivers that fail while they run: what is started again, with what, when it is given up, and how it stops. */
import { once } from "node:events";
import t, { type Test } from "tap";
import { type DriverStatus, PipelineDriver, type RestartOptions } from "../../src/runtime/index.js";
import { type Deferred, deferred, myPipeline } from "../support/cells.js";
import { start } from "../support/serve.js";

interface Parameters {
  rate: number;
}

/** Fails when its test says so; every life of it is noted. */
class Fragile extends PipelineDriver<Parameters> {
  static lives: Fragile[] = [];
  static failStarts = 0;
  readonly outcome: Deferred<void> = deferred();
  stops = 0;

  constructor(options: Partial<Parameters>) {
    super(options);
    Fragile.lives.push(this);
  }

  override resourcesRequest() {
    return { ports: ["dummy-port"] };
  }

  override async start() {
    if (Fragile.failStarts-- > 0) throw new Error("not yet");
    return [{ name: `life-${Fragile.lives.length}`, address: "127.0.0.1", port: 1 }];
  }

  override run(): Promise<void> {
    return this.outcome.promise;
  }

  override async stop(): Promise<void> {
    this.stops += 1;
    this.outcome.resolve();
  }

  override async setParameters(parameters: Parameters): Promise<void> {
    Object.assign(this.options, parameters);
  }
}

function current(): Fragile {
  const life = Fragile.lives.at(-1);
  if (life === undefined) throw new Error("no driver was made");
  return life;
}

t.beforeEach(() => {
  Fragile.lives = [];
  Fragile.failStarts = 0;
});

async function running(test: Test, restart: RestartOptions) {
  const proc = await start(test, myPipeline());
  const driver = await proc.addDriver("fragile", Fragile, { rate: 1 }, restart);
  const seen: DriverStatus[] = [];
  driver.on("status", (status: DriverStatus) => seen.push(status));
  /** Waits for a status that comes later. */
  const becomes = async (status: DriverStatus) => {
    while (driver.status !== status) await once(driver, "status");
  };
  const crash = () => current().outcome.reject(new Error("crash"));
  return { proc, driver, seen, becomes, crash };
}

t.test("by default it stays failed", async (t) => {
  const { proc, driver, seen, becomes, crash } = await running(t, {});
  crash();
  await becomes("failed");
  t.match(driver.error, { code: "INTERNAL", message: "crash" });
  t.equal(current().stops, 1);
  t.same(seen, ["failed"]);
  t.same(proc.listDrivers(), []);
  await driver.stop();
});

t.test("a function that makes it is given the parameters it had, too", async (t) => {
  const proc = await start(t, myPipeline());
  const make = (parameters: Partial<Parameters>) => new Fragile(parameters);
  const driver = await proc.addDriver("made", make, { rate: 1 }, { restart: "on-failure", backoffMs: 1 });
  t.same(driver.getParameters(), { rate: 1 });
  await driver.setParameters({ rate: 7 });
  current().outcome.reject(new Error("crash"));
  while (Fragile.lives.length < 2 || driver.status !== "running") await once(driver, "status");
  t.same(driver.getParameters(), { rate: 7 });
});

t.test("on failure it is made again, with the parameters it had, under the same pid", async (t) => {
  const { proc, driver, seen, becomes, crash } = await running(t, { restart: "on-failure", backoffMs: 1 });
  const { pid } = driver;
  await driver.setParameters({ rate: 7 });
  for (let life = 1; life <= 3; ++life) {
    crash();
    await once(driver, "status");
    t.match(driver.error, { message: "crash" });
    await becomes("running");
    t.equal(Fragile.lives.length, life + 1);
    t.same(driver.getParameters(), { rate: 7 });
    t.same(driver.listServices()[0]?.name, `life-${life + 1}`);
    t.equal(driver.pid, pid);
    t.equal(proc.getDriver("fragile"), driver);
  }
  t.same(seen, ["starting", "running", "starting", "running", "starting", "running"]);
  await driver.stop();
  t.equal(driver.status, "stopped");
  t.equal(driver.error, undefined);
  t.same(
    Fragile.lives.map(({ stops }) => stops),
    [1, 1, 1, 1],
    "each life is stopped once",
  );
});

t.test("a start that fails counts, and after maxRestarts it is given up", async (t) => {
  const { driver, becomes, crash } = await running(t, { restart: "on-failure", backoffMs: 0, maxRestarts: 3 });
  Fragile.failStarts = 2;
  crash();
  await becomes("starting");
  await becomes("running");
  t.equal(Fragile.lives.length, 4, "two starts failed, the third did not");
  crash();
  await t.rejects(driver.ended(), { message: "crash" });
  t.equal(driver.status, "failed");
  t.match(driver.error, { message: "crash" });
  t.equal(Fragile.lives.length, 4);
});

t.test("it can be stopped while it waits for its next start", async (t) => {
  const { driver, seen, crash } = await running(t, { restart: "on-failure", backoffMs: 30_000 });
  crash();
  await once(driver, "status");
  t.equal(driver.status, "starting");
  await Promise.all([driver.stop(), driver.stop()]);
  t.equal(driver.status, "failed", "why it was not running is told");
  t.match(driver.error, { message: "crash" });
  t.same(seen, ["starting", "failed"]);
  t.equal(Fragile.lives.length, 1);
});

t.test("a driver that ends by itself has stopped, and is not started again", async (t) => {
  const { driver, becomes } = await running(t, { restart: "on-failure" });
  const ended = driver.ended();
  current().outcome.resolve();
  await ended;
  await becomes("stopped");
  t.equal(Fragile.lives.length, 1);
  t.equal(driver.error, undefined);
});

t.test("a first start that fails is the caller's, whatever the policy", async (t) => {
  const proc = await start(t, myPipeline());
  Fragile.failStarts = 1;
  const adding = proc.addDriver("fragile", Fragile, {}, { restart: "on-failure" });
  await t.rejects(adding, { message: "not yet" });
  t.same(proc.listDrivers(), []);
  t.equal(Fragile.lives.length, 1);
});

t.test("a policy that is none is refused", async (t) => {
  const proc = await start(t, myPipeline());
  for (const [restart, path] of [
    [{ restart: "always" as never }, "restart"],
    [{ backoffMs: -1 }, "backoffMs"],
    [{ backoffMs: 60_000 }, "backoffMs"],
    [{ maxRestarts: Number.NaN }, "maxRestarts"],
  ] as const) {
    await t.rejects(proc.addDriver("x", Fragile, {}, restart), { code: "INVALID_ARGUMENT", path });
  }
  t.same(proc.listDrivers(), []);
});
