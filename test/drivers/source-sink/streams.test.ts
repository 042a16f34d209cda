/** Sources are streams: in order, each with a state of its own, through to every sink, and over when they end. */
import fc from "fast-check";
import t from "tap";
import type { SourceSinkParameters } from "../../../src/drivers/source-sink/index.js";
import { defineCell, PipelineFactory } from "../../../src/pipeline/index.js";
import { Integer } from "../../../src/types/index.js";
import { type Deferred, deferred, myPipeline } from "../../support/cells.js";
import { start } from "../../support/serve.js";
import {
  type Cams,
  ended,
  gatedPipeline,
  HandSink,
  HandSource,
  SourceSinkDriver,
  settle,
  statisticsOf,
  until,
} from "./pieces.js";

const nothing = { in: 0, out: 0, failed: 0, dropped: 0, queued: 0, inFlight: 0 };

t.test("several sources into several sinks: no stream mixes, each is in order, and states are freed", async (t) => {
  const proc = await start(t, gatedPipeline().pipeline);
  const [all, some] = [new HandSink(), new HandSink()];
  const numbers = Array.from({ length: 50 }, (_, i) => i);
  const cams = await proc.addDriver("cams", SourceSinkDriver, {
    sources: {
      a: { source: new HandSource(...numbers).end(), stateId: "camera-a" },
      b: { source: () => new HandSource(...numbers.slice(0, 20)).end(), maxInFlight: 8 },
    },
    sinks: { all: { sink: all }, some: { sink: () => some, from: ["b"] } },
  });
  await ended(cams);
  t.equal(cams.status, "stopped");
  for (const [ref, count] of [
    ["a", 50],
    ["b", 20],
  ] as const) {
    const items = all.items.filter(({ source }) => source === ref);
    t.same(
      items.map(({ sequence, outputs }) => [sequence, outputs.output, outputs.counter]),
      numbers.slice(0, count).map((i) => [i, i, i + 1]),
    );
    t.match(statisticsOf(cams).sources[ref], { ...nothing, status: "ended", in: count, out: count });
  }
  t.same(
    some.items,
    all.items.filter(({ source }) => source === "b"),
  );
  const { a, b } = Object.fromEntries(all.items.map((item) => [item.source, item]));
  t.equal(a?.stateId, "camera-a");
  t.match(b?.stateId, /^source-sink-[0-9a-f]{8}\/b$/);
  t.ok((a?.capturedAt ?? 0) <= (a?.predictedAt ?? 0));
  t.same(
    [all.calls, some.calls],
    [
      ["open", "close"],
      ["open", "close"],
    ],
  );
  t.match(statisticsOf(cams).sinks, { all: { status: "stopped", in: 70, written: 70 }, some: { written: 20 } });
  const [afterwards] = await Promise.all([proc.predict({ input: 1 }, { stateId: "camera-a" })]);
  t.equal(afterwards.counter, 1, "the state was freed at the end of the stream");
});

t.test("whatever the sources, policies and sinks, nothing is lost unseen", async (t) => {
  const whenFull = fc.constantFrom("block", "drop-oldest", "drop-newest") as fc.Arbitrary<
    "block" | "drop-oldest" | "drop-newest"
  >;
  const entry = fc.record({
    items: fc.array(fc.integer({ min: -2, max: 20 }), { maxLength: 40 }),
    whenFull,
    queueSize: fc.integer({ min: 1, max: 4 }),
    maxInFlight: fc.integer({ min: 1, max: 4 }),
  });
  const sinkEntry = fc.record({
    whenFull,
    queueSize: fc.integer({ min: 1, max: 4 }),
    failures: fc.array(fc.boolean()),
  });
  const { pipeline } = gatedPipeline();
  const proc = await start(t, pipeline);
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(entry, { minLength: 1, maxLength: 3 }),
      fc.array(sinkEntry, { maxLength: 2 }),
      async (sources, sinks) => {
        const hands = sinks.map(({ failures }) => {
          const sink = new HandSink();
          sink.failures.push(...failures.map((fails) => (fails ? new Error("no") : undefined)));
          return sink;
        });
        const parameters: SourceSinkParameters = {
          sources: Object.fromEntries(
            sources.map(({ items, ...settings }, i) => [
              `s${i}`,
              { source: new HandSource(...items).end(), ...settings },
            ]),
          ),
          sinks: Object.fromEntries(
            sinks.map(({ whenFull, queueSize }, i) => [
              `k${i}`,
              { sink: () => hands[i] ?? new HandSink(), whenFull, queueSize, retries: 1, backoffMs: 1 },
            ]),
          ),
        };
        const cams = await proc.addDriver(`cams-${++runs}`, SourceSinkDriver, parameters);
        await ended(cams);
        const statistics = statisticsOf(cams);
        let out = 0;
        for (const [i, { items, whenFull }] of sources.entries()) {
          const counts = statistics.sources[`s${i}`];
          if (counts === undefined) throw new Error("a source without statistics");
          t.match(counts, { status: "ended", in: items.length, queued: 0, inFlight: 0 });
          t.equal(counts.in, counts.out + counts.failed + counts.dropped);
          if (whenFull === "block") t.equal(counts.failed, items.filter((item) => item < 0).length);
          if (whenFull === "block") t.equal(counts.dropped, 0);
          out += counts.out;
          for (const sink of hands) {
            const mine = sink.items.filter(({ source }) => source === `s${i}`);
            const sequences = mine.map(({ sequence }) => sequence);
            t.same(
              sequences,
              [...new Set(sequences)].sort((a, b) => a - b),
              "each once, in order",
            );
            t.ok(mine.every(({ sequence, outputs }) => outputs.output === items[sequence]));
          }
        }
        for (const [i, sink] of hands.entries()) {
          const counts = statistics.sinks[`k${i}`];
          t.match(counts, { in: out, written: sink.items.length, dropped: out - sink.items.length, queued: 0 });
        }
      },
    ),
    { numRuns: 40 },
  );
});

