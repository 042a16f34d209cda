/** Many streams over one connection with the client, and following streams that others make; against a real server. */
import t, { type Test } from "tap";
import { HeadraceClient, type RawStreamHandle } from "../../src/client/index.js";
import { defineCell, PipelineFactory } from "../../src/pipeline/index.js";
import { Integer } from "../../src/types/index.js";
import { deferred } from "../support/cells.js";
import { distance, GruReference, TOLERANCE } from "../support/reference.js";
import { gruPipeline, serve } from "../support/serve.js";
import { floatsOf, gruInput } from "../support/steps.js";
import { webSocketServer } from "../support/web-socket-server.js";

const reference = await GruReference.load();
const TRACE = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "a=1" };

const tensor = (seed: number) => ({ input: { datatype: "FP32", shape: [1, 512], data: gruInput(seed) } }) as const;

t.test("tensor and raw streams by name, each as if it were alone", async (t) => {
  const { client } = await serve(t, await gruPipeline());
  const raw = client.streams({ raw: "input", maxStreams: 8 });
  const tensors = client.streams();
  await Promise.all([raw.opened(), tensors.opened()]);
  await Promise.all(
    Array.from({ length: 16 }, async (_, i) => {
      const alone = reference.stream();
      const handle = i < 8 ? raw.open(`raw-${i}`) : tensors.open(`tensor-${i}`);
      t.equal(handle.stateId, `${i < 8 ? "raw" : "tensor"}-${i}`);
      const seeds = Array.from({ length: 24 }, (_, step) => i * 100 + step);
      const sending = (async () => {
        for (const seed of seeds) await handle.send((i < 8 ? gruInput(seed) : tensor(seed)) as never);
      })();
      for (const seed of seeds) {
        const { value } = await handle.next();
        const found = value instanceof Uint8Array ? floatsOf(value) : value?.output?.data;
        t.ok(distance(found as ArrayLike<number>, await alone.step(gruInput(seed))) <= TOLERANCE, `${i}: ${seed}`);
      }
      await sending;
      await handle.close();
      t.same(await handle.next(), { done: true, value: undefined });
    }),
  );
  await Promise.all([raw.close(), tensors.close()]);
});

t.test("a state is gone on with, begun anew, or ended", async (t) => {
  const { client, process } = await serve(t, await gruPipeline());
  const alone = reference.stream();
  for (const [seed, start] of [
    [1, false],
    [2, false],
    [3, true],
    [4, false],
  ] as const) {
    const set = client.streams({ raw: "input" });
    const handle = set.open("s", { start, trace: TRACE });
    if (start) alone.reset();
    await handle.send(gruInput(seed));
    const { value } = await handle.next();
    t.ok(distance(floatsOf(value ?? new Uint8Array()), await alone.step(gruInput(seed))) <= TOLERANCE, `step ${seed}`);
    await handle.close({ end: seed === 4 });
    if (seed === 4) t.throws(() => process.exportState("s"), { code: "NOT_FOUND" });
    await set.close();
  }
  const set = client.streams();
  alone.reset();
  for (const seed of [5, 6, 7]) {
    const handle = set.open("t", { start: seed === 7 });
    if (seed === 7) alone.reset();
    await handle.send(tensor(seed), { trace: TRACE, end: seed === 7 });
    const { value } = await handle.next();
    t.ok(distance(value?.output?.data as Float32Array, await alone.step(gruInput(seed))) <= TOLERANCE, `step ${seed}`);
    await handle.close();
  }
  t.throws(() => process.exportState("t"), { code: "NOT_FOUND" });
});

