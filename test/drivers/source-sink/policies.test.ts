/** What happens when the pipeline or a sink is slower than a source: exactly, since every step waits for its test. */
import t, { type Test } from "tap";
import type { SinkEntry, SourceEntry } from "../../../src/drivers/source-sink/index.js";
import { start } from "../../support/serve.js";
import { ended, gatedPipeline, HandSink, HandSource, SourceSinkDriver, settle, statisticsOf } from "./pieces.js";

/** A source of 1..10 into a pipeline whose first prediction waits. */
async function slowPipeline(t: Test, settings: Omit<SourceEntry, "source">) {
  const { pipeline, control } = gatedPipeline();
  control.isGated = true;
  const proc = await start(t, pipeline);
  const source = new HandSource(1);
  const sink = new HandSink();
  const cams = await proc.addDriver("cams", SourceSinkDriver, {
    sources: { cam: { source, ...settings } },
    sinks: { out: { sink } },
  });
  await settle();
  source.give(2, 3, 4, 5, 6, 7, 8, 9, 10).end();
  await settle();
  const open = async (): Promise<void> => {
    control.isGated = false;
    for (const gate of control.gates) gate.resolve();
    await ended(cams);
  };
  return { cams, sink, open, cam: () => statisticsOf(cams).sources.cam };
}

