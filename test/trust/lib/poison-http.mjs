// HTTP requests that a server must refuse, each with what is wrong with it, and some that look like it and are right.

import { deflateSync, gzipSync } from "node:zlib";
import { post, postBinary } from "./http-wire.mjs";

/**
 * `isBomb`: it is known to be too large only when as much as is allowed, 64 MiB, is there.
 * @typedef {{ name: string, bytes: Buffer, isValid?: boolean, isBomb?: boolean }} HttpCase
 */

const INFER = "/v2/models/gru512/infer";
const FLOATS = 512;
const MIB = 1 << 20;

const row = (value) => new Float32Array(FLOATS).fill(value);
const list = (value) => new Array(FLOATS).fill(value);
const input = (fields = {}) => ({ name: "input", datatype: "FP32", shape: [1, FLOATS], data: list(0), ...fields });
const json = (fields) => post(INFER, JSON.stringify(fields));
const withInput = (fields) => json({ inputs: [input(fields)] });
const binary = (fields = {}) => postBinary({ path: INFER, input: "input", values: row(0), ...fields });
const text = (request, from, to) => Buffer.from(request.toString("latin1").replace(from, to), "latin1");

/** NaN and the infinities are numbers of FP32: nothing is wrong with them, and nobody else may notice. */
function validCases() {
  const strange = { NaN: Number.NaN, infinity: Number.POSITIVE_INFINITY, "-infinity": Number.NEGATIVE_INFINITY };
  return Object.entries(strange).flatMap(([name, value]) => [
    { name: `${name} in binary`, bytes: binary({ values: row(value) }), isValid: true },
    {
      name: `${name} in binary, of a sequence`,
      bytes: binary({ values: row(value), parameters: { sequence_id: "poisoned" } }),
      isValid: true,
    },
  ]);
}

function shapeCases() {
  const shapes = {
    "a row too short": [1, FLOATS - 1],
    "no batch": [FLOATS],
    "one dimension more": [1, 1, FLOATS],
    "no rows": [0, FLOATS],
    "fewer data than the shape": [2, FLOATS],
    "a negative dimension": [-1, FLOATS],
    "two negative dimensions": [-1, -FLOATS],
    "a fractional dimension": [1, 511.5],
    "dimensions whose product is 2^64": [2 ** 32, 2 ** 32],
    "dimensions whose product is 2^64 + 512": [2 ** 55, FLOATS],
    "a dimension of 2^53": [2 ** 53, 1],
    "a dimension of 1e308": [1e308, FLOATS],
    "a thousand dimensions": new Array(1000).fill(1),
    "a shape that is a text": "1,512",
    "a shape of texts": ["1", "512"],
    "no shape": undefined,
  };
  return Object.entries(shapes).flatMap(([name, shape]) => [
    { name: `${name}, JSON`, bytes: withInput({ shape }) },
    { name: `${name}, binary`, bytes: binary({ shape: shape ?? null }) },
  ]);
}

function tensorCases() {
  const types = ["FP64", "INT32", "BYTES", "FP33", "", 7, null];
  const fields = {
    "too few data": { data: list(0).slice(1) },
    "too many data": { data: [...list(0), 0] },
    "a number beyond FP32": { data: [...list(0).slice(1), 1e300] },
    "a text for a number": { data: [...list(0).slice(1), "zero"] },
    "null for a number": { data: [...list(0).slice(1), null] },
    "ragged rows": { data: [list(0).slice(1), [0]] },
    "data that are an object": { data: {} },
    "no data": { data: undefined },
    "an unknown input": { name: "output" },
    "no name": { name: undefined },
  };
  return [
    ...types.map((datatype) => ({ name: `datatype ${JSON.stringify(datatype)}`, bytes: withInput({ datatype }) })),
    ...types.map((datatype) => ({ name: `datatype ${JSON.stringify(datatype)}, binary`, bytes: binary({ datatype }) })),
    ...Object.entries(fields).map(([name, wrong]) => ({ name, bytes: withInput(wrong) })),
    { name: "no inputs", bytes: json({}) },
    { name: "inputs that are no list", bytes: json({ inputs: {} }) },
    { name: "the same input twice", bytes: json({ inputs: [input(), input()] }) },
    { name: "a hundred thousand inputs", bytes: json({ inputs: new Array(1e5).fill({}) }) },
    { name: "a sequence id that is a list", bytes: json({ parameters: { sequence_id: [] }, inputs: [input()] }) },
    { name: "a timeout below 0", bytes: json({ parameters: { timeout: -1 }, inputs: [input()] }) },
    { name: "a priority of 2^64", bytes: json({ parameters: { priority: 2 ** 64 }, inputs: [input()] }) },
    { name: "two rows of one sequence", bytes: twoRowsOfOneSequence() },
  ];
}

