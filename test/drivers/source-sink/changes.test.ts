/** Sources and sinks come and go while the driver runs: all that was asked for or nothing, and nobody else notices. */
import t from "tap";
import type { SourceSinkParameters } from "../../../src/drivers/source-sink/index.js";
import { deferred } from "../../support/cells.js";
import { start } from "../../support/serve.js";
import { ended, gatedPipeline, HandSink, HandSource, SourceSinkDriver, settle, statisticsOf, until } from "./pieces.js";

t.test(
  "setParameters starts what is new, stops what is missing, restarts what differs, leaves the rest alone",
  async (t) => {
    const proc = await start(t, gatedPipeline().pipeline);
    const hands = {
      kept: new HandSource(1),
      gone: new HandSource(1),
      changed: new HandSource(1),
      added: new HandSource(1),
    };
    const [kept, gone, added] = [new HandSink(), new HandSink(), new HandSink()];
    const again: HandSource[] = [];
    const changed = (): HandSource => {
      const source = new HandSource(1);
      again.push(source);
      return source;
    };
    const cams = await proc.addDriver("cams", SourceSinkDriver, {
      sources: { kept: { source: hands.kept }, gone: { source: hands.gone }, changed: { source: changed } },
      sinks: { kept: { sink: kept }, gone: { sink: gone, from: ["gone"] } },
    });
    await until(() => kept.items.length === 3);
    const before = cams.getParameters();
    t.match(before.sources.kept, { source: hands.kept, queueSize: 16, whenFull: "block", stateId: /\/kept$/ });
    const sources: SourceSinkParameters["sources"] = {
      ...before.sources,
      changed: { source: changed, queueSize: 7 },
      added: { source: hands.added },
    };
    const { gone: _gone, ...left } = sources;
    await cams.setParameters({
      sources: left,
      sinks: { kept: before.sinks.kept ?? { sink: kept }, added: { sink: added, from: ["kept", "added"] } },
    });
    t.same(hands.kept.calls, ["open", "read"]);
    t.same(hands.gone.calls, ["open", "read", "close"]);
    t.same(
      again.map(({ calls }) => calls),
      [
        ["open", "read", "close"],
        ["open", "read"],
      ],
    );
    t.same(gone.calls, ["open", "close"]);
    t.same(kept.calls, ["open"]);
    hands.kept.give(2);
    await until(() => kept.items.length === 6 && added.items.length === 2);
    t.same(
      added.items.map(({ source, outputs }) => `${source} ${outputs.output} ${outputs.counter}`).sort(),
      ["added 1 1", "kept 2 2"],
      "the kept one's state and place go on",
    );
    const restarted = kept.items.filter(({ source }) => source === "changed");
    t.same(
      restarted.map(({ sequence, outputs }) => [sequence, outputs.counter]),
      [
        [0, 1],
        [0, 1],
      ],
      "a changed one is a new stream",
    );
    const { removed, ...now } = statisticsOf(cams);
    t.same(Object.keys(now.sources).sort(), ["added", "changed", "kept"]);
    t.same(removed.sources, { in: 2, out: 2, failed: 0, dropped: 0 });
    t.same(removed.sinks, { in: 1, written: 1, retried: 0, dropped: 0 });
    t.equal(cams.getParameters().sources.changed?.queueSize, 7);
  },
);

