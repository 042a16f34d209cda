// Frames that a server must refuse: with an error in their place, or by closing the WebSocket.

import { frame, OPCODE } from "./ws-wire.mjs";

/**
 * `ends`: the WebSocket must be closed, with this code; otherwise an error is the answer, and it goes on.
 * `isBomb`: it is known to be too large only when as much as is allowed, 64 MiB, is there.
 * @typedef {{ name: string, path: string, writes: () => Iterable<Buffer>, ends?: number, isBomb?: boolean }} WsCase
 */

const RAW = "/v2/models/gru512/stream?raw=input";
const MESSAGES = "/v2/models/gru512/stream";
const FLOATS = 512;
const MIB = 1 << 20;
const LIMIT = 64 * MIB; // maxFrameBytes
const GIB = 2n ** 30n;

const binary = (bytes) => frame(OPCODE.binary, bytes);
const text = (body) => frame(OPCODE.text, body);
const input = (fields) =>
  text(JSON.stringify({ inputs: [{ name: "input", datatype: "FP32", shape: [1, FLOATS], data: [0], ...fields }] }));

/** The binary form: the length of its JSON, which may lie, the JSON and what is behind it. */
function form(json, tensor, length = json.length) {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(length);
  return binary(Buffer.concat([head, Buffer.from(json), tensor]));
}

const header = (fields, size = 4 * FLOATS) =>
  JSON.stringify({
    inputs: [
      { name: "input", datatype: "FP32", shape: [1, FLOATS], parameters: { binary_data_size: size }, ...fields },
    ],
  });
const ROW = Buffer.alloc(4 * FLOATS);

/** What is wrong with a request is said in its place; the stream goes on. */
const REFUSED = {
  "a raw frame too short": [RAW, binary(ROW.subarray(4))],
  "a raw frame too long": [RAW, binary(Buffer.alloc(4 * FLOATS + 4))],
  "an empty raw frame": [RAW, binary(Buffer.alloc(0))],
  "a raw frame of 1 MiB": [RAW, binary(Buffer.alloc(MIB))],
  "a text that is no JSON": [RAW, text("nonsense")],
  "JSON nested 10,000 deep": [MESSAGES, text("[".repeat(10_000) + "]".repeat(10_000))],
  "an empty text": [MESSAGES, text("")],
  "too few data": [MESSAGES, input({})],
  "dimensions that overflow": [MESSAGES, input({ shape: [2 ** 32, 2 ** 32] })],
  "a negative dimension": [MESSAGES, input({ shape: [-1, FLOATS] })],
  "another datatype": [MESSAGES, input({ datatype: "INT64" })],
  "a header longer than the frame": [MESSAGES, form(header({}), ROW, 0xffffffff)],
  "a header of no bytes": [MESSAGES, form(header({}), ROW, 0)],
  "a header cut off": [MESSAGES, form(header({}), ROW, 10)],
  "a frame of three bytes": [MESSAGES, binary(Buffer.alloc(3))],
  "a tensor longer than the frame": [MESSAGES, form(header({}, 2 ** 53), ROW)],
  "a tensor shorter than the frame": [MESSAGES, form(header({}, 4), ROW)],
  "overflowing dimensions, binary": [MESSAGES, form(header({ shape: [2 ** 55, FLOATS] }), ROW)],
  "a stream number that there is not": [`${RAW}&streams=2`, binary(Buffer.concat([Buffer.alloc(4, 0xff), ROW]))],
  "a frame without its stream's number": [`${RAW}&streams=2`, binary(Buffer.alloc(2))],
};

/** What breaks the protocol itself ends the connection. */
const ENDED = {
  "a frame of 2^62 bytes": [1009, frame(OPCODE.binary, ROW, { declared: 2n ** 62n })],
  "a frame of 2^64 - 1 bytes": [1002, frame(OPCODE.binary, ROW, { declared: 2n ** 64n - 1n })],
  "a frame of 64 GiB": [1009, frame(OPCODE.text, ROW, { declared: 64n * GIB })],
  "a frame of 1 MiB more than is allowed": [1009, frame(OPCODE.binary, ROW, { declared: BigInt(LIMIT + MIB) })],
  "no mask": [1002, frame(OPCODE.binary, ROW, { isMasked: false })],
  "opcode 3": [1002, frame(3, ROW)],
  "opcode 11": [1002, frame(11, "")],
  "a reserved bit": [1002, frame(OPCODE.binary, ROW, { first: 0xc2 })],
  "a ping of 126 bytes": [1002, frame(OPCODE.ping, Buffer.alloc(126))],
  "a ping in fragments": [1002, frame(OPCODE.ping, "", { first: OPCODE.ping })],
  "a continuation of nothing": [1002, frame(OPCODE.continuation, ROW)],
  "a message within a message": [1002, Buffer.concat([frame(1, "a", { first: 1 }), frame(2, ROW)])],
  "a text that is not UTF-8": [1007, text(Buffer.from([0xff, 0xfe]))],
  "a length that is written too long": [1002, frame(OPCODE.binary, Buffer.alloc(5), { declared: 5n })],
  "a close frame of one byte": [1002, frame(OPCODE.close, Buffer.alloc(1))],
  "a close frame with code 1006": [1002, frame(OPCODE.close, Buffer.from([3, 238]))],
};

/** Fragments of a message that has no end: refused as soon as they are more than a message may be. */
function* endless() {
  const piece = Buffer.alloc(4 * MIB);
  yield frame(OPCODE.binary, piece, { first: OPCODE.binary });
  const next = frame(OPCODE.continuation, piece, { first: OPCODE.continuation });
  for (let sent = piece.length; sent <= LIMIT; sent += piece.length) yield next;
}

/** @returns {WsCase[]} */
export function wsCases() {
  const bytesOf = (bytes) => () => [bytes];
  return [
    ...Object.entries(REFUSED).map(([name, [path, bytes]]) => ({ name, path, writes: bytesOf(bytes) })),
    ...Object.entries(ENDED).flatMap(([name, [ends, bytes]]) => [
      { name: `${name}, raw`, path: RAW, ends, writes: bytesOf(bytes) },
      { name, path: MESSAGES, ends, writes: bytesOf(bytes) },
    ]),
    { name: "endless fragments, raw", path: RAW, ends: 1009, writes: endless, isBomb: true },
    { name: "endless fragments", path: MESSAGES, ends: 1009, writes: endless, isBomb: true },
  ];
}