t.test("a failing prediction is counted, the stream goes on, its state as it was", async (t) => {
  const proc = await start(t, gatedPipeline().pipeline);
  const sink = new HandSink();
  const cams = await proc.addDriver("cams", SourceSinkDriver, {
    sources: { a: { source: new HandSource(1, -1, 2, -1, 3).end(), maxInFlight: 3 } },
    sinks: { out: { sink } },
  });
  await ended(cams);
  t.equal(cams.status, "stopped");
  t.same(
    sink.items.map(({ sequence, outputs }) => [sequence, outputs.output, outputs.counter]),
    [
      [0, 1, 1],
      [2, 2, 2],
      [4, 3, 3],
    ],
  );
  t.match(statisticsOf(cams).sources.a, {
    ...nothing,
    in: 5,
    out: 3,
    failed: 2,
    lastError: { code: "CELL_FAILED", message: /negative/ },
  });
});

t.test("results reach the sinks in the order of their items, whichever prediction is done first", async (t) => {
  const gates: Deferred<void>[] = [];
  const Stateless = defineCell({
    name: "Stateless",
    inputs: { input: Integer() },
    outputs: { output: Integer() },
    async call({ inputs }) {
      const gate = deferred();
      gates.push(gate);
      await gate.promise;
      return { output: inputs.input };
    },
  });
  const factory = new PipelineFactory({ name: "stateless" });
  const cell = factory.addCell("cell", Stateless);
  const proc = await start(
    t,
    factory.declareInput("input", cell.inputs.input).declareOutput("output", cell.outputs.output).build(),
  );
  const sink = new HandSink();
  const cams = await proc.addDriver("cams", SourceSinkDriver, {
    sources: { a: { source: new HandSource(1, 2, 3, 4, 5).end(), maxInFlight: 4 } },
    sinks: { out: { sink } },
  });
  await until(() => gates.length === 4);
  for (const index of [3, 1, 2]) gates[index]?.resolve();
  await settle();
  t.same(sink.outputs, []);
  t.equal(gates.length, 4, "what waits for those before it counts as under way");
  t.match(statisticsOf(cams).sources.a, { inFlight: 4, queued: 1, out: 0 });
  gates[0]?.reject(new Error("no"));
  await until(() => gates.length === 5);
  gates[4]?.resolve();
  await ended(cams);
  t.same(sink.outputs, [2, 3, 4, 5]);
  t.match(statisticsOf(cams).sources.a, { out: 4, failed: 1 });
});

t.test("inputs that do not fit are failed predictions, what is no item fails the source", async (t) => {
  const proc = await start(t, myPipeline());
  class Odd extends HandSource {
    override async *read() {
      yield { inputs: { input: "one" } };
      yield undefined as never;
    }
  }
  const cams = await proc.addDriver("cams", SourceSinkDriver, { sources: { odd: { source: new Odd() } } });
  await ended(cams);
  t.equal(cams.status, "failed");
  t.match(cams.error, { code: "INVALID_ARGUMENT", message: /source 'odd' failed: .*expected \{ inputs \}/ });
  t.match(statisticsOf(cams).sources.odd, { status: "failed", in: 1, failed: 1 });
});