t.test("where anything does not fit, nothing is changed", async (t) => {
  const proc = await start(t, gatedPipeline().pipeline);
  const [source, sink, other] = [new HandSource(1), new HandSink(), new HandSource()];
  const cams = await proc.addDriver("cams", SourceSinkDriver, {
    sources: { cam: { source, stateId: "one" } },
    sinks: { out: { sink } },
  });
  const good = cams.getParameters();
  const fresh = () => new HandSource();
  const wrong: readonly (readonly [unknown, string])[] = [
    [{ sources: [], sinks: {} }, "sources"],
    [{ sources: {}, sinks: {}, colour: "red" }, "colour"],
    [{ sources: {}, sinks: {}, endWithSources: 1 }, "endWithSources"],
    [{ sources: { b: { source: {} } }, sinks: {} }, "sources.b.source"],
    [{ sources: { b: { source: fresh, queueSize: 0 } }, sinks: {} }, "sources.b.queueSize"],
    [{ sources: { b: { source: fresh, maxInFlight: 1.5 } }, sinks: {} }, "sources.b.maxInFlight"],
    [{ sources: { b: { source: fresh, whenFull: "wait" } }, sinks: {} }, "sources.b.whenFull"],
    [{ sources: { b: { source: fresh, whenFailing: "drop" } }, sinks: {} }, "sources.b.whenFailing"],
    [{ sources: { b: { source: fresh, stateId: "" } }, sinks: {} }, "sources.b.stateId"],
    [{ sources: { b: { source: fresh, fps: 25 } }, sinks: {} }, "sources.b.fps"],
    [{ sources: { b: { source: other, whenFailing: "restart" } }, sinks: {} }, "sources.b.source"],
    [{ sources: { ...good.sources, b: { source: fresh, stateId: "one" } }, sinks: {} }, "sources.b.stateId"],
    [{ sources: { a: { source: other }, b: { source: other } }, sinks: {} }, "sources.b.source"],
    [{ sources: { cam: { source, queueSize: 4 } }, sinks: {} }, "sources.cam.source"],
    [{ ...good, sinks: { out: { sink, queueSize: 4 } } }, "sinks.out.sink"],
    [{ ...good, sinks: { b: { sink: new HandSource() } } }, "sinks.b.sink"],
    [{ ...good, sinks: { b: { sink: new HandSink(), from: ["cam", "cat"] } } }, "sinks.b.from[1]"],
    [{ ...good, sinks: { b: { sink: new HandSink(), retries: -1 } } }, "sinks.b.retries"],
  ];
  for (const [parameters, path] of wrong) {
    await t.rejects(cams.setParameters(parameters as SourceSinkParameters), { code: "INVALID_ARGUMENT", path }, path);
    t.same(cams.getParameters(), good);
  }
  t.same([source.calls, sink.calls, other.calls], [["open", "read"], ["open"], []]);
  source.give(2).end();
  await ended(cams);
  t.equal(sink.items.length, 2);
  t.throws(() => new SourceSinkDriver({ sources: { b: {} as never } }), {
    code: "INVALID_ARGUMENT",
    path: "sources.b.source",
  });
});

t.test("an instance has one life, in whichever driver", async (t) => {
  const proc = await start(t, gatedPipeline().pipeline);
  const source = new HandSource(1).end();
  const first = await proc.addDriver("first", SourceSinkDriver, { sources: { cam: { source } } });
  await ended(first);
  const second = proc.addDriver("second", SourceSinkDriver, { sources: { cam: { source } } });
  await t.rejects(second, { code: "INVALID_ARGUMENT", path: "sources.cam.source", message: /one life/ });
});

t.test("addSource, removeSource, addSink and removeSink of the driver itself", async (t) => {
  const proc = await start(t, gatedPipeline().pipeline);
  const driver = new SourceSinkDriver({ endWithSources: false });
  await t.rejects(driver.addSource("early", { source: new HandSource() }), { code: "UNAVAILABLE" });
  await proc.addDriver("cams", () => driver);
  const [source, sink] = [new HandSource(1, 2), new HandSink()];
  // Asked for at the same time, done one after the other.
  await Promise.all([driver.addSink("out", { sink }), driver.addSource("cam", { source })]);
  await until(() => sink.items.length === 2);
  await t.rejects(driver.addSource("cam", { source: new HandSource() }), {
    code: "INVALID_ARGUMENT",
    path: "sources.cam",
  });
  await t.rejects(driver.removeSource("cat"), { code: "NOT_FOUND", message: /'cat'; there are cam/ });
  await t.rejects(driver.removeSink("in"), { code: "NOT_FOUND" });
  await Promise.all([driver.removeSource("cam"), driver.removeSink("out")]);
  t.same(
    [source.calls, sink.calls],
    [
      ["open", "read", "close"],
      ["open", "close"],
    ],
  );
  t.same(driver.statistics().removed, {
    sources: { in: 2, out: 2, failed: 0, dropped: 0 },
    sinks: { in: 2, written: 2, retried: 0, dropped: 0 },
  });
  t.same(Object.keys(driver.getParameters().sources), []);
});

