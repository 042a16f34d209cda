/** A server whose model hangs is not ready, and is again when the model goes on. */
import t from "tap";
import { onnxCell } from "../../../src/pipeline/index.js";
import { Inference } from "../../../src/runtime/index.js";
import { scrape } from "../../support/metrics.js";
import { fixture } from "../../support/paths.js";
import { modelPipeline, serve } from "../../support/serve.js";

const STALL_SECONDS = 0.05;
/** Rounds of a loop in the model: many times `STALL_SECONDS` of one core. */
const ENDLESS = 600_000;

t.test("ready, stalled, and ready again", async (t) => {
  const cell = onnxCell({ name: "busy", model: fixture("busy"), execution: "lanes", lanes: 1 });
  const pipeline = await modelPipeline(cell);
  const { url, client } = await serve(t, new Inference({ pipeline, stallSeconds: STALL_SECONDS }));
  const paths = ["/v2/health/ready", "/health/ready", "/v2/models/busy/ready", "/v2/models/busy/versions/1/ready"];
  const readiness = async (): Promise<number[]> =>
    Promise.all(paths.map(async (path) => (await fetch(url + path)).status));
  t.same(await readiness(), [200, 200, 200, 200], "without anything to do");
  await client.predict({ trips: [1] });
  t.same(await readiness(), [200, 200, 200, 200], "after a step");

  // The client's own patience ends long before the model's run: what hangs is the run, whoever waits for it.
  const outcome = client.predict({ trips: [ENDLESS] }, { timeoutMs: 20 }).then(
    () => "answered",
    (error: { code: string }) => error.code,
  );
  t.equal(await outcome, "DEADLINE_EXCEEDED");
  const waiting = client.predict({ trips: [1] });
  while ((await fetch(`${url}/v2/health/ready`)).status === 200) await new Promise((resolve) => setImmediate(resolve));
  t.same(await readiness(), [503, 503, 503, 503]);
  const { ready } = (await (await fetch(`${url}/health/ready`)).json()) as { ready: boolean };
  t.equal(ready, false);
  t.equal((await fetch(`${url}/health/live`)).status, 200, "it lives");
  const { value } = await scrape(url);
  t.equal(value("headrace_ready"), 0);
  t.ok(value("headrace_stalled_seconds") > STALL_SECONDS);
  t.ok(value("headrace_steps_waiting") >= 1);

  t.same(await waiting, { y: [[32]] });
  t.same(await readiness(), [200, 200, 200, 200], "as soon as it goes on");
  t.equal((await scrape(url)).value("headrace_stalled_seconds"), 0);
});

t.test("what is no number of seconds is refused", async (t) => {
  const pipeline = await modelPipeline(onnxCell({ name: "busy", model: fixture("busy") }));
  for (const stallSeconds of [0, -1, Number.NaN, "30" as never]) {
    t.throws(() => new Inference({ pipeline, stallSeconds }), { code: "INVALID_ARGUMENT", path: "stallSeconds" });
  }
  t.equal(new Inference({ pipeline }).stallSeconds, 30);
});