t.test("a raw step without bytes is refused, and its state stays", async (t) => {
  const { client } = await serve(t, await gruPipeline());
  const alone = reference.stream();
  const set = client.streams({ raw: "input" });
  const handle = set.open("s");
  for (const seed of [1, 2]) {
    await handle.send(gruInput(seed));
    const { value } = await handle.next();
    t.ok(distance(floatsOf(value ?? new Uint8Array()), await alone.step(gruInput(seed))) <= TOLERANCE, `step ${seed}`);
    for (const input of [new Float32Array(0), new DataView(new ArrayBuffer(0)), [1, 1, 1, 1], null, undefined]) {
      await t.rejects(handle.send(input as never), { code: "INVALID_ARGUMENT", path: "input" });
    }
  }
  await t.rejects(handle.send(new Float32Array(0)), { message: /has no bytes; .*end: true/ });
  await t.rejects(handle.send([1, 1, 1, 1] as never), { message: /typed array.*got an array of 4$/ });
  await handle.close();
  await set.close();
});

t.test("a step that was refused before sending has begun nothing: the next one does", async (t) => {
  const { client } = await serve(t, await gruPipeline());
  const set = client.streams();
  for (const seed of [1, 2]) {
    const handle = set.open("s", { start: true });
    await t.rejects(handle.send({ input: [1] } as never), { code: "INVALID_ARGUMENT", path: "inputs.input" });
    await handle.send(tensor(seed));
    const { value } = await handle.next();
    const expected = await reference.stream().step(gruInput(seed));
    t.ok(distance(value?.output?.data as Float32Array, expected) <= TOLERANCE, `step ${seed}`);
    await handle.close();
  }
  await set.close();
});

t.test("a stream that is slow, or that nobody reads, holds up no other", async (t) => {
  const gate = deferred();
  const cell = defineCell({
    name: "Slow",
    inputs: { x: Integer() },
    outputs: { y: Integer() },
    state: { steps: Integer({ default: 0 }) },
    async call({ inputs, state }) {
      if (inputs.x === 0) await gate.promise;
      state.steps += 1;
      return { y: state.steps };
    },
  });
  const factory = new PipelineFactory({ name: "slow" });
  const handle = factory.addCell("slow", cell);
  const pipeline = factory.declareInput("x", handle.inputs.x).declareOutput("y", handle.outputs.y).build();
  const { client } = await serve(t, pipeline);
  const set = client.streams({ maxInFlight: 2 });
  const x = (value: number) =>
    ({ x: { datatype: "INT64", shape: [1], data: BigInt64Array.of(BigInt(value)) } }) as const;
  const [slow, unread, other] = [set.open("slow"), set.open("unread"), set.open("other")];
  await slow.send(x(0));
  await unread.send(x(1));
  await unread.send(x(1));
  let isThird = false;
  const third = unread.send(x(1)).then(() => {
    isThird = true;
  });
  for (let step = 1; step <= 20; ++step) {
    await other.send(x(1));
    t.equal((await other.next()).value?.y?.data[0], BigInt(step));
  }
  t.notOk(isThird, "its own sends wait");
  await unread.next();
  await third;
  gate.resolve();
  t.equal((await slow.next()).value?.y?.data[0], 1n);
  await slow.send({ wrong: x(1).x } as never);
  await slow.send(x(1));
  await t.rejects(slow.next(), { code: "INVALID_ARGUMENT" }, "an error is its own stream's, in its place");
  t.equal((await slow.next()).value?.y?.data[0], 2n);
  await slow.return();
  t.same(await slow.next(), { done: true, value: undefined });
  await set.close();
});

