/** V2 over WebSocket: every kind of frame, in any mixture, each answered in its place. */
import t, { type Test } from "tap";
import { bytesOf } from "../../../src/datatype.js";
import { onnxCell } from "../../../src/pipeline/index.js";
import { myPipeline } from "../../support/cells.js";
import { fixture } from "../../support/paths.js";
import { distance, GruReference, type ReferenceStream, TOLERANCE } from "../../support/reference.js";
import { gruPipeline, modelPipeline, serve } from "../../support/serve.js";
import { Peer, refusedUpgrade } from "../../support/sockets.js";
import { binaryFrame, binaryRequest, floatsOf, gruInput, jsonRequest, readFrame } from "../../support/steps.js";

const reference = await GruReference.load();

async function gru(t: Test, ...options: Parameters<typeof gruPipeline>) {
  const served = await serve(t, await gruPipeline(...options));
  const open = (query = "") => Peer.open(t, `${served.url}/v2/models/gru/stream${query}`);
  const liveStates = () => served.process.stats().model?.liveStates;
  /** Waits until the server has seen what happened to its sockets. */
  const settled = async (states: number) => {
    while (liveStates() !== states) await (await fetch(`${served.url}/v2/health/live`)).arrayBuffer();
  };
  return { ...served, open, liveStates, settled };
}

async function same(t: Test, found: ArrayLike<number>, stream: ReferenceStream, seed: number, what: string) {
  t.ok(distance(found, await stream.step(gruInput(seed))) <= TOLERANCE, what);
}

/** The output in an answer of any kind. */
function outputOf(frame: Buffer | string): ArrayLike<number> {
  if (typeof frame !== "string") return floatsOf(readFrame(frame).tensor);
  const { outputs, error } = JSON.parse(frame) as { outputs?: { data: number[] }[]; error?: string };
  if (outputs === undefined) throw new Error(error);
  return outputs[0]?.data ?? [];
}

t.test("text and binary frames are answered in kind, and step one state", async (t) => {
  const { open, liveStates, settled } = await gru(t);
  const peer = await open();
  const alone = reference.stream();
  peer.send(jsonRequest("input", [gruInput(1)], { id: "one" }));
  const text = await peer.next();
  t.type(text, "string");
  t.match(JSON.parse(String(text)), { id: "one", model_name: "gru", model_version: "1" });
  await same(t, outputOf(text), alone, 1, "text");
  peer.send(
    binaryFrame(binaryRequest("input", [gruInput(2)], { id: "two", parameters: { binary_data_output: false } })),
  );
  const binary = (await peer.next()) as Buffer;
  const { header, tensor } = readFrame(binary);
  t.match(header, { id: "two", outputs: [{ name: "output", datatype: "FP32", shape: [1, 8] }] });
  t.equal((binary.length - tensor.length) % 8, 0, "the tensors begin at a multiple of 8");
  await same(t, floatsOf(tensor), alone, 2, "binary");
  t.equal(liveStates(), 1);
  await peer.close();
  await settled(0);
  t.pass("the connection's own state is gone with it");
});

t.test("raw frames are the input's bytes, answered by the output's", async (t) => {
  const { open, settled } = await gru(t);
  const peer = await open("?raw=input");
  const alone = reference.stream();
  for (let seed = 0; seed < 20; ++seed) peer.send(bytesOf(gruInput(seed)));
  for (let seed = 0; seed < 20; ++seed) await same(t, await peer.nextFloats(), alone, seed, `step ${seed}`);
  peer.send(jsonRequest("input", [gruInput(20)], { parameters: { sequence_start: true } }));
  alone.reset();
  await same(t, outputOf(await peer.next()), alone, 20, "text goes on in raw mode, and can start anew");
  await peer.close();
  await settled(0);
});

for (const options of [{ execution: "inline" }, { execution: "lanes", lanes: 2 }] as const) {
  t.test(`a mixture of frames is answered in order: ${options.execution}`, async (t) => {
    const { open, settled } = await gru(t, options);
    const peer = await open("?raw=input");
    const own = reference.stream();
    const other = reference.stream();
    const checks: ((frame: Buffer | string) => Promise<void>)[] = [];
    for (let i = 0; i < 120; ++i) {
      const row = gruInput(i);
      const kind = (i * 7 + Math.floor(i / 5)) % 5;
      if (kind === 0 || kind === 1) {
        peer.send(bytesOf(row));
        checks.push((frame) => same(t, floatsOf(frame as Buffer), own, i, `${i}: raw`));
      } else if (kind === 2) {
        peer.send(jsonRequest("input", [row], { id: `${i}` }));
        checks.push(async (frame) => {
          t.match(JSON.parse(String(frame)), { id: `${i}` });
          await same(t, outputOf(frame), own, i, `${i}: text`);
        });
      } else if (kind === 3) {
        peer.send(jsonRequest("input", [row], { id: `${i}`, parameters: { sequence_id: "other" } }));
        checks.push(async (frame) => same(t, outputOf(frame), other, i, `${i}: another state`));
      } else {
        peer.send(bytesOf(row.subarray(0, i)));
        checks.push(async (frame) => {
          const error = `body: ${i * 4} raw bytes are not one row of input "input", FP32 [-1, 512]`;
          t.same(JSON.parse(String(frame)), { error, code: "INVALID_ARGUMENT" });
        });
      }
    }
    for (const check of checks) await check(await peer.next());
    await peer.close();
    await settled(1);
  });
}

