/** The engine as the runtime sees it: views, kept outputs, evictions, and other threads. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import t, { type Test } from "tap";
import { Engine, NO_STATE, OK } from "../../src/engine/engine.js";
import { type NativeModelConfig, StepFlags } from "../../src/engine/surface.js";
import { fixture } from "../support/paths.js";

const WORKER = fileURLToPath(new URL("../fixtures/engine-worker.mjs", import.meta.url));
const GARBAGE = fileURLToPath(new URL("../fixtures/collect-garbage.mjs", import.meta.url));

async function load(t: Test, config: Partial<NativeModelConfig> = {}): Promise<Engine> {
  const plain = { path: fixture("accumulator"), constants: [], state: undefined, context: [], shapes: [] };
  const engine = await Engine.load({ ...plain, ...config });
  t.teardown(() => engine.close(false));
  return engine;
}

interface Done {
  readonly request: number;
  readonly code: number;
  readonly view: Uint8Array | undefined;
  readonly first: number | undefined;
}

function floats(view: Uint8Array): Float32Array {
  return new Float32Array(view.slice().buffer);
}

/** Submits one step of four equal values; its outcome, with the view over its output. */
function submit(
  engine: Engine,
  value: number,
  key: number,
  how: { keep?: boolean; flags?: number } = {},
): Promise<Done> {
  const { keep = false, flags = 0 } = how;
  return new Promise((resolve) => {
    const input = new Float32Array(4).fill(value);
    const sink = {
      completed(request: number, code: number, batch: number, row: number): boolean {
        const view = code === OK ? engine.outputBytes(batch, row, 0) : undefined;
        resolve({ request, code, view, first: view === undefined ? undefined : floats(view)[0] });
        return keep;
      },
    };
    const request = engine.submit(sink, input.buffer, 0, input.byteLength, key, flags, 0);
    if (request < 0) resolve({ request, code: -request, view: undefined, first: undefined });
  });
}

for (const execution of ["inline", "lanes"] as const) {
  t.test(`views of the same memory are the same objects (${execution})`, async (t) => {
    const engine = await load(t, { execution });
    const views = new Set<Uint8Array>();
    for (let i = 0; i < 20; ++i) {
      const { view, first } = await submit(engine, i, NO_STATE);
      t.equal(first, i);
      if (view !== undefined) views.add(view);
    }
    t.equal(views.size, 1, "one step at a time needs one row");
    const buffers = new Set<ArrayBufferLike>();
    for (let round = 0; round < 5; ++round) {
      const done = await Promise.all([1, 2, 3, 4].map((value) => submit(engine, value, NO_STATE)));
      t.same(
        done.map(({ first }) => first),
        [1, 2, 3, 4],
      );
      for (const { view } of done) if (view !== undefined) buffers.add(view.buffer);
    }
    t.ok(buffers.size <= 8, "rows of a batch share its memory");
  });

  t.test(`outputs that are kept stay as they are until they are released (${execution})`, async (t) => {
    const engine = await load(t, { execution });
    const kept = await submit(engine, 7, NO_STATE, { keep: true });
    for (let i = 0; i < 50; ++i) await Promise.all([submit(engine, i, NO_STATE), submit(engine, -i, NO_STATE)]);
    t.same(kept.view && [...floats(kept.view)], [7, 7, 7, 7]);
    t.same([...floats(new Uint8Array(engine.readOutput(kept.request, 0).bytes ?? new ArrayBuffer(0)))], [7, 7, 7, 7]);
    engine.release(kept.request, false);
    for (let i = 0; i < 50; ++i) await submit(engine, 1, NO_STATE);
    t.not(kept.view && floats(kept.view)[0], 7, "then their memory is used again");
  });

  t.test(`a held step's state waits for its verdict (${execution})`, async (t) => {
    const engine = await load(t, { execution });
    const key = engine.pin("s");
    const hold = { keep: true, flags: StepFlags.hold };
    t.equal((await submit(engine, 1, key)).first, 1);
    const held = await submit(engine, 10, key, hold);
    t.equal(held.first, 11);
    const behind = submit(engine, 100, key);
    await submit(engine, 5, NO_STATE);
    engine.release(held.request, false);
    t.equal((await behind).first, 101, "refused: as if it had not been");
    const other = await submit(engine, 1000, key, hold);
    engine.release(other.request, true);
    t.equal((await submit(engine, 0, key)).first, 1101, "accepted");
    engine.unpin(key);
  });
}

