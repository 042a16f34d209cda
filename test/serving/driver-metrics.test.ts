/** The numbers of drivers on their way into /metrics: those that come with Headrace, and one whose author was careless. */
import t from "tap";
import { HttpDriver } from "../../src/drivers/http/index.js";
import { SourceSinkDriver } from "../../src/drivers/source-sink/index.js";
import { StressDriver } from "../../src/drivers/stress/index.js";
import { type DriverMetric, PipelineDriver } from "../../src/runtime/index.js";
import { DummySink } from "../../src/sinks/dummy.js";
import { DummySource } from "../../src/sources/dummy.js";
import { myPipeline } from "../support/cells.js";
import { scrape } from "../support/metrics.js";
import { start } from "../support/serve.js";

class Careless extends PipelineDriver {
  private finish = (): void => {};
  override run(): Promise<void> {
    return new Promise((resolve) => {
      this.finish = resolve;
    });
  }
  override async stop(): Promise<void> {
    this.finish();
  }
  override metrics(): DriverMetric[] {
    const help = 'Of two lines\nand "quotes".';
    return [
      { name: "frames read", type: "counter", help, value: 2n ** 60n + 1n, labels: { "camera-name": 'door "1"\n' } },
      { name: "level", type: "gauge", help, value: 1.5, labels: { driver: "another", room: "a" } },
      { name: "level", type: "gauge", help, value: 2.5, labels: { room: "a" } },
      { name: "level", type: "counter", help, value: 3, labels: { room: "b" } },
    ];
  }
}

t.test("a name that is none, a label that is taken, a sample that is there already", async (t) => {
  const process = await start(t, myPipeline());
  const web = await process.addDriver("web", HttpDriver, { port: 0 });
  await process.addDriver('care"less', Careless);
  const { port } = web.getService("http").taggedAddresses.lan;
  const { lines } = await scrape(`http://127.0.0.1:${port}`);
  const ours = lines.filter(({ labels }) => labels.driver === 'care"less');
  const shared = { model: "MyPipeline", version: "1", driver: 'care"less' };
  t.same(ours, [
    { name: "headrace_driver_running", labels: shared, value: 1 },
    {
      name: "headrace_driver_frames_read_total",
      labels: { camera_name: 'door "1"\n', ...shared },
      value: Number(2n ** 60n + 1n),
    },
    { name: "headrace_driver_level", labels: { room: "a", ...shared }, value: 1.5 },
  ]);
});

t.test("a driver that cannot say its numbers costs nobody else's", async (t) => {
  const process = await start(t, myPipeline());
  const web = await process.addDriver("web", HttpDriver, { port: 0 });
  class Broken extends Careless {
    override metrics(): never {
      throw new Error("no numbers today");
    }
  }
  await process.addDriver("broken", Broken);
  const { port } = web.getService("http").taggedAddresses.lan;
  const { value } = await scrape(`http://127.0.0.1:${port}`);
  t.equal(value("headrace_driver_running", { driver: "web" }), 1);
  t.equal(value("headrace_driver_running", { driver: "broken" }), 1);
});

t.test("sources, sinks and load are told as they are counted", async (t) => {
  const process = await start(t, myPipeline());
  const web = await process.addDriver("web", HttpDriver, { port: 0 });
  const sink = new DummySink();
  const files = await process.addDriver("files", SourceSinkDriver, {
    sources: { a: { source: new DummySource({ count: 3, seed: 1 }) }, b: { source: new DummySource({ count: 2 }) } },
    sinks: { out: { sink } },
    endWithSources: false,
  });
  const load = await process.addDriver("load", StressDriver, { count: 10_000, stateIds: 2 });
  while (sink.count < 5) await new Promise((resolve) => setImmediate(resolve));
  const { port } = web.getService("http").taggedAddresses.lan;
  const url = `http://127.0.0.1:${port}`;
  const { value } = await scrape(url);
  const of = (name: string, labels: Record<string, string>) =>
    value(`headrace_driver_${name}`, { driver: "files", ...labels });
  t.match([of("source_items_total", { source: "a" }), of("source_items_total", { source: "b" })], [3, 2]);
  t.match([of("source_results_total", { source: "a" }), of("source_dropped_total", { source: "b" })], [3, 0]);
  t.equal(of("sink_items_total", { sink: "out" }), 5);
  t.match(files.statistics(), { sources: { a: { in: 3 } }, sinks: { out: { in: 5 } } });
  const before = value("headrace_driver_stress_predictions_total", { driver: "load" });
  t.ok(before <= 10_000);
  await load.ended();
  t.equal(load.metrics().find(({ name }) => name === "stress_predictions")?.value, 10_000);
  t.equal((await scrape(url)).value("headrace_requests_total", { code: "OK" }), 10_005);
});