t.test("an error stands in its place, with its code and the request's id, and the stream goes on", async (t) => {
  const { open } = await gru(t);
  const peer = await open();
  const alone = reference.stream();
  const wrong: [string | Buffer, object][] = [
    ["{", { code: "INVALID_ARGUMENT", error: /^body: not JSON/ }],
    ["[]", { code: "INVALID_ARGUMENT", error: /^body: expected an object/ }],
    [Buffer.from([1, 2]), { code: "INVALID_ARGUMENT", error: /^frame: 2 bytes are too short/ }],
    [Buffer.from([255, 255, 255, 255, 1]), { code: "INVALID_ARGUMENT", error: /does not fit/ }],
    [
      jsonRequest("audio", [gruInput(1)], { id: "a" }),
      { id: "a", error: "inputs[0].name: there is no input 'audio'; there are input" },
    ],
    [
      jsonRequest("input", [gruInput(1), gruInput(2)], { id: "b" }),
      { id: "b", error: /2 rows; a step of a sequence is one row/ },
    ],
    [
      jsonRequest("input", [gruInput(1).subarray(1)], { id: "c" }),
      { id: "c", error: "inputs[0].shape: is [1,511], the model takes [-1,512]" },
    ],
    [
      jsonRequest("input", [gruInput(1)], { id: "d", outputs: [{ name: "x" }] }),
      { id: "d", error: /^outputs\[0\]\.name: there is no output 'x'/ },
    ],
  ];
  for (const [index, [frame, error]] of wrong.entries()) {
    peer.send(frame);
    peer.send(jsonRequest("input", [gruInput(index)], { id: `${index}` }));
    t.match(await peer.nextJson(), error);
    await same(t, outputOf(await peer.next()), alone, index, `${index}: the state is as it was`);
  }
});

t.test("a named stream outlives its connection, and many may step it", async (t) => {
  const { open, client, liveStates } = await gru(t);
  const name = "caf\u00e9 & co/7 +?=%41";
  const query = `sequence_id=${encodeURIComponent(name)}`;
  const alone = reference.stream();
  const first = await open(`?raw=input&${query}`);
  first.send(bytesOf(gruInput(1)));
  await same(t, await first.nextFloats(), alone, 1, "the first connection");
  const second = await open(`?${query}`);
  second.send(jsonRequest("input", [gruInput(2)]));
  await same(t, outputOf(await second.next()), alone, 2, "the second");
  await first.close();
  await second.close();
  const stream = client.stream(name, { raw: "input" });
  await stream.send(gruInput(3));
  const { value } = await stream.next();
  await same(t, floatsOf(value ?? new Uint8Array()), alone, 3, "the client");
  await stream.close();
  const inputs = { input: { datatype: "FP32", shape: [1, 512], data: gruInput(4) } } as const;
  const { outputs } = await client.infer(inputs, { stateId: name });
  await same(t, outputs.output?.data as Float32Array, alone, 4, "HTTP");
  t.equal(liveStates(), 1);
});

t.test("connections without a name are streams of their own", async (t) => {
  const { open, liveStates, settled } = await gru(t);
  const peers = await Promise.all(Array.from({ length: 10 }, () => open("?raw=input")));
  const streams = peers.map(() => reference.stream());
  for (let step = 0; step < 4; ++step) {
    for (const [i, peer] of peers.entries()) peer.send(bytesOf(gruInput(step * 10 + i)));
    for (const [i, peer] of peers.entries()) {
      await same(t, await peer.nextFloats(), streams[i] ?? reference.stream(), step * 10 + i, `${i}, ${step}`);
    }
  }
  t.equal(liveStates(), 10);
  for (const [i, peer] of peers.entries()) {
    peer.send(bytesOf(gruInput(i)));
    if (i % 2 === 0) peer.socket.terminate();
    else await peer.close().catch(() => {});
  }
  await settled(0);
});

t.test("raw answers of a model without state are in order too, on as many lanes as there are", async (t) => {
  const cell = onnxCell({
    name: "echo",
    model: fixture("identity_float"),
    execution: "lanes",
    lanes: 4,
    batching: { maxSize: 2 },
  });
  const { url } = await serve(t, await modelPipeline(cell));
  const peer = await Peer.open(t, `${url}/v2/models/echo/stream?raw=x`);
  let misplaced = 0;
  for (let round = 0; round < 5; ++round) {
    for (let i = 0; i < 1000; ++i) peer.send(bytesOf(Float32Array.of(i, i, i)));
    for (let i = 0; i < 1000; ++i) if ((await peer.nextFloats())[0] !== i) misplaced += 1;
  }
  t.equal(misplaced, 0);
});

