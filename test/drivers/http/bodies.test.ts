/** Bodies as networks bring them: in many pieces, of unknown length, too large, cut off. */
import t, { type Test } from "tap";
import { onnxCell } from "../../../src/pipeline/index.js";
import { fixture } from "../../support/paths.js";
import { distance, GruReference, TOLERANCE } from "../../support/reference.js";
import { gruPipeline, modelPipeline, serve } from "../../support/serve.js";
import { postHead, type RawAnswer, RawConnection } from "../../support/sockets.js";
import { binaryRequest, floatsOf, gruInput, jsonRequest } from "../../support/steps.js";

const LENGTH = "Inference-Header-Content-Length";
const INFER = "/v2/models/gru/infer";

const row = gruInput(1);
const wanted = await (await GruReference.load()).stream().step(row);
const json = Buffer.from(jsonRequest("input", [row]));
const { header, tensor } = binaryRequest("input", [row], { parameters: { binary_data_output: true } });
const binary = Buffer.concat([header, tensor]);

function outputOf({ status, headers, body }: RawAnswer): ArrayLike<number> {
  if (status !== 200) throw new Error(`${status} ${body.toString("utf8")}`);
  const headerLength = headers[LENGTH.toLowerCase()];
  if (headerLength !== undefined) return floatsOf(body.subarray(Number(headerLength)));
  return (JSON.parse(body.toString("utf8")) as { outputs: { data: number[] }[] }).outputs[0]?.data ?? [];
}

/** A body cut at each of `ends`. */
function cut(body: Buffer, ends: readonly number[]): Buffer[] {
  return [...ends, body.length].map((end, i) => body.subarray(ends[i - 1] ?? 0, end));
}

function every(size: number, length: number): number[] {
  return Array.from({ length: Math.ceil(length / size) - 1 }, (_, i) => (i + 1) * size);
}

/** Waits until the server has read what was written: an answer on another connection comes after it. */
async function settled(url: string): Promise<void> {
  await (await fetch(`${url}/v2/health/live`)).arrayBuffer();
}

const forms = {
  json: { body: json, headers: {} },
  binary: { body: binary, headers: { [LENGTH]: header.length } },
  raw: { body: tensor, headers: { [LENGTH]: 0 } },
} as const;

for (const [name, { body, headers }] of Object.entries(forms)) {
  t.test(`a ${name} body in pieces is the body`, async (t) => {
    const { port, url } = await serve(t, await gruPipeline());
    const cuts = [
      [1],
      [body.length - 1],
      [header.length],
      [header.length - 1, header.length + 1],
      every(100, body.length),
      every(1, Math.min(body.length, 40)),
    ];
    for (const ends of cuts) {
      const connection = await RawConnection.open(t, port);
      await connection.write(postHead(INFER, { ...headers, "Content-Length": body.length }));
      for (const piece of cut(body, ends)) {
        await connection.write(piece);
        await settled(url);
      }
      const found = outputOf(await connection.answer());
      t.ok(distance(found, wanted) <= TOLERANCE, `${ends.length + 1} pieces, the first ${ends[0]} bytes`);
    }
  });

  t.test(`a ${name} body of unknown length`, async (t) => {
    const { port } = await serve(t, await gruPipeline());
    for (const size of [7, 333, body.length]) {
      const connection = await RawConnection.open(t, port);
      await connection.write(postHead(INFER, { ...headers, "Transfer-Encoding": "chunked" }));
      for (const piece of cut(body, every(size, body.length))) {
        await connection.write(`${piece.length.toString(16)}\r\n`);
        await connection.write(piece);
        await connection.write("\r\n");
      }
      await connection.write("0\r\n\r\n");
      t.ok(distance(outputOf(await connection.answer()), wanted) <= TOLERANCE, `chunks of ${size}`);
    }
  });
}

t.test("one connection, many requests", async (t) => {
  const { port } = await serve(t, await gruPipeline());
  const connection = await RawConnection.open(t, port);
  for (const { body, headers } of [...Object.values(forms), ...Object.values(forms)]) {
    await connection.write(
      Buffer.concat([Buffer.from(postHead(INFER, { ...headers, "Content-Length": body.length })), body]),
    );
    t.ok(distance(outputOf(await connection.answer()), wanted) <= TOLERANCE);
  }
});

async function tooLarge(t: Test, answer: RawAnswer): Promise<void> {
  t.equal(answer.status, 413);
  const body = JSON.parse(answer.body.toString("utf8")) as { error: string };
  t.same(Object.keys(body), ["error"]);
  t.match(body.error, /at most 4096 are allowed \(maxBodyBytes\)/);
}

