// The forms of requests: how the generator is told to make them, and one client for each that takes a single step, so
// that answers can be looked at before anything is measured.

import { openGrpc } from "./clients/grpc.mjs";
import { openHttp } from "./clients/http.mjs";
import { openWebSocket } from "./clients/web-socket.mjs";

/**
 * One client of a server. `step` takes the next step of a stream, given by its number from 1 on.
 * @typedef {object} Client
 * @property {(stream: number, input: Float32Array) => Promise<Float32Array>} step
 * @property {() => void} close
 */

/**
 * @typedef {object} Form
 * @property {string} name      as the table of results shows it
 * @property {"json" | "http-binary" | "websocket" | "grpc"} kind  what it may be compared with
 * @property {number} port      which of the server's ports: 0 is HTTP
 * @property {string[]} load    arguments of the generator, port and durations left out
 * @property {(port: number) => Promise<Client>} open
 */

const OUTPUT_FLOATS = 8;
const OUTPUT_BYTES = 4 * OUTPUT_FLOATS;

// 64 requests in flight over HTTP and gRPC, 256 over WebSockets, each of a stream of its own.
const HTTP_LOAD = ["--connections", "64", "--in-flight", "1"];
const GRPC_LOAD = ["--connections", "16", "--in-flight", "4"];
const WEBSOCKET_LOAD = ["--connections", "16", "--in-flight", "16", "--streams", "many"];

/** @returns {Form} POST {"stateId", "input"}, answered by {"output"} */
export function plainJson(path) {
  return {
    name: "HTTP JSON",
    kind: "json",
    port: 0,
    load: load("http-json", path, OUTPUT_FLOATS, HTTP_LOAD),
    open: openHttp({
      path,
      headers: { "content-type": "application/json" },
      body: '{"stateId":"stream-{{id}}","input":{{list}}}',
      output: (_head, body) => JSON.parse(body.toString()).output,
    }),
  };
}

/** @returns {Form} POST of the stream's number, a u32, and the floats, answered by floats */
export function plainBinary(path) {
  const body = "{{id-u32}}{{tensor}}";
  const headers = { "content-type": "application/octet-stream" };
  return {
    name: "HTTP binary",
    kind: "http-binary",
    port: 0,
    load: template(path, headers, body, OUTPUT_BYTES),
    open: openHttp({ path, headers, body, output: (_head, bytes) => floatsOf(bytes) }),
  };
}

/** @returns {Form} V2's JSON with the parameter sequence_id */
export function v2Json(model) {
  const path = `/v2/models/${model}/infer`;
  return {
    name: "V2 HTTP JSON",
    kind: "json",
    port: 0,
    load: load("http-v2-json", path, OUTPUT_FLOATS, [...HTTP_LOAD, "--input", "input"]),
    open: openHttp({
      path,
      headers: { "content-type": "application/json" },
      body: `{"parameters":{"sequence_id":{{id}}},"inputs":[${INPUT_HEAD},"data":{{list}}}]}`,
      output: v2JsonOutput,
    }),
  };
}

/** @returns {Form} V2's binary extension with the parameter sequence_id */
export function v2Binary(model) {
  const path = `/v2/models/${model}/infer`;
  return {
    name: "V2 HTTP binary",
    kind: "http-binary",
    port: 0,
    load: load("http-v2", path, OUTPUT_BYTES, [...HTTP_LOAD, "--input", "input"]),
    open: openHttp({
      path,
      headers: { "content-type": "application/octet-stream" },
      jsonHead: `{"parameters":{"sequence_id":{{id}},"binary_data_output":true},"inputs":[${INPUT_HEAD},${BINARY_INPUT}}]}`,
      body: "{{tensor}}",
      output: v2BinaryOutput,
    }),
  };
}

/** @returns {Form} V2's JSON with the sequence as a second input */
export function v2JsonTwoInputs(model) {
  const path = `/v2/models/${model}/infer`;
  const headers = { "content-type": "application/json" };
  const body = `{"inputs":[${INPUT_HEAD},"data":{{list}}},${SEQUENCE_HEAD},"data":[{{id}}]}]}`;
  return {
    name: "V2 HTTP JSON",
    kind: "json",
    port: 0,
    load: template(path, headers, body, OUTPUT_BYTES),
    open: openHttp({ path, headers, body, output: v2JsonOutput }),
  };
}

/** @returns {Form} V2's binary extension with the sequence as a second input */
export function v2BinaryTwoInputs(model) {
  const path = `/v2/models/${model}/infer`;
  const json = `{"inputs":[${INPUT_HEAD},${BINARY_INPUT}},${SEQUENCE_HEAD},${BINARY_SEQUENCE}}],"outputs":[${BINARY_OUTPUT}]}`;
  const headers = {
    "content-type": "application/octet-stream",
    "inference-header-content-length": String(json.length),
  };
  const body = `${json}{{tensor}}{{id-i64}}`;
  return {
    name: "V2 HTTP binary",
    kind: "http-binary",
    port: 0,
    load: template(path, headers, body, OUTPUT_BYTES),
    open: openHttp({ path, headers, body, output: v2BinaryOutput }),
  };
}

/**
 * @param {{ model: string, port: number, sequenceInput?: string }} options  port: which of the server's
 * @returns {Form} V2 over gRPC, raw tensors
 */
export function grpc({ model, port, sequenceInput }) {
  const names = sequenceInput === undefined ? [] : ["--sequence-input", sequenceInput];
  return {
    name: "gRPC",
    kind: "grpc",
    port,
    load: load("grpc", model, OUTPUT_BYTES, [...GRPC_LOAD, "--input", "input", ...names]),
    open: openGrpc({ model, sequenceInput }),
  };
}

/** @returns {Form} a WebSocket whose frames begin with the number of one of its streams, both ways */
export function webSocket(path) {
  return {
    name: "WebSocket",
    kind: "websocket",
    port: 0,
    load: load("ws-raw", path, OUTPUT_BYTES, WEBSOCKET_LOAD),
    open: openWebSocket(path),
  };
}

const INPUT_HEAD = '{"name":"input","shape":[1,512],"datatype":"FP32"';
const SEQUENCE_HEAD = '{"name":"sequence","shape":[1,1],"datatype":"INT64"';
const BINARY_INPUT = '"parameters":{"binary_data_size":2048}';
const BINARY_SEQUENCE = '"parameters":{"binary_data_size":8}';
const BINARY_OUTPUT = '{"name":"output","parameters":{"binary_data":true}}';

function load(mode, path, replySize, shape) {
  return ["--mode", mode, "--path", path, "--floats", "512", "--reply-size", String(replySize), ...shape];
}

function template(path, headers, body, replyBytes) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const shape = [...HTTP_LOAD, "--headers", lines.join("\n"), "--body", body];
  return load("http-template", path, replyBytes, shape);
}

function v2JsonOutput(_head, body) {
  return JSON.parse(body.toString()).outputs.find(({ name }) => name === "output").data;
}

function v2BinaryOutput(head, body) {
  return floatsOf(body.subarray(Number(head["inference-header-content-length"])));
}

function floatsOf(bytes) {
  return new Float32Array(Uint8Array.from(bytes).buffer);
}
