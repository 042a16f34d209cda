// Valid requests, and what a seed makes of them. The same seed and number make the same bytes.

import { gzipSync } from "node:zlib";
import { randomOf } from "./random.mjs";
import { frame, OPCODE, upgrade } from "./ws-wire.mjs";

/**
 * Something to send: the bytes in pieces, as they are to be written.
 * @typedef {{ number: number, name: string, pieces: Buffer[] }} Case
 *
 * A valid request: its head without lengths, its body and what belongs behind, so that a body that was changed can still be framed.
 * @typedef {{ name: string, head: string, body: Buffer, fields?: (body: Buffer) => string } |
 *   { name: string, path: string, frames: [opcode: number, payload: Buffer][] }} Seed
 */

const MODEL = "/v2/models/gru512";
const FLOATS = new Array(512).fill(0.5);
const TENSOR = Buffer.from(new Float32Array(FLOATS).buffer);
const JSON_INPUT = { name: "input", datatype: "FP32", shape: [1, 512], data: FLOATS };
const V2 = JSON.stringify({ id: "7", parameters: { sequence_id: "fuzz", sequence_start: true }, inputs: [JSON_INPUT] });
const V2_HEADER = JSON.stringify({
  parameters: { sequence_id: 5, priority: 1, timeout: 1e6, binary_data_output: true },
  inputs: [{ name: "input", datatype: "FP32", shape: [1, 512], parameters: { binary_data_size: 2048 } }],
});
const PREDICT = JSON.stringify({
  inputs: { input: [FLOATS] },
  stateId: "fuzz",
  end: true,
  timeoutMs: 1000,
  priority: 2,
});
const GENERATE = JSON.stringify({ input: FLOATS, sequence_id: "fuzz", id: "x" });
const CONTROL = '{"open": 1, "sequence_id": "fuzz-1", "start": true}';

const posted = (name, path, body, fields) => ({ name, head: `POST ${path} HTTP/1.1\r\nHost: trust\r\n`, body, fields });
const got = (path) => ({ name: path, head: `GET ${path} HTTP/1.1\r\nHost: trust\r\n`, body: Buffer.alloc(0) });
const length = (body) => `Content-Length: ${body.length}\r\n`;
const withHeader = (body) => `Inference-Header-Content-Length: ${V2_HEADER.length}\r\n${length(body)}`;
const gzipped = (body) => `Content-Encoding: gzip\r\n${length(body)}`;
const chunked = () => "Transfer-Encoding: chunked\r\n";
const numbered = Buffer.concat([Buffer.from([1, 0, 0, 0]), TENSOR]);
const binaryForm = Buffer.concat([
  Buffer.from(Uint32Array.of(V2_HEADER.length).buffer),
  Buffer.from(V2_HEADER),
  TENSOR,
]);

/** @type {Seed[]} */
const SEEDS = [
  posted("V2 JSON", `${MODEL}/infer`, Buffer.from(V2), length),
  posted("V2 binary", `${MODEL}/infer`, Buffer.concat([Buffer.from(V2_HEADER), TENSOR]), withHeader),
  posted("V2 raw", `${MODEL}/infer`, TENSOR, (body) => `Inference-Header-Content-Length: 0\r\n${length(body)}`),
  posted("V2 gzip", `${MODEL}/infer`, gzipSync(V2), gzipped),
  posted("V2 in chunks", `${MODEL}/infer`, Buffer.from(`${V2.length.toString(16)}\r\n${V2}\r\n0\r\n\r\n`), chunked),
  posted("predict", "/predict", Buffer.from(PREDICT), length),
  posted("tasks", "/tasks", Buffer.from(PREDICT), length),
  posted("generate", `${MODEL}/generate`, Buffer.from(GENERATE), length),
  posted("generate_stream", `${MODEL}/versions/1/generate_stream`, Buffer.from(GENERATE), length),
  posted("index", "/v2/repository/index", Buffer.from('{"ready": true}'), length),
  ...["/v2", `${MODEL}/config`, `${MODEL}/stats`, "/metrics", "/tasks/x?waitMs=1", "/v2/health/ready"].map(got),
  { name: "raw frames", path: `${MODEL}/stream?raw=input`, frames: [[OPCODE.binary, TENSOR]] },
  {
    name: "numbered frames",
    path: `${MODEL}/stream?raw=input&streams=4`,
    frames: [
      [OPCODE.text, Buffer.from(CONTROL)],
      [OPCODE.binary, numbered],
      [OPCODE.text, Buffer.from('{"close": 1, "end": true}')],
    ],
  },
  {
    name: "messages",
    path: `${MODEL}/stream?sequence_id=fuzz&order=stream`,
    frames: [
      [OPCODE.text, Buffer.from(V2)],
      [OPCODE.binary, binaryForm],
      [OPCODE.ping, Buffer.from("ping")],
    ],
  },
  {
    name: "subscription",
    path: `${MODEL}/subscribe?stateId=fuzz&format=binary`,
    frames: [[OPCODE.ping, Buffer.alloc(0)]],
  },
];