t.test("a body over maxBodyBytes is refused, announced or not, in one piece or many", async (t) => {
  const { port, url, client } = await serve(t, await gruPipeline(), { maxBodyBytes: 4096 });
  const large = Buffer.alloc(4097, " ");
  for (const headers of [{}, { [LENGTH]: header.length }, { [LENGTH]: 0 }]) {
    const announced = await RawConnection.open(t, port);
    await announced.write(postHead(INFER, { ...headers, "Content-Length": large.length }));
    await tooLarge(t, await announced.answer());
    const chunked = await RawConnection.open(t, port);
    await chunked.write(postHead(INFER, { ...headers, "Transfer-Encoding": "chunked" }));
    const start = Buffer.concat([binary, large]).subarray(0, 4096);
    await chunked.write(Buffer.concat([Buffer.from("1000\r\n"), start, Buffer.from("\r\n")]));
    await settled(url);
    await chunked.write("1\r\n \r\n");
    const answer = await chunked.answer();
    // A binary body is known to be wrong as soon as it has more than its header says.
    if (answer.status !== 400) await tooLarge(t, answer);
  }
  const exact = await RawConnection.open(t, port);
  const body = Buffer.concat([binary.subarray(0, header.length), Buffer.alloc(0), tensor]);
  await exact.write(postHead(INFER, { [LENGTH]: header.length, "Content-Length": body.length }));
  await exact.write(body);
  t.ok(distance(outputOf(await exact.answer()), wanted) <= TOLERANCE, "another is served");
  const predicted = client.predict({ input: [...gruInput(1), ...gruInput(2)] });
  await t.rejects(predicted, { code: "PAYLOAD_TOO_LARGE" }, "POST /predict has the same limit");
});

t.test("a header that promises more than there can be costs nothing", async (t) => {
  const cell = onnxCell({ name: "gru", model: fixture("dynamic_length") });
  const { port, process } = await serve(t, await modelPipeline(cell));
  for (const count of [2 ** 28, 2 ** 34, 2 ** 49]) {
    const input = { name: "x", datatype: "FP32", shape: [1, count], parameters: { binary_data_size: count * 4 } };
    const lie = Buffer.from(JSON.stringify({ inputs: [input] }));
    for (const length of [{ "Content-Length": lie.length + 8 }, { "Transfer-Encoding": "chunked" }] as const) {
      const before = globalThis.process.memoryUsage().rss;
      const connection = await RawConnection.open(t, port);
      await connection.write(postHead(INFER, { [LENGTH]: lie.length, ...length }));
      if ("Content-Length" in length) {
        await connection.write(lie);
        await connection.write(Buffer.alloc(8));
      } else {
        await connection.write(`${lie.length.toString(16)}\r\n${lie.toString("utf8")}\r\n`);
        await connection.write("8\r\n12345678\r\n0\r\n\r\n");
      }
      const { status, body } = await connection.answer();
      t.equal(status, 400, `${count} elements`);
      t.match(body.toString("utf8"), /^\{"error":"body: is truncated/);
      t.ok(globalThis.process.memoryUsage().rss - before < 2 ** 28, "no memory was taken for it");
    }
  }
  t.match(process.stats().model, { waiting: 0, running: 0 });
});

t.test("a body that is announced takes memory as it comes", async (t) => {
  const { port, url } = await serve(t, await gruPipeline());
  const announced = 60 << 20;
  const before = globalThis.process.memoryUsage().arrayBuffers;
  const connections = await Promise.all(Array.from({ length: 20 }, () => RawConnection.open(t, port)));
  for (const connection of connections) {
    await connection.write(postHead(INFER, { "Content-Length": announced }));
    await connection.write(" ".repeat(1000));
  }
  // Asked after them, it is answered after they were read.
  t.equal((await fetch(`${url}/v2/health/live`)).status, 200);
  const taken = globalThis.process.memoryUsage().arrayBuffers - before;
  t.ok(taken < announced, `${taken} bytes for ${connections.length} bodies`);
});

t.test("a body that ends early is refused, whatever came of it", async (t) => {
  const { port, process } = await serve(t, await gruPipeline());
  for (const missing of [1, 4, 2048]) {
    const connection = await RawConnection.open(t, port);
    const short = binary.subarray(0, binary.length - missing);
    await connection.write(postHead(INFER, { [LENGTH]: header.length, "Content-Length": short.length }));
    await connection.write(short.subarray(0, header.length + 10));
    await connection.write(short.subarray(header.length + 10));
    const { status, body } = await connection.answer();
    t.equal(status, 400);
    t.match(body.toString("utf8"), /truncated/);
  }
  const connection = await RawConnection.open(t, port);
  await connection.write(postHead(INFER, { [LENGTH]: header.length, "Content-Length": binary.length + 3 }));
  await connection.write(binary);
  await connection.write("end");
  t.equal((await connection.answer()).status, 400, "nor may it be too long");
  t.match(process.stats().model, { succeeded: 0n, waiting: 0 });
});