t.test("what a set refuses, and what ends its streams", async (t) => {
  const { client, driver } = await serve(t, await gruPipeline(), { maxStreamsPerConnection: 2 });
  const raw = client.streams({ raw: "input", maxStreams: 2 });
  const first = raw.open("a");
  t.throws(() => raw.open("a"), { code: "INVALID_ARGUMENT", path: "stateId" });
  const own = raw.open();
  t.throws(() => raw.open("c"), { code: "RESOURCE_EXHAUSTED" });
  await t.rejects(first.send(gruInput(1), { start: true }), { code: "INVALID_ARGUMENT", path: "start" });
  await t.rejects(first.send(gruInput(1), { trace: TRACE }), { code: "INVALID_ARGUMENT", path: "trace" });
  await first.send(gruInput(1));
  t.equal((await first.next()).value?.byteLength, 32, "and goes on");
  await own.close();
  const again = raw.open("c");
  await again.send(gruInput(1));
  t.equal((await again.next()).value?.byteLength, 32, "a number is used again");
  await t.rejects(
    again.close().then(() => again.send(gruInput(1))),
    { code: "UNAVAILABLE" },
  );

  const tensors = client.streams();
  t.throws(() => tensors.open(), { code: "INVALID_ARGUMENT", path: "stateId" });
  const handles = ["a", "b", "c"].map((name) => tensors.open(name));
  for (const handle of handles) await handle.send(tensor(1));
  const outcomes = await Promise.allSettled(handles.map((handle) => handle.next()));
  t.same(
    outcomes.map(({ status }) => status),
    ["fulfilled", "fulfilled", "rejected"],
  );
  t.match(outcomes[2], { reason: { code: "RESOURCE_EXHAUSTED", message: /maxStreamsPerConnection/ } });
  await t.rejects(handles[0]?.close({ end: true }) ?? Promise.resolve(), { code: "INVALID_ARGUMENT", path: "end" });
  t.throws(() => client.streams({ raw: "input", maxStreams: 0 }), { code: "INVALID_ARGUMENT", path: "maxStreams" });
  const tooMany = client.streams({ raw: "input", maxStreams: 3 });
  await t.rejects(tooMany.opened(), { code: "INVALID_ARGUMENT" });

  const waiting = first.next();
  await driver.stop();
  await t.rejects(waiting, { code: "UNAVAILABLE" });
  t.same(await first.next(), { done: true, value: undefined }, "an end is told once");
  t.throws(() => raw.open("z"), { code: "UNAVAILABLE" });
});

t.test("steps go out in the order given, however many wait", async (t) => {
  const { client } = await serve(t, await gruPipeline());
  const set = client.streams({ raw: "input", maxInFlight: 1 });
  const handle = set.open("s", { start: true });
  const alone = reference.stream();
  await handle.send(gruInput(0));
  const refused = t.rejects(handle.send([] as never), { code: "INVALID_ARGUMENT" });
  const sends = [handle.send(gruInput(1)), refused, handle.send(gruInput(2))];
  const answers = [handle.next()];
  await answers[0];
  // One of those that wait has its place by now, and this one comes after them all.
  answers.push(handle.next());
  sends.push(handle.send(gruInput(3)));
  answers.push(handle.next(), handle.next());
  await Promise.all(sends);
  for (const [seed, answer] of answers.entries()) {
    const { value } = await answer;
    t.ok(distance(floatsOf(value ?? new Uint8Array()), await alone.step(gruInput(seed))) <= TOLERANCE, `step ${seed}`);
  }
  await set.close();
});

t.test("one that is refused before sending begins nothing, also where others follow at once", async (t) => {
  const { client } = await serve(t, await gruPipeline());
  const set = client.streams({ maxInFlight: 1 });
  const handle = set.open("s", { start: true });
  const alone = reference.stream();
  const refused = t.rejects(handle.send({ input: [1] } as never), { code: "INVALID_ARGUMENT" });
  const sends = [refused, ...[1, 2, 3].map((seed) => handle.send(tensor(seed)))];
  for (const seed of [1, 2, 3]) {
    const { value } = await handle.next();
    const found = value?.output?.data as Float32Array;
    t.ok(distance(found, await alone.step(gruInput(seed))) <= TOLERANCE, `step ${seed}`);
  }
  await Promise.all(sends);
  await set.close();
});

