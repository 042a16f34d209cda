/** A sink that counts, keeps what it is asked to keep, and can be made to wait. */
import t from "tap";
import { DummySink } from "../../src/sinks/dummy.js";
import { Integer } from "../../src/types/index.js";
import { fakeItem, sinkContract } from "../contract/sink-contract.js";

const outputs = { output: Integer() };
const never = new AbortController().signal;

for (const { name, run } of sinkContract({
  outputs,
  make: () => new DummySink({ keep: 100 }),
  written: (sink) => sink.items.map(({ sequence }) => sequence),
  makeWaiting: () => new DummySink({ drain: false }),
})) {
  t.test(`DummySink ${name}`, run);
}

t.test("it keeps the last items only, and counts all", async (t) => {
  const sink = new DummySink({ keep: 2 });
  for (let i = 0; i < 5; i++) await sink.write(fakeItem(outputs, i), never);
  t.equal(sink.count, 5);
  t.same(
    sink.items.map(({ sequence }) => sequence),
    [3, 4],
  );
  const forgetful = new DummySink();
  await forgetful.write(fakeItem(outputs, 0), never);
  t.same([forgetful.count, forgetful.items.length], [1, 0]);
  t.throws(() => new DummySink({ keep: -1 }), { code: "INVALID_ARGUMENT", path: "DummySink.keep" });
});

t.test("it takes nothing before it is told to", async (t) => {
  const sink = new DummySink({ drain: false });
  const write = sink.write(fakeItem(outputs, 0), never);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(sink.count, 0);
  sink.resume();
  await write;
  t.equal(sink.count, 1);
  sink.pause();
  const cancelled = new AbortController();
  const waiting = sink.write(fakeItem(outputs, 1), cancelled.signal);
  cancelled.abort();
  await t.rejects(waiting, { code: "CANCELLED" });
  t.equal(sink.count, 1);
});
