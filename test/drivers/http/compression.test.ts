/** Bodies that are compressed, in both directions: every form of request, wishes in the answer, broken ones and bombs. */

import { syncBuiltinESMExports } from "node:module";
import { Readable, type Transform } from "node:stream";
import { buffer } from "node:stream/consumers";
import zlib, {
  createDeflate,
  createGzip,
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateSync,
} from "node:zlib";
import t, { type Test } from "tap";
import { onnxCell } from "../../../src/pipeline/index.js";
import { fixture } from "../../support/paths.js";
import { distance, GruReference, TOLERANCE } from "../../support/reference.js";
import { gruPipeline, modelPipeline, serve } from "../../support/serve.js";
import { postHead, type RawAnswer, RawConnection } from "../../support/sockets.js";
import { binaryRequest, floatsOf, gruInput, jsonRequest } from "../../support/steps.js";

const LENGTH = "Inference-Header-Content-Length";
const MIB = 1 << 20;
const ZEROS = Buffer.alloc(MIB);
const wanted = await (await GruReference.load()).stream().step(gruInput(1));
const { header, tensor } = binaryRequest("input", [gruInput(1)], { parameters: { binary_data_output: true } });
const json = Buffer.from(jsonRequest("input", [gruInput(1)]));

const packers = { gzip: gzipSync, deflate: deflateSync } as const;
const unpackers = { gzip: gunzipSync, deflate: inflateSync } as const;

type Headers = Readonly<Record<string, string | number>>;

async function post(t: Test, port: number, path: string, body: Uint8Array, headers: Headers = {}): Promise<RawAnswer> {
  const connection = await RawConnection.open(t, port);
  await connection.write(postHead(path, { ...headers, "Content-Length": body.byteLength }));
  await connection.write(body);
  return connection.answer();
}

/** Mebibytes of zeros, which never were in memory all at once. */
function packedZeros(packer: Transform, mebibytes: number): Promise<Buffer> {
  return buffer(Readable.from(Array.from({ length: mebibytes }, () => ZEROS)).pipe(packer));
}

/** Watches the memory of this process until the test ends: the most beyond what there was at first. */
function watchMemory(t: Test): () => number {
  const before = process.memoryUsage.rss();
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss() - before);
  }, 1);
  t.teardown(() => clearInterval(watch));
  return () => most;
}

const errorOf = ({ body }: RawAnswer): string =>
  String((JSON.parse(body.toString("utf8")) as { error: unknown }).error);

/** The floats of a V2 answer of any form. */
function outputOf({ status, headers, body }: RawAnswer): ArrayLike<number> {
  if (status !== 200) throw new Error(`${status} ${body.toString("utf8")}`);
  const length = headers[LENGTH.toLowerCase()];
  if (length !== undefined) return floatsOf(body.subarray(Number(length)));
  return (JSON.parse(body.toString("utf8")) as { outputs: { data: number[] }[] }).outputs[0]?.data ?? [];
}

for (const encoding of ["gzip", "deflate"] as const) {
  t.test(`${encoding}: every form of request, in one piece or many`, async (t) => {
    const { port } = await serve(t, await gruPipeline());
    const forms: [string, Buffer, Headers][] = [
      ["json", json, {}],
      ["binary", Buffer.concat([header, tensor]), { [LENGTH]: header.length }],
      ["raw", tensor, { [LENGTH]: 0 }],
    ];
    for (const [name, body, headers] of forms) {
      const packed = packers[encoding](body);
      for (const content of [encoding, encoding.toUpperCase()]) {
        const answer = await post(t, port, "/v2/models/gru/infer", packed, { ...headers, "Content-Encoding": content });
        t.ok(distance(outputOf(answer), wanted) <= TOLERANCE, `${name} ${content}`);
      }
      const connection = await RawConnection.open(t, port);
      await connection.write(
        postHead("/v2/models/gru/infer", { ...headers, "Content-Encoding": encoding, "Content-Length": packed.length }),
      );
      for (let at = 0; at < packed.length; at += 300) await connection.write(packed.subarray(at, at + 300));
      t.ok(distance(outputOf(await connection.answer()), wanted) <= TOLERANCE, `${name} in pieces`);
    }
    const inputs = Buffer.from(JSON.stringify({ inputs: { input: [...gruInput(1)] } }));
    const predicted = await post(t, port, "/predict", packers[encoding](inputs), { "Content-Encoding": encoding });
    t.equal(predicted.status, 200);
    const task = await post(t, port, "/tasks", packers[encoding](inputs), { "Content-Encoding": encoding });
    t.equal(task.status, 202);
  });

  t.test(`${encoding}: answers small, large and larger than a socket's buffer`, async (t) => {
    const { port } = await serve(t, await modelPipeline(onnxCell({ name: "m", model: fixture("dynamic_length") })));
    for (const count of [300, 3000, 300_000]) {
      const row = Float32Array.from({ length: count }, (_, i) => Math.sin(i));
      const body = binaryRequest("x", [row], { parameters: { binary_data_output: true } });
      const headers = { [LENGTH]: body.header.length };
      const whole = Buffer.concat([body.header, body.tensor]);
      const plain = await post(t, port, "/v2/models/m/infer", whole, headers);
      t.equal(plain.headers["content-encoding"], undefined);
      const packed = await post(t, port, "/v2/models/m/infer", whole, { ...headers, "Accept-Encoding": encoding });
      t.match(packed.headers, { "content-encoding": encoding, vary: "Accept-Encoding" });
      t.equal(packed.headers[LENGTH.toLowerCase()], plain.headers[LENGTH.toLowerCase()], "of what is inflated");
      t.ok(unpackers[encoding](packed.body).equals(plain.body), `${count} numbers`);
    }
  });
}