t.test("a name that no server takes costs no other stream anything", async (t) => {
  const { client } = await serve(t, await gruPipeline());
  for (const set of [client.streams({ raw: "input" }), client.streams()]) {
    const other = set.open("other");
    for (const name of ["", "x".repeat(1025), "\u0000x", "\ud800", 5 as never]) {
      t.throws(() => set.open(name), { code: "INVALID_ARGUMENT", path: "stateId" });
    }
    await set.opened();
    await other.close();
    await set.close();
  }
});

/** Answers raw steps with the name of their stream, and what `refuses` refuses with an error in its place. */
function namingServer(t: Test, refuses: (frame: Readonly<Record<string, unknown>>) => boolean): Promise<string> {
  return webSocketServer(t, (socket) => {
    const names = new Map<number, string>();
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) {
        const name = names.get(data.readUInt32LE(0)) ?? "none";
        socket.send(Buffer.concat([data.subarray(0, 4), Buffer.from(name)]));
        return;
      }
      const frame = JSON.parse(String(data));
      const { open, close, sequence_id } = frame;
      if (refuses(frame)) {
        socket.send(JSON.stringify({ error: "too fast", code: "RESOURCE_EXHAUSTED", stream: open ?? close }));
        return;
      }
      if (open !== undefined) names.set(open, sequence_id);
      else names.delete(close);
      socket.send(JSON.stringify({ open, close }));
    });
  });
}

/** What the naming server says of each stream, all of them stepped before any answer is taken. */
async function namesOf(handles: readonly RawStreamHandle[]): Promise<string[]> {
  await Promise.all(handles.map((handle) => handle.send(new Uint8Array(4))));
  const answers = await Promise.all(handles.map((handle) => handle.next()));
  return answers.map(({ value }) => Buffer.from(value ?? []).toString());
}

t.test("a refused end leaves the stream open, and its number its own", async (t) => {
  let refusals = 1;
  const url = await namingServer(t, ({ close }) => close !== undefined && refusals-- > 0);
  const set = new HeadraceClient({ url, model: "m" }).streams({ raw: "x" });
  const first = set.open("first");
  await t.rejects(first.close({ end: true }), { code: "RESOURCE_EXHAUSTED", message: "too fast" });
  const second = set.open("second");
  t.same(await namesOf([first, second]), ["first", "second"]);
  await first.close({ end: true });
  await second.close();
  t.same(await namesOf([set.open("first"), set.open("second")]), ["first", "second"]);
  await set.close();
});

t.test("a stream that cannot end as it is told goes on", async (t) => {
  const { client, process } = await serve(t, await gruPipeline());
  const set = client.streams();
  const handle = set.open("s");
  await handle.send(tensor(1));
  await t.rejects(handle.close({ end: true }), { code: "INVALID_ARGUMENT", path: "end" });
  await handle.send(tensor(2), { end: true });
  await handle.close();
  t.throws(() => process.exportState("s"), { code: "NOT_FOUND" });
  await set.close();
});

t.test("a stream whose begin is refused while it is closed gives its number back once", async (t) => {
  const url = await namingServer(t, ({ sequence_id }) => sequence_id === "refused");
  const set = new HeadraceClient({ url, model: "m" }).streams({ raw: "x" });
  const refused = set.open("refused");
  await Promise.all([refused.close(), t.rejects(refused.next(), { code: "RESOURCE_EXHAUSTED" })]);
  t.same(await namesOf([set.open("a"), set.open("b")]), ["a", "b"]);
  await t.rejects(set.open("refused").next(), { code: "RESOURCE_EXHAUSTED" });
  t.ok(set.open("refused"), "the name may be tried again");
  t.same(await namesOf([set.open("c")]), ["c"]);
  await set.close();
});