t.test("a source that is removed finishes what it took, into the sinks that go with it", async (t) => {
  const { pipeline, control } = gatedPipeline();
  control.isGated = true;
  const proc = await start(t, pipeline);
  const [source, sink] = [new HandSource(1, 2, 3), new HandSink()];
  const cams = await proc.addDriver("cams", SourceSinkDriver, {
    sources: { cam: { source } },
    sinks: { out: { sink } },
    endWithSources: false,
  });
  await until(() => statisticsOf(cams).sources.cam?.in === 3);
  const removing = cams.setParameters({ sources: {}, sinks: {} });
  await settle();
  t.same(source.calls, ["open", "read", "close"], "it is read no more");
  t.same(sink.calls, ["open"]);
  control.isGated = false;
  for (const gate of control.gates) gate.resolve();
  await removing;
  t.same(sink.outputs, [1, 2, 3]);
  t.same(sink.calls, ["open", "close"]);
});

t.test("one that is added and cannot be opened says so in its status", async (t) => {
  const proc = await start(t, gatedPipeline().pipeline);
  class Closed extends HandSource {
    override async open(): Promise<void> {
      throw new Error("no camera");
    }
  }
  class Shut extends HandSink {
    override async open(): Promise<void> {
      throw new Error("no disk");
    }
  }
  const [good, bad, shut, sink] = [new HandSource(1), new Closed(), new Shut(), new HandSink()];
  const driver = new SourceSinkDriver({ sources: { good: { source: good } }, sinks: { out: { sink } } });
  const cams = await proc.addDriver("cams", () => driver);
  await driver.addSource("bad", { source: bad });
  await driver.addSink("shut", { sink: shut });
  t.match(driver.statistics().sources.bad, { status: "failed", lastError: { message: "no camera" } });
  good.give(2).end();
  await ended(cams);
  t.same(sink.outputs, [1, 2], "the others do not mind");
  t.match(driver.statistics().sinks.shut, { status: "failed", written: 0, lastError: { message: "no disk" } });
  t.equal(driver.statistics().sinks.shut?.in, driver.statistics().sinks.shut?.dropped);
  t.same([bad.calls, shut.calls], [["close"], ["close"]]);
});

t.test("changes while it ends or stops are refused, and hold nothing up", async (t) => {
  const proc = await start(t, gatedPipeline().pipeline);
  const [source, sink] = [new HandSource(1).end(), new HandSink()];
  sink.gate = deferred();
  const driver = new SourceSinkDriver({ sources: { cam: { source } }, sinks: { out: { sink } } });
  const cams = await proc.addDriver("cams", () => driver);
  await until(() => driver.statistics().sources.cam?.status === "ended");
  await settle();
  await t.rejects(driver.addSource("late", { source: new HandSource() }), { code: "UNAVAILABLE" });
  sink.gate.resolve();
  await ended(cams);
  t.same(sink.outputs, [1]);

  const opening = deferred();
  class Slow extends HandSource {
    override async open(): Promise<void> {
      await opening.promise;
    }
  }
  const other = new SourceSinkDriver();
  const slow = await proc.addDriver("slow", () => other);
  const late = new Slow(1);
  const adding = other.addSource("late", { source: late });
  await settle();
  const stopping = slow.stop();
  opening.resolve();
  await Promise.all([adding, stopping]);
  t.equal(slow.status, "stopped");
  t.same(late.calls, ["close"], "opened too late: closed, never read");
});
