/** Many state ids over one WebSocket: each in its own order and state, and none waits for another. */
import t, { type Test } from "tap";
import { bytesOf } from "../../../src/datatype.js";
import { defineCell, PipelineFactory } from "../../../src/pipeline/index.js";
import { Integer } from "../../../src/types/index.js";
import { type Deferred, deferred } from "../../support/cells.js";
import { distance, GruReference, type ReferenceStream, TOLERANCE } from "../../support/reference.js";
import { gruPipeline, serve } from "../../support/serve.js";
import { Peer, refusedUpgrade } from "../../support/sockets.js";
import { binaryFrame, binaryRequest, floatsOf, gruInput, jsonRequest, readFrame } from "../../support/steps.js";

const reference = await GruReference.load();

interface Answer {
  readonly id?: string;
  readonly error?: string;
  readonly code?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly floats: ArrayLike<number>;
}

/** An answer or error, whatever frame it came in. */
function read(frame: Buffer | string): Answer & Record<string, unknown> {
  if (typeof frame === "string") {
    const json = JSON.parse(frame) as Record<string, unknown> & { outputs?: { data: number[] }[] };
    return { ...json, floats: json.outputs?.[0]?.data ?? [] };
  }
  const { header, tensor } = readFrame(frame);
  return { ...header, floats: floatsOf(tensor) };
}

function numbered(stream: number, bytes: Uint8Array): Buffer {
  const frame = Buffer.alloc(4 + bytes.byteLength);
  frame.writeUInt32LE(stream);
  frame.set(bytes, 4);
  return frame;
}

async function gru(t: Test, ...options: Parameters<typeof gruPipeline>) {
  const served = await serve(t, await gruPipeline(...options));
  return { ...served, open: (query: string) => Peer.open(t, `${served.url}/v2/models/gru/stream${query}`) };
}

/** Each prediction of input x ends when the test says so. */
function gates(count: number) {
  const waits: Deferred<void>[] = Array.from({ length: count }, () => deferred());
  const cell = defineCell({
    name: "Gates",
    inputs: { x: Integer() },
    outputs: { y: Integer() },
    state: { steps: Integer({ default: 0 }) },
    async call({ inputs, state }) {
      await waits[inputs.x]?.promise;
      state.steps += 1;
      return { y: inputs.x * 10 + state.steps };
    },
  });
  const factory = new PipelineFactory({ name: "gates" });
  const handle = factory.addCell("gates", cell);
  const pipeline = factory.declareInput("x", handle.inputs.x).declareOutput("y", handle.outputs.y).build();
  return { pipeline, release: (x: number) => waits[x]?.resolve() };
}

const ask = (x: number, sequenceId?: string) =>
  JSON.stringify({
    id: `${x}`,
    parameters: { sequence_id: sequenceId },
    inputs: [{ name: "x", datatype: "INT64", shape: [1], data: [x] }],
  });

t.test("with order=stream a slow stream holds up nobody else", async (t) => {
  const { pipeline, release } = gates(5);
  const { url } = await serve(t, pipeline);
  const peer = await Peer.open(t, `${url}/v2/models/gates/stream?order=stream`);
  for (const [x, name] of [[0, "a"], [1, "b"], [2, "a"], [3], [4, "b"]] as const) peer.send(ask(x, name));
  const answers: [number, string | undefined, number][] = [
    [1, "b", 11],
    [4, "b", 42],
    [3, undefined, 31],
    [0, "a", 1],
    [2, "a", 22],
  ];
  release(2); // not before its predecessor
  for (const [x, name, y] of answers) {
    release(x);
    const answer = (await peer.nextJson()) as { parameters?: object; outputs: { data: number[] }[] };
    t.match(answer, { id: `${x}`, outputs: [{ data: [y] }] });
    t.same(answer.parameters, name === undefined ? undefined : { sequence_id: name });
  }
});