t.test("which encoding an answer has", async (t) => {
  const { port } = await serve(t, await gruPipeline());
  const wishes: [string, string | undefined][] = [
    ["gzip", "gzip"],
    ["deflate", "deflate"],
    ["gzip, deflate, br", "gzip"],
    ["deflate, gzip", "gzip"],
    ["gzip;q=0.5, deflate", "deflate"],
    ["GZIP;Q=1.0", "gzip"],
    ["x-gzip", "gzip"],
    ["*", "gzip"],
    ["*;q=0.1, gzip;q=0", "deflate"],
    ["br", undefined],
    ["identity", undefined],
    ["identity, gzip;q=0.5", undefined],
    ["gzip;q=0", undefined],
    ["gzip;q=2", undefined],
    ["gzip;q=nonsense", undefined],
  ];
  for (const [accept, encoding] of wishes) {
    const connection = await RawConnection.open(t, port);
    await connection.write(`GET /openapi.json HTTP/1.1\r\nHost: test\r\nAccept-Encoding: ${accept}\r\n\r\n`);
    const { headers, body } = await connection.answer();
    t.equal(headers["content-encoding"], encoding, accept);
    t.match(headers.etag, encoding === undefined ? /^"/ : /^W\/"/);
    const text = encoding === undefined ? body : unpackers[encoding as "gzip" | "deflate"](body);
    t.match(JSON.parse(text.toString("utf8")), { openapi: "3.1.0" });
    await connection.write(
      `GET /openapi.json HTTP/1.1\r\nHost: test\r\nAccept-Encoding: ${accept}\r\nIf-None-Match: ${headers.etag}\r\n\r\n`,
    );
    t.equal((await connection.answer()).status, 304);
  }
  const tiny = await post(t, port, "/v2/models/gru/infer", json, { "Accept-Encoding": "gzip" });
  t.equal(tiny.headers["content-encoding"], undefined, "one packet is one packet");
  t.ok(distance(outputOf(tiny), wanted) <= TOLERANCE);
});