const TOKENS = [
  "\0", "\r\n", "\r\n\r\n", ":", " ", ",", '"', "\\u0000", "\\ud800", "[", "{", "}", "]", "null", "NaN", "1e999", "-0", "-1",
  "18446744073709551616", "9007199254740993", "4294967295", "2147483648", "0.5", "true", "%00", "%2f", "?", "&raw=", "..",
  "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "Expect: 100-continue\r\n", "HTTP/1.0",
  '"parameters":{', '"binary_data_size":', '"shape":[', '"datatype":"BYTES"', "sequence_end", "ffffffffffffffff",
].map((text) => Buffer.from(text)); // biome-ignore format: a list of words

const MOST_REPEATED = 20_000;

/** One change at a random place. */
function changed(bytes, random) {
  const at = random.below(bytes.length + 1);
  const until = Math.min(bytes.length, at + 1 + random.below(random.pick([2, 16, 400])));
  const put = (middle, end = until) => Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(end)]);
  switch (random.below(9)) {
    case 0: {
      const copy = Buffer.from(bytes);
      if (at < copy.length) copy[at] ^= 1 << random.below(8);
      return copy;
    }
    case 1:
      return put(Buffer.from([random.below(256)]), Math.min(bytes.length, at + 1));
    case 2:
      return put(Buffer.from(Array.from({ length: 1 + random.below(9) }, () => random.below(256))), at);
    case 3:
      return put(Buffer.alloc(0));
    case 4:
      return bytes.subarray(0, at);
    case 5:
      return put(random.pick(TOKENS), at);
    case 6:
      return put(random.pick(TOKENS));
    case 7:
      return put(Buffer.concat([bytes.subarray(at, until), bytes.subarray(at, until)]));
    default:
      return random.below(8) > 0 ? put(random.pick(TOKENS), at) : repeated(bytes, at, until, put);
  }
}

/** Something again and again: nested, long, or many. */
function repeated(bytes, at, until, put) {
  const piece = bytes.subarray(at, until);
  return put(Buffer.concat(new Array(Math.ceil(MOST_REPEATED / (piece.length + 1))).fill(piece)));
}

function mutated(bytes, random) {
  let result = bytes;
  for (let left = random.pick([0, 1, 1, 2, 3, 8]); left > 0; left--) result = changed(result, random);
  return result;
}

/** Half of the time only what is inside is changed and the frame around it is right: what is behind it is to be reached too. */
function requestOf(seed, random) {
  const isInside = random.below(2) === 0;
  const body = isInside ? mutated(seed.body, random) : seed.body;
  const whole = Buffer.concat([Buffer.from(`${seed.head}${seed.fields?.(body) ?? ""}\r\n`), body]);
  return isInside ? whole : mutated(whole, random);
}

function framesOf(seed, random) {
  const isInside = random.below(2) === 0;
  const open = Buffer.from(upgrade(seed.path));
  const frames = seed.frames.map(([opcode, payload]) => frame(opcode, isInside ? mutated(payload, random) : payload));
  if (isInside) return [open, ...frames];
  // The upgrade itself is changed now and then; mostly it has to succeed for frames to be looked at.
  return [random.below(4) === 0 ? mutated(open, random) : open, mutated(Buffer.concat(frames), random)];
}

/** Cut where nobody expects it. */
function cut(bytes, random) {
  const pieces = [];
  for (let left = bytes; left.length > 0; ) {
    const size = random.below(3) > 0 ? left.length : 1 + random.below(left.length);
    pieces.push(left.subarray(0, size));
    left = left.subarray(size);
  }
  return pieces;
}

/** @param {number} seed @param {number} number @returns {Case} */
export function mutation(seed, number) {
  const random = randomOf(Math.imul(seed, 0x9e3779b1) + number);
  const requests = [];
  const names = [];
  // Several on one connection, as long as it lasts.
  do {
    const chosen = random.pick(SEEDS);
    names.push(chosen.name);
    if (chosen.path === undefined) requests.push(requestOf(chosen, random));
    else requests.push(...framesOf(chosen, random));
  } while (random.below(3) === 0);
  return { number, name: names.join(", then "), pieces: requests.flatMap((bytes) => cut(bytes, random)) };
}