t.test("block: the source is not asked for more than there is room for", async (t) => {
  const { cam, sink, open } = await slowPipeline(t, { queueSize: 3 });
  // One is being predicted, three wait.
  t.match(cam(), { in: 4, inFlight: 1, queued: 3, dropped: 0 });
  await open();
  t.match(cam(), { in: 10, out: 10, dropped: 0 });
  t.same(sink.outputs, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

t.test("drop-oldest: the last items are kept", async (t) => {
  const { cam, sink, open } = await slowPipeline(t, { queueSize: 3, whenFull: "drop-oldest" });
  t.match(cam(), { in: 10, inFlight: 1, queued: 3, dropped: 6 });
  await open();
  t.same(sink.outputs, [1, 8, 9, 10]);
  t.match(cam(), { in: 10, out: 4, dropped: 6 });
});

t.test("drop-newest: the first items are kept", async (t) => {
  const { cam, sink, open } = await slowPipeline(t, { queueSize: 3, whenFull: "drop-newest" });
  t.match(cam(), { in: 10, inFlight: 1, queued: 3, dropped: 6 });
  await open();
  t.same(sink.outputs, [1, 2, 3, 4]);
  t.match(cam(), { in: 10, out: 4, dropped: 6 });
});

t.test("maxInFlight: so many are predicted at a time", async (t) => {
  const { cam, sink, open } = await slowPipeline(t, { queueSize: 2, maxInFlight: 4 });
  t.match(cam(), { in: 6, inFlight: 4, queued: 2 });
  await open();
  t.same(sink.outputs, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

/** A source of 1..10 into a sink whose first write waits. */
async function slowSink(t: Test, source: Omit<SourceEntry, "source">, settings: Omit<SinkEntry, "sink">) {
  const proc = await start(t, gatedPipeline().pipeline);
  const sink = new HandSink();
  const gate = { resolve: (): void => {} };
  const promise = new Promise<void>((resolve) => {
    gate.resolve = resolve;
  });
  sink.gate = { promise, resolve: gate.resolve, reject: () => {} };
  const hand = new HandSource();
  const cams = await proc.addDriver("cams", SourceSinkDriver, {
    sources: { cam: { source: hand, ...source } },
    sinks: { out: { sink, ...settings } },
  });
  // One by one, so that it is the sink and not the pipeline that is slow.
  for (const number of [1, 2, 3, 4, 5]) {
    hand.give(number);
    await settle();
  }
  hand.give(6, 7, 8, 9, 10).end();
  await settle();
  const open = async (): Promise<void> => {
    sink.gate = undefined;
    gate.resolve();
    await ended(cams);
  };
  return { sink, open, cam: () => statisticsOf(cams).sources.cam, out: () => statisticsOf(cams).sinks.out };
}

t.test("a slow sink holds up the source", async (t) => {
  const { sink, open, cam, out } = await slowSink(t, { queueSize: 2 }, { queueSize: 3 });
  // One is being written, three wait for it, one more waits for its place, two for their predictions.
  t.match(out(), { in: 4, queued: 4, written: 0, dropped: 0 });
  t.match(cam(), { in: 7, out: 4, inFlight: 1, queued: 2, dropped: 0 });
  await open();
  t.same(sink.outputs, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  t.match(out(), { in: 10, written: 10, dropped: 0, queued: 0 });
});

t.test("a slow sink makes a source drop by the source's policy", async (t) => {
  const { sink, open, cam } = await slowSink(t, { queueSize: 2, whenFull: "drop-oldest" }, { queueSize: 3 });
  t.match(cam(), { in: 10, out: 4, inFlight: 1, queued: 2, dropped: 3 });
  await open();
  t.same(sink.outputs, [1, 2, 3, 4, 5, 9, 10]);
});

t.test("a slow sink that drops by its own policy holds nothing up", async (t) => {
  const oldest = await slowSink(t, {}, { queueSize: 3, whenFull: "drop-oldest" });
  t.match(oldest.cam(), { status: "ended", in: 10, out: 10, dropped: 0 });
  t.match(oldest.out(), { in: 10, queued: 4, dropped: 6 });
  await oldest.open();
  t.same(oldest.sink.outputs, [1, 8, 9, 10]);
  const newest = await slowSink(t, {}, { queueSize: 3, whenFull: "drop-newest" });
  await newest.open();
  t.same(newest.sink.outputs, [1, 2, 3, 4]);
  t.match(newest.out(), { in: 10, written: 4, dropped: 6 });
});

/** A sink that fails as told, for each write in turn. */
async function failingSink(t: Test, failures: (Error | undefined)[], settings: Omit<SinkEntry, "sink">) {
  const proc = await start(t, gatedPipeline().pipeline);
  const sink = new HandSink();
  sink.failures.push(...failures);
  const cams = await proc.addDriver("cams", SourceSinkDriver, {
    sources: { cam: { source: new HandSource(1, 2, 3).end() } },
    sinks: { out: { sink, backoffMs: 1, ...settings } },
  });
  await ended(cams);
  return { cams, sink, out: statisticsOf(cams).sinks.out };
}

const no = (): Error => new Error("no");

t.test("a write that fails is tried again, with the same item", async (t) => {
  const { cams, sink, out } = await failingSink(t, [no(), no(), undefined, no()], { retries: 2 });
  t.same(sink.outputs, [1, 2, 3]);
  t.match(out, { in: 3, written: 3, retried: 3, dropped: 0, lastError: { code: "INTERNAL", message: "no" } });
  t.equal(cams.status, "stopped");
});

t.test("after the last attempt the item is dropped and counted, or the driver fails", async (t) => {
  const dropped = await failingSink(t, [no(), no(), no()], { retries: 1 });
  t.same(dropped.sink.outputs, [2, 3]);
  t.match(dropped.out, { in: 3, written: 2, retried: 2, dropped: 1 });
  t.equal(dropped.cams.status, "stopped");

  const stopped = await failingSink(t, [undefined, no(), no()], { retries: 1, whenFailing: "stop" });
  t.same(stopped.sink.outputs, [1]);
  t.equal(stopped.cams.status, "failed");
  t.match(stopped.cams.error, { message: "no" });
  t.match(stopped.out, { status: "failed", written: 1 });
  t.equal(stopped.out?.in, 1 + (stopped.out?.dropped ?? 0), "what was not written is dropped and counted");
  t.same(stopped.sink.calls, ["open", "close"]);
});

t.test("what can never be written is not tried again", async (t) => {
  const { InvalidArgumentError } = await import("../../../src/errors.js");
  const { sink, out } = await failingSink(t, [new InvalidArgumentError("not of the types")], {});
  t.same(sink.outputs, [2, 3]);
  t.match(out, { retried: 0, dropped: 1, lastError: { code: "INVALID_ARGUMENT" } });
});
