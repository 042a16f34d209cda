/** Stopping: nothing new, what was taken is finished or dropped and counted, everything is closed; also twice. */
import t from "tap";
import { DummySink } from "../../../src/sinks/dummy.js";
import { DummySource } from "../../../src/sources/dummy.js";
import { leavesNothing } from "../../contract/check.js";
import { deferred, myPipeline } from "../../support/cells.js";
import { start } from "../../support/serve.js";
import { gatedPipeline, HandSink, HandSource, SourceSinkDriver, settle, statisticsOf, until } from "./pieces.js";

t.test("stop finishes what was taken, and takes nothing new", async (t) => {
  const { pipeline, control } = gatedPipeline();
  control.isGated = true;
  const proc = await start(t, pipeline);
  const [source, sink] = [new HandSource(1, 2, 3, 4, 5), new HandSink()];
  const cams = await proc.addDriver("cams", SourceSinkDriver, {
    sources: { cam: { source, queueSize: 2 } },
    sinks: { out: { sink } },
  });
  await until(() => statisticsOf(cams).sources.cam?.queued === 2);
  const stopping = cams.stop();
  t.equal(cams.stop(), stopping);
  await settle();
  control.isGated = false;
  for (const gate of control.gates) gate.resolve();
  await stopping;
  t.equal(cams.status, "stopped");
  t.same(sink.outputs, [1, 2, 3]);
  t.match(statisticsOf(cams).sources.cam, { status: "stopped", in: 3, out: 3, dropped: 0, queued: 0 });
  t.same(
    [source.calls, sink.calls],
    [
      ["open", "read", "close"],
      ["open", "close"],
    ],
  );
});

t.test("when the time is over what is left is dropped and counted, in the pipeline and in the sink", async (t) => {
  const { pipeline, control } = gatedPipeline();
  const proc = await start(t, pipeline);
  const [source, sink] = [new HandSource(1, 2, 3), new HandSink()];
  sink.gate = deferred();
  const cams = await proc.addDriver("cams", SourceSinkDriver, {
    sources: { cam: { source, queueSize: 2 } },
    sinks: { out: { sink } },
  });
  await until(() => statisticsOf(cams).sinks.out?.in === 3);
  control.isGated = true;
  source.give(4, 5, 6);
  await until(() => statisticsOf(cams).sources.cam?.queued === 2);
  await cams.stop({ timeoutMs: 1 });
  t.equal(cams.status, "stopped");
  t.match(statisticsOf(cams).sources.cam, {
    status: "stopped",
    in: 6,
    out: 3,
    failed: 0,
    dropped: 3,
    queued: 0,
    inFlight: 0,
  });
  t.match(statisticsOf(cams).sinks.out, { status: "stopped", in: 3, written: 0, dropped: 3, queued: 0 });
  t.same(
    [source.calls, sink.calls],
    [
      ["open", "read", "close"],
      ["open", "close"],
    ],
  );
  for (const gate of control.gates) gate.resolve();
  control.isGated = false;
  const after = await proc.predict({ input: 1 }, { stateId: sink.items[0]?.stateId ?? "none" });
  t.equal(after.counter, 1);
});

t.test("a sink that waits to try again is not waited for", async (t) => {
  const proc = await start(t, gatedPipeline().pipeline);
  const sink = new HandSink();
  sink.failures.push(new Error("no"));
  const cams = await proc.addDriver("cams", SourceSinkDriver, {
    sources: { cam: { source: new HandSource(1) } },
    sinks: { out: { sink, backoffMs: 1_000_000 } },
  });
  await until(() => statisticsOf(cams).sinks.out?.retried === 1);
  await cams.stop({ timeoutMs: 1 });
  t.match(statisticsOf(cams).sinks.out, { written: 0, dropped: 1, queued: 0 });
});

t.test("a source that waits to be restarted is not waited for", async (t) => {
  const proc = await start(t, gatedPipeline().pipeline);
  const cams = await proc.addDriver("cams", SourceSinkDriver, {
    sources: {
      cam: { source: () => new HandSource().fail(new Error("no")), whenFailing: "restart", backoffMs: 1_000_000 },
    },
  });
  await until(() => statisticsOf(cams).sources.cam?.status === "restarting");
  await cams.stop();
  t.match(statisticsOf(cams).sources.cam, { status: "stopped", restarts: 0 });
  t.equal(cams.status, "stopped");
});