t.test("a number whose end is refused after its begin was is nobody's", async (t) => {
  const url = await namingServer(t, ({ sequence_id, open }) => sequence_id === "refused" || open === undefined);
  const set = new HeadraceClient({ url, model: "m" }).streams({ raw: "x", maxStreams: 2 });
  const refused = set.open("refused");
  await refused.send(new Uint8Array(4));
  await t.rejects(refused.next(), { code: "RESOURCE_EXHAUSTED" });
  const other = set.open("other");
  t.same(await namesOf([other]), ["other"]);
  t.throws(() => set.open("one too many"), { code: "RESOURCE_EXHAUSTED" });
  await set.close();
});

t.test("sends that wait are told what ended the connection, also after those who read", async (t) => {
  const { client } = await serve(t, await gruPipeline());
  const abort = new AbortController();
  const set = client.streams({ raw: "input", maxInFlight: 1, signal: abort.signal });
  const handle = set.open("s");
  await set.opened();
  await handle.send(gruInput(1));
  await handle.next();
  const reading = t.rejects(handle.next(), { code: "CANCELLED" });
  abort.abort();
  await reading;
  await t.rejects(handle.send(gruInput(2)), { code: "CANCELLED" });
  t.same(await handle.next(), { done: true, value: undefined });
});

t.test("following state ids", async (t) => {
  const { client, process } = await serve(t, await gruPipeline());
  for (const format of ["binary", "json"] as const) {
    const subscription = client.subscribe(["a", "b"], { format });
    await subscription.opened();
    const alone = reference.stream();
    await client.infer(tensor(1), { stateId: "a", id: "one", start: true });
    await process.predict({ input: gruInput(2) }, { stateId: "b" });
    const stream = client.stream("a");
    await stream.send(tensor(3), { end: true, trace: TRACE });
    await stream.next();
    process.dropState("b");
    const wanted = [await alone.step(gruInput(1)), undefined, await alone.step(gruInput(3))];
    const parts = [
      { stateId: "a", step: 1, id: "one", start: true, end: false, trace: undefined, dropped: 0 },
      { stateId: "b", step: 1, id: undefined, start: false },
      { stateId: "a", step: 2, start: false, end: true, trace: TRACE },
    ];
    for (const [i, part] of parts.entries()) {
      const { value } = await subscription.next();
      if (value?.type !== "step") throw new Error("expected a step");
      t.match(value, part);
      const found = value.outputs.output?.data as Float32Array;
      if (wanted[i] !== undefined) t.ok(distance(found, wanted[i]) <= TOLERANCE);
    }
    t.same((await subscription.next()).value, { type: "end", stateId: "b", reason: "end" });
    await stream.close();
    await subscription.close();
    t.same(await subscription.next(), { done: true, value: undefined });
  }
  t.throws(() => client.subscribe("a", { maxBuffered: 0 }), { code: "INVALID_ARGUMENT", path: "maxBuffered" });
  await t.rejects(client.subscribe([]).opened(), { code: "INVALID_ARGUMENT" });
});

t.test("results that are not taken are lost above a bound, and counted by the next one", async (t) => {
  const { client, process } = await serve(t, await gruPipeline());
  const subscription = client.subscribe("s", { maxBuffered: 5 });
  await subscription.opened();
  const other = client.subscribe("s");
  await other.opened();
  const step = async () => {
    await process.predict({ input: gruInput(1) }, { stateId: "s" });
    await other.next();
  };
  for (let i = 0; i < 30; ++i) await step();
  const taken: [number, number][] = [];
  const take = async () => {
    const { value } = await subscription.next();
    if (value?.type === "step") taken.push([value.step, value.dropped]);
  };
  for (let i = 0; i < 5; ++i) await take();
  await step();
  await take();
  t.same(taken.map(([, dropped]) => dropped).slice(0, 5), [0, 0, 0, 0, 0]);
  const [last, dropped] = taken[5] ?? [0, 0];
  t.ok(dropped > 0, `${dropped} were lost before ${last}`);
  t.equal(dropped, last - 1 - (taken[4]?.[0] ?? 0), "the gap between the two");
  await subscription.return();
  await other.return();
});