t.test("without, answers come in the order of the frames, and do not name their stream", async (t) => {
  const { pipeline, release } = gates(3);
  const { url } = await serve(t, pipeline);
  for (const query of ["", "?order=connection"]) {
    const peer = await Peer.open(t, `${url}/v2/models/gates/stream${query}`);
    for (const [x, name] of [[0, "a"], [1, "b"], [2]] as const) peer.send(ask(x, name));
    for (const x of [2, 1, 0]) release(x);
    for (const x of [0, 1, 2]) {
      const answer = await peer.nextJson();
      t.equal(answer.id, `${x}`);
      t.equal(answer.parameters, undefined);
    }
  }
  const { status, body } = await refusedUpgrade(`${url}/v2/models/gates/stream?order=any`);
  t.equal(status, 400);
  t.match(JSON.parse(body), { error: "order: expected connection or stream, got 'any'" });
});

t.test("with order=stream an error overtakes other streams, and says which is its own", async (t) => {
  const { pipeline, release } = gates(2);
  const { url } = await serve(t, pipeline);
  const peer = await Peer.open(t, `${url}/v2/models/gates/stream?order=stream&sequence_id=mine`);
  peer.send(ask(0, "a"));
  const wrong = [{ name: "z", datatype: "INT64", shape: [1], data: [1] }];
  peer.send(JSON.stringify({ id: "w", parameters: { sequence_id: "b" }, inputs: wrong }));
  peer.send("{");
  peer.send(JSON.stringify({ inputs: wrong }));
  t.match(await peer.nextJson(), { code: "INVALID_ARGUMENT", id: "w", sequence_id: "b" });
  const unread = await peer.nextJson();
  t.match(unread, { code: "INVALID_ARGUMENT", error: /^body: not JSON/ });
  t.notOk("sequence_id" in unread);
  t.match(
    await peer.nextJson(),
    { code: "INVALID_ARGUMENT", sequence_id: "mine" },
    "the connection's own is named, too",
  );
  release(0);
  t.match(await peer.nextJson(), { id: "0", parameters: { sequence_id: "a" } });
});