t.test("what does not heed its signal is left behind, said so, and closed all the same", async (t) => {
  const proc = await start(t, gatedPipeline().pipeline);
  class Deaf extends HandSource {
    override async *read() {
      yield { inputs: { input: 1 } };
      this.calls.push("deaf");
      await new Promise(() => {});
    }
  }
  class Stuck extends HandSink {
    override write(): Promise<void> {
      return new Promise(() => {});
    }
  }
  const [source, sink] = [new Deaf(), new Stuck()];
  const cams = await proc.addDriver("cams", SourceSinkDriver, {
    sources: { cam: { source } },
    sinks: { out: { sink } },
  });
  await until(() => statisticsOf(cams).sinks.out?.in === 1 && source.calls.includes("deaf"));
  await cams.stop({ timeoutMs: 1 });
  const { sources, sinks } = statisticsOf(cams);
  t.match(sources.cam, { status: "stopped", in: 1, out: 1, lastError: { code: "DEADLINE_EXCEEDED", message: /cam/ } });
  t.match(sinks.out, { status: "stopped", in: 1, written: 0, dropped: 1 });
  t.same(
    [source.calls, sink.calls],
    [
      ["open", "deaf", "close"],
      ["open", "close"],
    ],
  );
});

t.test("a stop cuts short what a removal would wait for", { timeout: 8000 }, async (t) => {
  const proc = await start(t, gatedPipeline().pipeline);
  const sink = new DummySink({ drain: false });
  const driver = new SourceSinkDriver({ sources: { cam: { source: new HandSource(1, 2) } }, sinks: { out: { sink } } });
  const cams = await proc.addDriver("cams", () => driver);
  await until(() => statisticsOf(cams).sinks.out?.in === 2);
  const removing = driver.removeSink("out");
  await settle();
  await Promise.all([cams.stop({ timeoutMs: 1 }), removing]);
  t.match(statisticsOf(cams).removed.sinks, { in: 2, written: 0, dropped: 2 });
});

t.test("under load, again and again, at once and with time: all is closed, freed and accounted for", async (t) => {
  const proc = await start(t, gatedPipeline().pipeline);
  let count = 0;
  const round = async (timeoutMs: number): Promise<void> => {
    const [fast, held] = [new DummySink(), new DummySink({ drain: false })];
    const cams = await proc.addDriver(`cams-${++count}`, SourceSinkDriver, {
      sources: {
        a: { source: new DummySource({ seed: 1 }), whenFull: "drop-newest", maxInFlight: 16 },
        b: { source: () => new DummySource({ rate: 1000 }), whenFull: "drop-oldest", queueSize: 1 },
        c: { source: new DummySource() },
      },
      sinks: { fast: { sink: fast, from: ["a", "b"] }, held: { sink: held, from: ["c"], queueSize: 4 } },
    });
    await until(() => fast.count > 200);
    await Promise.all([cams.stop({ timeoutMs }), cams.stop()]);
    t.equal(cams.status, "stopped");
    const { sources, sinks } = statisticsOf(cams);
    for (const source of Object.values(sources)) {
      t.match(source, { queued: 0, inFlight: 0, in: source.out + source.failed + source.dropped });
    }
    t.equal(sinks.fast?.written, fast.count);
    t.equal(sinks.fast?.in, (sources.a?.out ?? 0) + (sources.b?.out ?? 0));
    t.match(sinks.held, { written: 0, in: sources.c?.out, dropped: sources.c?.out });
  };
  await round(1);
  await leavesNothing(async () => {
    await round(1);
    await round(20);
    await Promise.all([round(1), round(5)]);
  });
});

t.test("endless sources without a wait in them leave others their turn", async (t) => {
  const proc = await start(t, myPipeline());
  for (const whenFull of ["block", "drop-oldest", "drop-newest"] as const) {
    const cams = await proc.addDriver("cams", SourceSinkDriver, {
      sources: { cam: { source: new DummySource(), whenFull } },
      sinks: { out: { sink: new DummySink() } },
    });
    // A timer that never fired would hang the test.
    await new Promise((resolve) => setTimeout(resolve, 1));
    await cams.stop();
    t.ok((statisticsOf(cams).sources.cam?.out ?? 0) > 0);
  }
});

t.test("a process that stops takes its driver with it", async (t) => {
  const proc = await start(t, myPipeline());
  const sink = new DummySink();
  const cams = await proc.addDriver("cams", SourceSinkDriver, {
    sources: { cam: { source: new DummySource() } },
    sinks: { out: { sink } },
  });
  await until(() => sink.count > 10);
  await proc.stop();
  t.equal(cams.status, "stopped");
  t.match(statisticsOf(cams).sources.cam, { status: "stopped", failed: 0, dropped: 0 });
});