function twoRowsOfOneSequence() {
  const values = new Float32Array(2 * FLOATS);
  return binary({ values, shape: [2, FLOATS], parameters: { sequence_id: "one" } });
}

/** What a request says of its own length, and it is not so. */
function lengthCases() {
  const whole = binary();
  const body = JSON.stringify({ inputs: [input()] });
  const sized = (size) => text(whole, `"binary_data_size":${4 * FLOATS}`, `"binary_data_size":${size}`);
  const header = (value) => post(INFER, body, { "Inference-Header-Content-Length": value });
  const length = (value) => text(post(INFER, body), /Content-Length: \d+/, `Content-Length: ${value}`);
  const chunks = (size) =>
    Buffer.from(`POST ${INFER} HTTP/1.1\r\nHost: trust\r\nTransfer-Encoding: chunked\r\n\r\n${size}\r\n`);
  return [
    ...[0, 2047, 2049, 4096, -1, "1e3", "9007199254740992", "18446744073709551616"].map((size) => ({
      name: `a tensor of ${size} bytes`,
      bytes: resized(sized(size), whole),
    })),
    ...[-1, 1, body.length + 1, "1e3", "0x10", "18446744073709551616", "x"].map((value) => ({
      name: `a JSON header of ${value} bytes`,
      bytes: header(value),
    })),
    ...["-1", "+5", "0x10", "1e3", "5, 6", "", "18446744073709551616", String(65 * MIB), String(2 ** 53)].map(
      (value) => ({
        name: `Content-Length '${value}'`,
        bytes: length(value),
      }),
    ),
    { name: "a length shorter than the body", bytes: length(10) },
    { name: "Content-Length and chunks", bytes: length("5\r\nTransfer-Encoding: chunked") },
    { name: "two lengths", bytes: length("5\r\nContent-Length: 6") },
    ...["FFFFFFFFFFFFFFFFF", "-1", "0x5", "x", "", `5;${"x".repeat(20_000)}`].map((size) => ({
      name: `a chunk of '${size.slice(0, 20)}'`,
      bytes: chunks(size),
    })),
  ];
}

/** The length of a changed head has changed with it, which is not what is to be wrong. */
function resized(request, whole) {
  const added = request.length - whole.length;
  const more = (_all, name, digits) => `${name}: ${Number(digits) + added}`;
  return text(text(request, /(\nContent-Length): (\d+)/, more), /(Inference-Header-Content-Length): (\d+)/, more);
}