t.test("a BOOL that is neither 0 nor 1 is refused, raw or not", async (t) => {
  const { url } = await serve(t, await modelPipeline(onnxCell({ name: "b", model: fixture("identity_bool") })));
  const peer = await Peer.open(t, `${url}/v2/models/b/stream?raw=x`);
  peer.send(Uint8Array.of(0, 1, 1));
  t.same(await peer.next(), Buffer.of(0, 1, 1));
  peer.send(Uint8Array.of(0, 2, 1));
  t.match(await peer.nextJson(), { code: "INVALID_ARGUMENT", error: /byte 1 is 2, but a BOOL is 0 or 1/ });
});

t.test("a raw stream of several outputs, of text, of any length", async (t) => {
  const raw = async (name: string, input: string) => {
    const { url } = await serve(t, await modelPipeline(onnxCell({ name: "m", model: fixture(name) })));
    return Peer.open(t, `${url}/v2/models/m/stream?raw=${input}`);
  };
  const two = await raw("two_states", "x");
  for (const step of [1n, 2n]) {
    two.send(bytesOf(Float32Array.of(1, 2, 3)));
    const answer = (await two.next()) as Buffer;
    t.same(
      [...floatsOf(answer.subarray(0, 12))],
      [1, 2, 3].map((x) => x * Number(step)),
    );
    t.equal(answer.readBigInt64LE(12), step);
  }
  const dynamic = await raw("dynamic_length", "x");
  for (const values of [[1], [1, 2, 3, 4, 5], [7, 8]]) {
    dynamic.send(bytesOf(Float32Array.from(values)));
    t.same([...(await dynamic.nextFloats())], [values.reduce((sum, x) => sum + x), ...values]);
  }
});

t.test("a raw stream of steps as long as each of them likes, with state", async (t) => {
  const { url, process } = await serve(
    t,
    await modelPipeline(onnxCell({ name: "m", model: fixture("length_ledger") })),
  );
  const peer = await Peer.open(t, `${url}/v2/models/m/stream?raw=x&sequence_id=s`);
  let state = 0;
  for (const [step, length] of [1, 5, 2, 1, 9].entries()) {
    peer.send(bytesOf(new Float32Array(length).fill(step)));
    state = (31 * state + step * length) % 65521;
    t.same([...(await peer.nextFloats())], [state]);
  }
  peer.send(Buffer.alloc(6));
  t.match(await peer.nextJson(), { code: "INVALID_ARGUMENT", error: /6 raw bytes are not one row of input "x"/ });
  peer.send(bytesOf(Float32Array.of(7)));
  t.same([...(await peer.nextFloats())], [(31 * state + 7) % 65521], "what was refused left the state alone");
  t.ok(process.exportState("s").byteLength > 0);
});

t.test("a pipeline of cells is streamed like a model", async (t) => {
  const { url, process } = await serve(t, myPipeline());
  const peer = await Peer.open(t, `${url}/v2/models/MyPipeline/stream`);
  for (let step = 1; step <= 3; ++step) {
    peer.send(JSON.stringify({ inputs: [{ name: "input", datatype: "INT64", shape: [1], data: [step] }] }));
    const { outputs } = (await peer.nextJson()) as { outputs: { data: number[] }[] };
    t.same(
      outputs.map(({ data }) => data),
      [[step + 1], [step]],
    );
  }
  for (const name of ["constructor", "__proto__", "other"]) {
    peer.send(JSON.stringify({ inputs: [{ name, datatype: "INT64", shape: [1], data: [1] }] }));
    t.match(await peer.nextJson(), {
      code: "INVALID_ARGUMENT",
      error: `inputs[0].name: there is no input '${name}'; there are input`,
    });
  }
  await peer.close();
  t.throws(() => process.exportState("\u0000stream-1"), { code: "NOT_FOUND" });
});

t.test("an upgrade that cannot be is refused with a status and V2's error body", async (t) => {
  const { url } = await serve(t, await gruPipeline());
  const refused = [
    ["/v2/models/other/stream", 404, "there is no model 'other'; served: gru"],
    ["/v2/models/gru/stream?raw=audio", 400, "raw: there is no input 'audio'; the model's input is input"],
    ["/v2/models/gru/stream?raw=", 400, "raw: there is no input ''; the model's input is input"],
    [
      `/v2/models/gru/stream?sequence_id=${"x".repeat(1025)}`,
      400,
      "sequence_id: has 1025 characters, at most 1024 are allowed",
    ],
    ["/v2/models/gru/stream?sequence_id=%00stream-1", 400, /^sequence_id: /],
  ] as const;
  for (const [path, status, error] of refused) {
    const answer = await refusedUpgrade(url + path);
    t.equal(answer.status, status, path.slice(0, 60));
    t.match(JSON.parse(answer.body), { error });
  }
});