t.test("states expire and are evicted; a pinned key lives on", async (t) => {
  const engine = await load(t, { stateTtlMillis: 1, maxStates: 2, evict: "lru" });
  const key = engine.pin("idle");
  t.equal((await submit(engine, 1, key)).first, 1);
  let evicted = engine.sweep();
  while (evicted.length === 0) {
    await new Promise((resolve) => setImmediate(resolve));
    evicted = engine.sweep();
  }
  t.same(evicted, [{ stateId: "idle", reason: "ttl" }]);
  t.same(engine.sweep(), [], "each is told once");
  t.throws(() => engine.exportState("idle"), { code: "NOT_FOUND" });
  t.equal((await submit(engine, 2, key)).first, 2, "its key goes on with a fresh state");
  t.equal(engine.stats().evictedStates, 1n);
  engine.unpin(key);

  const crowded = await load(t, { maxStates: 2, evict: "lru" });
  const keys = ["a", "b", "c"].map((name) => crowded.pin(name));
  for (const each of keys) await submit(crowded, 1, each);
  t.same(crowded.sweep(), [{ stateId: "a", reason: "lru" }]);
  t.equal(crowded.stats().liveStates, 2);
});

t.test("a step that the engine does not take says why", async (t) => {
  const engine = await load(t, { maxStates: 1, queueSize: 1 });
  const [a, b] = [engine.pin("a"), engine.pin("b")];
  await submit(engine, 1, a);
  const full = await submit(engine, 1, b);
  t.match(engine.errorFor(full.code), { code: "RESOURCE_EXHAUSTED" });
  const sink = { completed: () => false };
  t.equal(engine.errorFor(engine.submit(sink, new ArrayBuffer(15), 0, 15, NO_STATE, 0, 0)).code, "INVALID_ARGUMENT");
  t.equal(engine.errorFor(engine.submit(sink, new ArrayBuffer(16), 0, 16, 12_345, 0, 0)).code, "INVALID_ARGUMENT");
  t.throws(() => engine.submit(sink, new ArrayBuffer(16), 8, 16, NO_STATE, 0, 0), "bytes beyond the buffer");
  await engine.close(true);
  t.throws(() => engine.submit(sink, new ArrayBuffer(16), 0, 16, NO_STATE, 0, 0), { code: "UNAVAILABLE" });
  t.equal(engine.close(true), engine.close(false), "closed once");
});

t.test("a sink that throws costs the others nothing", async (t) => {
  const engine = await load(t, { execution: "inline" });
  const thrown = once(process, "uncaughtException").then(([error]) => (error as Error).message);
  const others = [submit(engine, 1, NO_STATE)];
  const sink = {
    completed(): boolean {
      throw new Error("thrown by a sink");
    },
  };
  engine.submit(sink, new ArrayBuffer(16), 0, 16, NO_STATE, 0, 0);
  others.push(submit(engine, 2, NO_STATE));
  t.same(
    (await Promise.all(others)).map(({ first }) => first),
    [1, 2],
  );
  t.equal(await thrown, "thrown by a sink");
});

t.test("another thread steps the same states", async (t) => {
  const engine = await load(t, { execution: "lanes", lanes: 1 });
  const key = engine.pin("shared");
  t.equal((await submit(engine, 1, key)).first, 1);
  const worker = new Worker(WORKER, { workerData: { token: engine.share(), stateId: "shared", steps: 5 } });
  const [outputs] = (await once(worker, "message")) as [number[]];
  t.same(outputs, [2, 3, 4, 5, 6]);
  await once(worker, "exit");
  t.equal((await submit(engine, 1, key)).first, 7);
  engine.unpin(key);
});

for (const execution of ["inline", "lanes"] as const) {
  t.test(`a thread that is ended with work under way takes it along (${execution})`, async (t) => {
    const engine = await load(t, { execution });
    for (let round = 0; round < 5; ++round) {
      const workerData = { token: engine.share(), stateId: `worker-${round}`, forever: true };
      const worker = new Worker(WORKER, { workerData });
      await once(worker, "message");
      t.equal(await worker.terminate(), 1);
      t.equal((await submit(engine, round, NO_STATE)).first, round, "the engine goes on");
    }
    while (engine.stats().waiting + engine.stats().running > 0) await new Promise((resolve) => setImmediate(resolve));
    await engine.close(true);
  });
}

t.test("a token that nobody shared", async (t) => {
  t.throws(() => Engine.attach(123_456), { code: /INVALID_ARGUMENT|NOT_FOUND|UNAVAILABLE/ });
});

t.test("garbage that is collected at any moment does no harm", async (t) => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    "--expose-gc",
    GARBAGE,
    fixture("accumulator"),
  ]);
  t.equal(stdout, "done\n");
  t.equal(stderr, "");
});
