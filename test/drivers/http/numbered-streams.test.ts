/** Several raw streams over one WebSocket: each keeps its own state and order, whatever the others do. */
import t, { type Test } from "tap";
import type { NumberedAnswer, NumberedStreams } from "../../../src/client/index.js";
import { bytesOf } from "../../../src/datatype.js";
import { onnxCell } from "../../../src/pipeline/index.js";
import { fixture } from "../../support/paths.js";
import { distance, GruReference, type ReferenceStream, TOLERANCE } from "../../support/reference.js";
import { gruPipeline, modelPipeline, serve } from "../../support/serve.js";
import { Peer, refusedUpgrade } from "../../support/sockets.js";
import { floatsOf, gruInput, jsonRequest } from "../../support/steps.js";

const reference = await GruReference.load();

function randomBelow(seed: number): (limit: number) => number {
  let bits = seed;
  return (limit) => {
    bits = (Math.imul(bits, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((bits / 2 ** 32) * limit);
  };
}

async function take(streams: NumberedStreams): Promise<NumberedAnswer> {
  const { value } = await streams.next();
  if (value === undefined) throw new Error("the connection ended");
  return value;
}

/** Answers by stream, in the order in which they came. */
async function takeAll(streams: NumberedStreams, count: number): Promise<NumberedAnswer[][]> {
  const byStream: NumberedAnswer[][] = [];
  for (let i = 0; i < count; ++i) {
    const answer = await take(streams);
    byStream[answer.stream] ??= [];
    byStream[answer.stream]?.push(answer);
  }
  return byStream;
}

function numbered(stream: number, bytes: Uint8Array): Buffer {
  const frame = Buffer.alloc(4 + bytes.byteLength);
  frame.writeUInt32LE(stream);
  frame.set(bytes, 4);
  return frame;
}

const modes = [{ execution: "inline" }, { execution: "lanes", lanes: 2, batching: { maxSize: 3 } }] as const;

for (const mode of modes) {
  t.test(
    `random interleavings of streams, their ends and mistakes equal separate runs (${mode.execution})`,
    async (t) => {
      const { client, process } = await serve(t, await gruPipeline(mode));
      const random = randomBelow(7);
      const alone = new Map<string, ReferenceStream>();
      const connections = [1, 2, 3].map(() => client.stream(undefined, { raw: "input", streams: 8, maxInFlight: 64 }));
      for (let round = 0; round < 4; ++round) {
        for (const [c, connection] of connections.entries()) {
          // What each stream should answer: an input's seed, "end", or "error".
          const script: (number | "end" | "error")[][] = [];
          for (let i = 0; i < 60; ++i) {
            const stream = random(8);
            const kind = random(10);
            const what = kind === 0 ? "end" : kind === 1 ? "error" : c * 10_000 + round * 1000 + i;
            script[stream] ??= [];
            script[stream]?.push(what);
            if (what === "end") await connection.send({ stream });
            else await connection.send({ stream, data: what === "error" ? Uint8Array.of(1, 2, 3) : gruInput(what) });
          }
          const answers = await takeAll(connection, 60);
          for (const [stream, steps] of script.entries()) {
            if (steps === undefined) continue;
            const name = `${c}/${stream}`;
            const own = alone.get(name) ?? reference.stream();
            alone.set(name, own);
            await checkScript(t, steps, answers[stream] ?? [], own);
          }
        }
      }
      await Promise.all(connections.map((connection) => connection.close()));
      while (process.stats().model?.liveStates !== 0) await client.wait();
      t.pass("the connections' states are gone with them");
    },
  );
}

async function checkScript(
  t: Test,
  steps: readonly (number | "end" | "error")[],
  answers: readonly NumberedAnswer[],
  alone: ReferenceStream,
): Promise<void> {
  t.equal(answers.length, steps.length);
  for (const [i, step] of steps.entries()) {
    const answer = answers[i];
    if (step === "error") t.match(answer?.error, { code: "INVALID_ARGUMENT" });
    else if (step === "end") t.match(answer, { data: new Uint8Array(0), error: undefined });
    else if (answer?.error !== undefined) t.fail(answer.error.message);
    else t.ok(distance(floatsOf(answer?.data ?? new Uint8Array()), await alone.step(gruInput(step))) <= TOLERANCE);
    if (step === "end") alone.reset();
  }
}

t.test("frames as they are on the wire", async (t) => {
  const { url } = await serve(t, await gruPipeline());
  const peer = await Peer.open(t, `${url}/v2/models/gru/stream?raw=input&streams=3&sequence_id=cam`);
  const [zero, two] = [reference.stream(), reference.stream()];
  const answer = async () => (await peer.next()) as Buffer;
  for (const [stream, own] of [
    [0, zero],
    [2, two],
    [2, two],
  ] as const) {
    peer.send(numbered(stream, bytesOf(gruInput(stream))));
    const frame = await answer();
    t.equal(frame.readUInt32LE(), stream);
    t.ok(distance(floatsOf(frame.subarray(4)), await own.step(gruInput(stream))) <= TOLERANCE);
  }

  peer.send(jsonRequest("input", [gruInput(9)], { parameters: { sequence_id: "cam/2" } }));
  const { outputs } = (await peer.nextJson()) as { outputs: { data: number[] }[] };
  t.ok(distance(outputs[0]?.data ?? [], await two.step(gruInput(9))) <= TOLERANCE, "text reaches a stream by its name");

  const refused: [Buffer | string, object][] = [
    [numbered(3, bytesOf(gruInput(0))), { error: "frame: expected the number of a stream, 0 to 2, as u32, got 3" }],
    [numbered(0xffff_ffff, Buffer.alloc(0)), { error: /got 4294967295$/ }],
    [Buffer.of(1, 0), { error: "frame: expected the number of a stream, 0 to 2, as u32, got 2 bytes" }],
    [numbered(1, Buffer.alloc(8)), { stream: 1, error: /8 raw bytes are not one row/ }],
    [jsonRequest("input", [gruInput(1)]), { error: /^parameters.sequence_id: is needed/ }],
  ];
  for (const [frame, error] of refused) {
    peer.send(frame);
    t.match(await peer.nextJson(), { code: "INVALID_ARGUMENT", ...error });
  }

  peer.send(numbered(2, Buffer.alloc(0)));
  t.same(await answer(), Buffer.of(2, 0, 0, 0), "an end is answered by itself");
  peer.send(numbered(2, bytesOf(gruInput(5))));
  two.reset();
  t.ok(distance(floatsOf((await answer()).subarray(4)), await two.step(gruInput(5))) <= TOLERANCE, "and begins afresh");
});

t.test("named streams stay for the next connection", async (t) => {
  const { client, process } = await serve(t, await gruPipeline());
  const alone = reference.stream();
  for (const seed of [1, 2]) {
    const streams = client.stream("site", { raw: "input", streams: 2 });
    await streams.send({ stream: 1, data: gruInput(seed) });
    const { data } = await take(streams);
    t.ok(distance(floatsOf(data), await alone.step(gruInput(seed))) <= TOLERANCE);
    await streams.close();
  }
  t.ok(process.exportState("site/1").byteLength > 0);
});

t.test("models that are not stepped straight from the socket: any length, and without state", async (t) => {
  for (const model of ["dynamic_length", "identity_float"]) {
    const { client } = await serve(t, await modelPipeline(onnxCell({ name: "m", model: fixture(model) })));
    const streams = client.stream(undefined, { raw: "x", streams: 4, model: "m" });
    for (let i = 0; i < 16; ++i) await streams.send({ stream: i % 4, data: Float32Array.of(i, 0, 1) });
    const answers = await takeAll(streams, 16);
    for (const [stream, own] of answers.entries()) {
      const firsts = own.map(({ data }) => floatsOf(data)[model === "dynamic_length" ? 1 : 0]);
      t.same(firsts, [stream, stream + 4, stream + 8, stream + 12]);
    }
    await streams.close();
  }
});

t.test("what the client refuses before sending", async (t) => {
  const { client } = await serve(t, await gruPipeline());
  const streams = client.stream(undefined, { raw: "input", streams: 2 });
  const data = gruInput(1);
  await t.rejects(streams.send({ stream: 2, data }), { code: "INVALID_ARGUMENT", path: "stream" });
  await t.rejects(streams.send({ stream: -1, data }), { code: "INVALID_ARGUMENT", path: "stream" });
  await t.rejects(streams.send({ stream: 0.5, data }), { code: "INVALID_ARGUMENT", path: "stream" });
  await t.rejects(streams.send({ stream: 0, data: new Float32Array(0) }), { code: "INVALID_ARGUMENT", path: "data" });
  await t.rejects(streams.send({ stream: 0, data }, { start: true }), { code: "INVALID_ARGUMENT", path: "start" });
  t.throws(() => client.stream("s", { raw: "input", streams: 0 }), { code: "INVALID_ARGUMENT", path: "streams" });
  t.throws(() => client.stream("s", { streams: 2 } as never), { code: "INVALID_ARGUMENT", path: "streams" });
  await streams.close();
});

t.test("an upgrade with streams that cannot be is refused", async (t) => {
  const { url } = await serve(t, await gruPipeline());
  for (const [query, error] of [
    ["streams=2", "streams: is for raw streams; other requests name their sequence_id"],
    ["raw=input&streams=0", "streams: expected a number from 1 to 65536, got '0'"],
    ["raw=input&streams=65537", /got '65537'/],
    ["raw=input&streams=1e3", /got '1e3'/],
    ["raw=input&streams=", /got ''/],
  ] as const) {
    const answer = await refusedUpgrade(`${url}/v2/models/gru/stream?${query}`);
    t.equal(answer.status, 400);
    t.match(JSON.parse(answer.body), { error });
  }
});