function headCases() {
  const get = (line, fields = "") => Buffer.from(`${line}\r\nHost: trust\r\n${fields}\r\n`, "latin1");
  const huge = "x".repeat(64 << 10);
  return [
    { name: "a header of 64 KiB", bytes: get("GET /v2 HTTP/1.1", `X-Poison: ${huge}\r\n`) },
    { name: "a header's name of 64 KiB", bytes: get("GET /v2 HTTP/1.1", `${huge}: x\r\n`) },
    { name: "a target of 64 KiB", bytes: get(`GET /${huge} HTTP/1.1`) },
    { name: "a method of 64 KiB", bytes: get(`${huge} / HTTP/1.1`) },
    { name: "a thousand headers", bytes: get("GET /v2 HTTP/1.1", "X: y\r\n".repeat(1000)) },
    { name: "a header with a NUL", bytes: get("GET /v2 HTTP/1.1", "X: a\0b\r\n") },
    { name: "a header folded over lines", bytes: get("GET /v2 HTTP/1.1", "X: a\r\n b\r\n") },
    { name: "a blank before a colon", bytes: get("GET /v2 HTTP/1.1", "X : a\r\n") },
    { name: "two hosts", bytes: get("GET /v2 HTTP/1.1", "Host: other\r\n") },
    { name: "no version", bytes: get("GET /v2") },
    { name: "a model's name that is no UTF-8", bytes: get("GET /v2/models/%FF%FE HTTP/1.1") },
    { name: "a path out of the root", bytes: get("GET /../../etc/passwd HTTP/1.1") },
    { name: "a broken percent", bytes: get("GET /v2/models/%zz HTTP/1.1") },
  ];
}

function jsonCases() {
  const deep = (open, close) => open.repeat(10_000) + close.repeat(10_000);
  const texts = {
    "lists nested 10,000 deep": deep("[", "]"),
    "objects nested 10,000 deep": deep('{"inputs":', "}").replace(":}", ":1}"),
    "lists nested 10,000 deep and not closed": "[".repeat(10_000),
    "a key nested 10,000 deep": `{"parameters":{"x":${deep("[", "]")}},"inputs":[${JSON.stringify(input())}]}`,
    "data nested 10,000 deep": `{"inputs":[{"name":"input","datatype":"FP32","shape":[1,512],"data":${deep("[", "]")}}]}`,
    nothing: "",
    "a lone brace": "{",
    "text that is not UTF-8": Buffer.from([0x22, 0xff, 0xfe, 0x22]),
    "a number of a million digits": "1".repeat(MIB),
    NULs: "\0".repeat(1000),
  };
  const paths = [INFER, "/predict", "/tasks", "/v2/models/gru512/generate"];
  return Object.entries(texts).flatMap(([name, body]) =>
    paths.map((path) => ({ name: `${name}, to ${path}`, bytes: post(path, body) })),
  );
}

/** The last four bytes of gzip are how large it was. */
function saying(gzip, bytes) {
  const changed = Buffer.from(gzip);
  changed.writeUInt32LE(bytes, changed.length - 4);
  return changed;
}

/** Small bodies that become large, or never end well. */
function compressedCases() {
  const bomb = gzipSync(Buffer.alloc(100 * MIB));
  const packed = gzipSync(JSON.stringify({ inputs: [input({ data: undefined })] }));
  const send = (path, body, encoding = "gzip") => post(path, body, { "Content-Encoding": encoding });
  return [
    ...[INFER, "/predict", "/tasks"].map((path) => ({
      name: `a gzip bomb, to ${path}`,
      bytes: send(path, bomb),
      isBomb: true,
    })),
    { name: "a gzip bomb that says it is small", bytes: send(INFER, saying(bomb, 1000)), isBomb: true },
    { name: "a gzip bomb that says it is just allowed", bytes: send(INFER, saying(bomb, 64 * MIB)), isBomb: true },
    { name: "a deflate bomb", bytes: send(INFER, deflateSync(Buffer.alloc(100 * MIB)), "deflate"), isBomb: true },
    { name: "a bomb within a bomb", bytes: send(INFER, gzipSync(bomb)) },
    { name: "gzip that is cut off", bytes: send(INFER, packed.subarray(0, -4)) },
    { name: "gzip with bytes behind it", bytes: send(INFER, Buffer.concat([packed, Buffer.from("x")])) },
    { name: "no gzip at all", bytes: send(INFER, "{}") },
    { name: "gzip that says it is deflate", bytes: send(INFER, packed, "deflate") },
  ];
}

/** @returns {HttpCase[]} */
export function httpCases() {
  return [
    ...validCases(),
    ...shapeCases(),
    ...tensorCases(),
    ...lengthCases(),
    ...headCases(),
    ...jsonCases(),
    ...compressedCases(),
  ];
}