function randomBelow(seed: number): (limit: number) => number {
  let bits = seed;
  return (limit) => {
    bits = (Math.imul(bits, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((bits / 2 ** 32) * limit);
  };
}

type Step = { readonly seed: number; readonly start: boolean; readonly end: boolean } | "error";

/** What each stream was sent, in order; and what it answered. */
class Scripts {
  readonly sent = new Map<string, Step[]>();
  readonly got = new Map<string, Answer[]>();

  add(name: string, step: Step): void {
    this.sent.set(name, [...(this.sent.get(name) ?? []), step]);
  }

  answered(name: string, answer: Answer): void {
    this.got.set(name, [...(this.got.get(name) ?? []), answer]);
  }

  async check(t: Test): Promise<void> {
    for (const [name, steps] of this.sent) {
      const answers = this.got.get(name) ?? [];
      t.equal(answers.length, steps.length, `all answers of ${name}`);
      const alone: ReferenceStream = reference.stream();
      let worst = 0;
      for (const [i, step] of steps.entries()) {
        const answer = answers[i];
        if (step === "error") {
          if (answer?.code !== "INVALID_ARGUMENT") t.fail(`${name}, ${i}: expected an error`);
          continue;
        }
        if (step.start) alone.reset();
        worst = Math.max(worst, distance(answer?.floats ?? [], await alone.step(gruInput(step.seed))));
        if (step.end) alone.reset();
      }
      t.ok(worst <= TOLERANCE, `${name} is as if it were alone`);
    }
  }
}

for (const mode of [{ execution: "inline" }, { execution: "lanes", lanes: 2, batching: { maxSize: 5 } }] as const) {
  t.test(`32 state ids interleaved on three connections equal 32 separate runs (${mode.execution})`, async (t) => {
    const { open } = await gru(t, mode);
    const random = randomBelow(11);
    const scripts = new Scripts();
    const messages = [await open("?order=stream"), await open("?order=stream&raw=input")];
    const raw = await open("?raw=input&streams=12");
    const counts = [0, 0, 0];
    for (let number = 0; number < 12; ++number)
      raw.send(JSON.stringify({ open: number, sequence_id: `raw-${number}` }));
    for (let number = 0; number < 12; ++number) t.match(await raw.nextJson(), { sequence_id: /^raw-/ });
    for (let i = 0; i < 600; ++i) {
      const stream = random(32);
      const isError = random(12) === 0;
      const step: Step = isError ? "error" : { seed: i, start: random(9) === 0, end: random(9) === 0 };
      if (stream >= 20) {
        const number = stream - 20;
        counts[2] = (counts[2] ?? 0) + 1;
        raw.send(numbered(number, isError ? Buffer.alloc(3) : bytesOf(gruInput(i))));
        scripts.add(`raw-${number}`, step === "error" ? step : { ...step, start: false, end: false });
        continue;
      }
      const which = stream % 2;
      counts[which] = (counts[which] ?? 0) + 1;
      const name = `text-${stream}`;
      const flags = step === "error" ? {} : { sequence_start: step.start, sequence_end: step.end };
      const rows = isError ? [gruInput(i), gruInput(i)] : [gruInput(i)];
      const parts = { id: `${i}`, parameters: { sequence_id: name, ...flags } };
      const isBinary = which === 0 && random(2) === 0;
      messages[which]?.send(
        isBinary ? binaryFrame(binaryRequest("input", rows, parts)) : jsonRequest("input", rows, parts),
      );
      scripts.add(name, step);
    }
    for (const [which, peer] of messages.entries()) {
      for (let i = 0; i < (counts[which] ?? 0); ++i) {
        const answer = read(await peer.next());
        scripts.answered(String(answer.parameters?.sequence_id ?? answer.sequence_id), answer);
      }
    }
    for (let i = 0; i < (counts[2] ?? 0); ++i) {
      const frame = await raw.next();
      if (typeof frame === "string") {
        const error = JSON.parse(frame) as { stream: number; code: string };
        scripts.answered(`raw-${error.stream}`, { code: error.code, floats: [] });
      } else scripts.answered(`raw-${frame.readUInt32LE()}`, { floats: floatsOf(frame.subarray(4)) });
    }
    await scripts.check(t);
  });
}

t.test("a number takes up the state id that it is given, and begins anew only where that is asked for", async (t) => {
  const { open, process } = await gru(t);
  const alone = reference.stream();
  const step = async (peer: Peer, number: number, seed: number) => {
    peer.send(numbered(number, bytesOf(gruInput(seed))));
    const frame = (await peer.next()) as Buffer;
    t.equal(frame.readUInt32LE(), number);
    t.ok(distance(floatsOf(frame.subarray(4)), await alone.step(gruInput(seed))) <= TOLERANCE, `${number}: ${seed}`);
  };
  const first = await open("?raw=input&streams=4");
  first.send(JSON.stringify({ open: 2, sequence_id: "camera-7" }));
  t.same(await first.nextJson(), { open: 2, sequence_id: "camera-7" });
  await step(first, 2, 1);
  first.send(JSON.stringify({ open: 2, sequence_id: "other" }));
  t.match(await first.nextJson(), { stream: 2, error: "open: stream 2 is open already; close it first" });
  first.send(JSON.stringify({ close: 2 }));
  t.same(await first.nextJson(), { close: 2 });
  first.send(JSON.stringify({ open: 0, sequence_id: "camera-7" }));
  await first.nextJson();
  await step(first, 0, 2);
  first.socket.terminate();
  await first.closed;

  const second = await open("?raw=input&streams=4");
  second.send(JSON.stringify({ open: 3, sequence_id: "camera-7" }));
  await second.nextJson();
  await step(second, 3, 3);
  second.send(JSON.stringify({ close: 3 }));
  second.send(JSON.stringify({ open: 3, sequence_id: "camera-7", start: true }));
  t.same(await second.nextJson(), { close: 3 });
  t.same(await second.nextJson(), { open: 3, sequence_id: "camera-7" });
  alone.reset();
  await step(second, 3, 4);
  second.send(JSON.stringify({ close: 3, end: true }));
  await second.nextJson();
  t.throws(() => process.exportState("camera-7"), { code: "NOT_FOUND" });
  second.send(JSON.stringify({ open: 3 }));
  t.same(await second.nextJson(), { open: 3 }, "without a name it is one of its own");
  alone.reset();
  await step(second, 3, 5);
  t.throws(() => process.exportState("camera-7"), { code: "NOT_FOUND" });
});

t.test("control frames that are wrong are refused in their place, and the connection goes on", async (t) => {
  const { open } = await gru(t);
  const peer = await open("?raw=input&streams=4");
  const wrong: [unknown, object][] = [
    [{ open: 4 }, { error: "open: expected the number of a stream, 0 to 3, got 4" }],
    [{ open: -1 }, { error: "open: expected the number of a stream, got -1" }],
    [{ open: "1" }, { error: 'open: expected the number of a stream, got "1"' }],
    [{ close: 9 }, { error: "close: expected the number of a stream, 0 to 3, got 9" }],
    [{ open: 1, sequenceId: "x" }, { error: /^sequenceId: is not a known field; there are open, sequence_id, start/ }],
    [{ open: 1, start: 1 }, { error: "start: expected true or false, got 1" }],
    [{ open: 1, sequence_id: "\u0000stream-1" }, { error: /^sequence_id: / }],
    [{ close: 1, start: true }, { error: "start: is not a known field; there are close, end" }],
  ];
  for (const [frame, error] of wrong) {
    peer.send(JSON.stringify(frame));
    t.match(await peer.nextJson(), { code: "INVALID_ARGUMENT", ...error });
  }
  peer.send(JSON.stringify({ close: 1 }));
  t.same(await peer.nextJson(), { close: 1 }, "closing what is not open changes nothing");
  const plain = await open("?raw=input");
  plain.send(JSON.stringify({ open: 0 }));
  t.match(await plain.nextJson(), { error: /^inputs: / }, "without numbers there is nothing to open");
});

t.test("a client that comes back goes on with a state that still lives, or begins anew", async (t) => {
  const { open } = await gru(t);
  const alone = reference.stream();
  const step = async (peer: Peer, seed: number, parameters: object) => {
    peer.send(jsonRequest("input", [gruInput(seed)], { parameters: { sequence_id: "s", ...parameters } }));
    t.ok(distance(read(await peer.next()).floats, await alone.step(gruInput(seed))) <= TOLERANCE, `step ${seed}`);
  };
  const first = await open("?order=stream");
  await step(first, 1, {});
  first.socket.terminate();
  await first.closed;
  const second = await open("?order=stream");
  await step(second, 2, {});
  await second.close();
  alone.reset();
  await step(await open("?order=stream"), 3, { sequence_start: true });
});

t.test("the trace of a message is echoed in its answer, and one that is none is not", async (t) => {
  const { open } = await gru(t);
  const trace = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "a=1,b=2" };
  const peer = await open("?raw=input&streams=2");
  for (const [parameters, echoed] of [
    [trace, trace],
    [{ traceparent: trace.traceparent }, { traceparent: trace.traceparent }],
    [{ traceparent: trace.traceparent, tracestate: "=" }, { traceparent: trace.traceparent }],
    [{ traceparent: "00-0-0-0", tracestate: "a=1" }, {}],
    [{ tracestate: "a=1" }, {}],
  ] as const) {
    const parts = { parameters: { sequence_id: "s", ...parameters } };
    peer.send(jsonRequest("input", [gruInput(1)], parts));
    t.same(read(await peer.next()).parameters, { sequence_id: "s", ...echoed });
    peer.send(JSON.stringify({ open: 1, sequence_id: "r", ...parameters }));
    t.same(await peer.nextJson(), { open: 1, sequence_id: "r", ...echoed });
    peer.send(JSON.stringify({ close: 1 }));
    await peer.nextJson();
  }
  const binary = await open("");
  binary.send(binaryFrame(binaryRequest("input", [gruInput(1)], { parameters: trace })));
  t.same(read(await binary.next()).parameters, trace, "also where answers come in the order of the connection");
});