t.test("an answer that there is no memory to compress goes as it is", async (t) => {
  const { port } = await serve(t, await gruPipeline());
  const { gzip } = zlib;
  const replace = (by: typeof gzip): void => {
    zlib.gzip = by;
    syncBuiltinESMExports();
  };
  t.teardown(() => replace(gzip));
  const failing = (...args: unknown[]): void => {
    setImmediate(args.at(-1) as (error: Error) => void, new Error("insufficient memory"));
  };
  replace(failing as typeof gzip);
  const connection = await RawConnection.open(t, port);
  await connection.write("GET /openapi.json HTTP/1.1\r\nHost: test\r\nAccept-Encoding: gzip\r\n\r\n");
  const { status, headers, body } = await connection.answer();
  t.equal(status, 200);
  t.equal(headers["content-encoding"], undefined);
  t.match(headers.etag, /^"/);
  t.match(JSON.parse(body.toString("utf8")), { openapi: "3.1.0" });
});

t.test("an encoding that is not there is 501, and says which are", async (t) => {
  const { port } = await serve(t, await gruPipeline());
  for (const path of ["/v2/models/gru/infer", "/predict", "/tasks"]) {
    for (const encoding of ["br", "zstd", "gzip, gzip", "aes128gcm"]) {
      const answer = await post(t, port, path, json, { "Content-Encoding": encoding });
      t.equal(answer.status, 501, `${path} ${encoding}`);
      t.equal(answer.headers["accept-encoding"], "gzip, deflate");
      t.match(answer.body.toString("utf8"), `Content-Encoding '${encoding}' is not supported`);
    }
  }
  t.equal((await post(t, port, "/v2/models/gru/infer", json, { "Content-Encoding": "identity" })).status, 200);
});

t.test("broken bodies are 400, the small and the large", async (t) => {
  const { port, process } = await serve(t, await gruPipeline());
  const large = Buffer.from(
    jsonRequest(
      "input",
      Array.from({ length: 40 }, (_, i) => gruInput(i)),
    ),
  );
  for (const body of [json, large]) {
    const gzip = gzipSync(body);
    const flipped = Buffer.from(gzip);
    flipped[flipped.length - 6] = (flipped[flipped.length - 6] ?? 0) ^ 0xff;
    const broken: [string, Buffer, RegExp][] = [
      ["gzip", gzip.subarray(0, -1), /^body: is not gzip, as its Content-Encoding says: unexpected end of file$/],
      ["gzip", gzip.subarray(0, gzip.length >> 1), /unexpected end of file$/],
      ["gzip", Buffer.alloc(0), /unexpected end of file$/],
      ["gzip", body, /incorrect header check$/],
      ["gzip", flipped, /incorrect data check$/],
      ["gzip", Buffer.concat([gzip, Buffer.of(0, 1, 2)]), /^body: 3 bytes follow the end of the gzip data$/],
      ["deflate", deflateRawSync(body), /^body: is not deflate \(the zlib format\)/],
      ["deflate", gzip, /^body: is not deflate \(the zlib format\)/],
      [
        "deflate",
        Buffer.concat([deflateSync(body), Buffer.of(9)]),
        /^body: 1 bytes follow the end of the deflate data$/,
      ],
    ];
    for (const [encoding, packed, message] of broken) {
      const answer = await post(t, port, "/v2/models/gru/infer", packed, { "Content-Encoding": encoding });
      t.equal(answer.status, 400, String(message));
      t.match(errorOf(answer), message);
    }
  }
  t.match(process.stats().model, { succeeded: 0n, waiting: 0 });
});

t.test("what inflates to more than maxBodyBytes is 413, and takes no memory for it", async (t) => {
  const limit = 4 * MIB;
  const { port } = await serve(t, await gruPipeline(), { maxBodyBytes: limit });
  const just = Buffer.concat([json, Buffer.alloc(limit - json.length, " ")]);
  const fits = await post(t, port, "/v2/models/gru/infer", gzipSync(just), { "Content-Encoding": "gzip" });
  t.equal(fits.status, 200, "as many bytes as are allowed");
  const bomb = await packedZeros(createGzip(), 512);
  t.ok(bomb.length < MIB, "it is allowed in");
  const bombs: [string, Buffer][] = [
    ["gzip", gzipSync(Buffer.concat([just, Buffer.from(" ")]))],
    ["gzip", bomb],
    ["deflate", await packedZeros(createDeflate(), 512)],
    // Many members, each of which would be allowed.
    ["gzip", Buffer.concat(Array.from({ length: 64 }, () => gzipSync(Buffer.alloc(MIB))))],
  ];
  const most = watchMemory(t);
  for (const [encoding, body] of bombs) {
    for (const path of ["/v2/models/gru/infer", "/predict"]) {
      const answer = await post(t, port, path, body, { "Content-Encoding": encoding });
      t.equal(answer.status, 413, `${encoding} ${body.length}`);
      t.match(answer.body.toString("utf8"), /has more than 4194304 bytes when it is inflated/);
    }
  }
  t.ok(most() < 64 * MIB, `${most()} bytes were taken`);
  const after = await post(t, port, "/v2/models/gru/infer", json);
  t.ok(distance(outputOf(after), wanted) <= TOLERANCE, "and it goes on");
});

t.test("many large bodies at once are inflated few at a time", async (t) => {
  const { port } = await serve(t, await gruPipeline());
  const clients = 24;
  const size = 32 * MIB;
  const packed = gzipSync(Buffer.concat([json, Buffer.alloc(size - json.length, " ")]));
  const most = watchMemory(t);
  const answers = await Promise.all(
    Array.from({ length: clients }, () =>
      post(t, port, "/v2/models/gru/infer", packed, { "Content-Encoding": "gzip" }),
    ),
  );
  for (const answer of answers) t.ok(distance(outputOf(answer), wanted) <= TOLERANCE);
  t.ok(most() < (clients * size) / 2, `${most()} bytes were taken`);
});

t.test("a client that goes while its body is being inflated, or its answer compressed, costs nothing", async (t) => {
  const {
    port,
    url,
    process: served,
  } = await serve(t, await modelPipeline(onnxCell({ name: "m", model: fixture("dynamic_length") })));
  const body = binaryRequest("x", [new Float32Array(500_000).fill(0.5)], { parameters: { binary_data_output: true } });
  const packed = gzipSync(Buffer.concat([body.header, body.tensor]));
  for (let round = 0; round < 20; ++round) {
    const connection = await RawConnection.open(t, port);
    const headers = { [LENGTH]: body.header.length, "Content-Encoding": "gzip", "Accept-Encoding": "deflate" };
    await connection.write(postHead("/v2/models/m/infer", { ...headers, "Content-Length": packed.length }));
    await connection.write(packed);
    if (round % 2 === 0) await fetch(`${url}/v2/health/live`);
    connection.socket.destroy();
    await connection.closed;
  }
  const headers = { [LENGTH]: body.header.length, "Content-Encoding": "gzip", "Accept-Encoding": "deflate" };
  const answer = await post(t, port, "/v2/models/m/infer", packed, headers);
  t.equal(inflateSync(answer.body).length - Number(answer.headers[LENGTH.toLowerCase()]), 4 * 500_001);
  t.match(served.stats().model, { waiting: 0, running: 0 });
});