t.test("a source that fails is over and says so; the others go on, and the driver fails at the end", async (t) => {
  const proc = await start(t, gatedPipeline().pipeline);
  const [bad, good, sink] = [new HandSource(1), new HandSource(1), new HandSink()];
  const cams = await proc.addDriver("cams", SourceSinkDriver, {
    sources: { bad: { source: bad.fail(new Error("the cable was pulled")) }, good: { source: good } },
    sinks: { out: { sink } },
  });
  await until(() => statisticsOf(cams).sources.bad?.status === "failed");
  t.same(bad.calls, ["open", "read", "close"]);
  t.match(statisticsOf(cams).sources.bad, { in: 1, out: 1, lastError: { message: "the cable was pulled" } });
  good.give(2).end();
  await ended(cams);
  t.equal(sink.items.length, 3);
  t.equal(cams.status, "failed");
  t.match(cams.error, { code: "INTERNAL", message: "source 'bad' failed: the cable was pulled" });
  t.match(statisticsOf(cams).sources.good, { status: "ended", out: 2 });
});

t.test("a source that is restarted is made anew, and begins a new stream when the old one is done", async (t) => {
  const { pipeline, control } = gatedPipeline();
  const proc = await start(t, pipeline);
  const sink = new HandSink();
  const made: HandSource[] = [];
  control.isGated = true;
  const cams = await proc.addDriver("cams", SourceSinkDriver, {
    sources: {
      cam: {
        source: () => {
          const source = new HandSource(1, 2);
          made.push(source);
          return made.length < 3 ? source.fail(new Error("lost")) : source.end();
        },
        whenFailing: "restart",
        backoffMs: 1,
      },
    },
    sinks: { out: { sink } },
  });
  for (let released = 0; cams.status === "running"; ) {
    await settle();
    if (statisticsOf(cams).sources.cam?.status === "restarting") t.ok(made.length < 3);
    const gate = control.gates[released];
    if (gate === undefined) continue;
    released += 1;
    gate.resolve();
  }
  t.equal(made.length, 3);
  for (const source of made) t.same(source.calls, ["open", "read", "close"]);
  t.match(statisticsOf(cams).sources.cam, { status: "ended", restarts: 2, in: 6, out: 6, dropped: 0 });
  t.same(
    sink.items.map(({ sequence, outputs }) => [sequence, outputs.counter]),
    [
      [0, 1],
      [1, 2],
      [2, 1],
      [3, 2],
      [4, 1],
      [5, 2],
    ],
  );
});

t.test("what cannot be opened is not added; a source to be restarted is tried again", async (t) => {
  const proc = await start(t, gatedPipeline().pipeline);
  class Closed extends HandSource {
    override async open(): Promise<void> {
      throw new Error("no camera");
    }
  }
  const [bad, good, sink] = [new Closed(), new HandSource(), new HandSink()];
  const adding = proc.addDriver("cams", SourceSinkDriver, {
    sources: { bad: { source: bad }, good: { source: good } },
    sinks: { out: { sink } },
  });
  await t.rejects(adding, { message: "no camera" });
  t.same(proc.listDrivers(), []);
  t.same([bad.calls, good.calls, sink.calls], [["close"], ["open", "close"], ["open", "close"]]);

  let attempts = 0;
  const cams = await proc.addDriver("cams", SourceSinkDriver, {
    sources: {
      cam: {
        source: () => (++attempts < 3 ? new Closed() : new HandSource(7).end()),
        whenFailing: "restart",
        backoffMs: 1,
      },
    },
  });
  await ended(cams);
  t.match(statisticsOf(cams).sources.cam, { status: "ended", out: 1, restarts: 2 });
});

t.test("endWithSources false: it runs on without sources", async (t) => {
  const proc = await start(t, gatedPipeline().pipeline);
  const add = (ref: string, parameters: Partial<SourceSinkParameters>): Promise<Cams> =>
    proc.addDriver(ref, SourceSinkDriver, parameters);
  const kept = await add("kept", { sources: { a: { source: new HandSource(1).end() } }, endWithSources: false });
  const empty = await add("empty", {});
  await until(() => statisticsOf(kept).sources.a?.status === "ended");
  await settle();
  t.equal(kept.status, "running");
  t.equal(empty.status, "running", "one that never had a source waits for the first");
  await kept.setParameters({ ...kept.getParameters(), endWithSources: true });
  await ended(kept);
  t.equal(kept.status, "stopped");
});
