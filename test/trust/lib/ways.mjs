// Every way to step a served model, as one function each. Those over HTTP and WebSocket write and read bytes themselves, so
// that a mistake which Headrace's client shares with the server is found.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import {
  bytesOf,
  CODES,
  floats,
  oneByOne,
  options,
  outcomeOf,
  parameters,
  refused,
  v2Json,
  v2Outputs,
} from "./burst.mjs";
import { HttpWire } from "./http-wire.mjs";
import { httpWays } from "./ways-http.mjs";
import { frame, OPCODE, WsWire } from "./ws-wire.mjs";

const STREAM = "/v2/models/gru/stream";
const PROTO = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "proto", "grpc_service.proto");

/** Sends all of a burst, and then reads all of its answers. */
async function pipelined(wire, { rows }, encode, decode) {
  rows.forEach((row, i) => {
    wire.write(encode(row, i));
  });
  const outcomes = [];
  for (const _ of rows) outcomes.push(await outcomeOf(wire.next().then(decode)));
  return outcomes;
}

function binaryFrame(row, parameters) {
  const inputs = [
    { name: "input", datatype: "FP32", shape: [1, row.length], parameters: { binary_data_size: row.byteLength } },
  ];
  const header = Buffer.from(JSON.stringify({ parameters, inputs }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  return frame(OPCODE.binary, Buffer.concat([length, header, bytesOf(row)]));
}

/** What a frame answers; a text is an error where bytes were asked for. */
function frameOutputs({ opcode, payload }, isRaw) {
  if (opcode === OPCODE.text) return v2Outputs(payload.toString());
  return floats(isRaw ? payload : payload.subarray(4 + payload.readUInt32LE(0)));
}

const raw = (wire, burst) =>
  pipelined(
    wire,
    burst,
    (row) => frame(OPCODE.binary, bytesOf(row)),
    (answer) => frameOutputs(answer, true),
  );

/** @param {WsWire} wire  a stream whose messages name their state ids @returns {Record<string, import("./burst.mjs").Way>} */
function messageWays(wire) {
  const message = (burst, encode) =>
    pipelined(
      wire,
      burst,
      (row, i) => encode(row, parameters(burst, i)),
      (answer) => frameOutputs(answer, false),
    );
  return {
    text: (burst) => message(burst, (row, named) => frame(OPCODE.text, v2Json(row, named))),
    binary: (burst) => message(burst, binaryFrame),
  };
}

/** The service of V2 over gRPC, with an independent client. @param {number} port */
export function grpcClient(port) {
  const definition = loadSync(PROTO, { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true });
  const { GRPCInferenceService } = loadPackageDefinition(definition).inference;
  return new GRPCInferenceService(`127.0.0.1:${port}`, credentials.createInsecure());
}

const GRPC_TYPES = { string: "string_param", boolean: "bool_param" };

/** @returns {import("./burst.mjs").Way} */
function grpcWay(client) {
  const step = (row, named) =>
    new Promise((resolve, reject) => {
      const given = Object.entries(named).map(([name, value]) => [name, { [GRPC_TYPES[typeof value]]: value }]);
      const request = {
        model_name: "gru",
        parameters: Object.fromEntries(given),
        inputs: [{ name: "input", datatype: "FP32", shape: [1, row.length] }],
        raw_input_contents: [bytesOf(row)],
      };
      client.ModelInfer(request, (error, answer) => {
        if (error) reject(refused(CODES[error.code] ?? `gRPC ${error.code}`, error.details));
        else resolve(floats(answer.raw_output_contents[0]));
      });
    });
  return (burst) => oneByOne(burst, (row, i) => step(row, parameters(burst, i)));
}

/** @param {import("../../../dist/client/index.js").RawStreamSet} streams  one connection that is shared @returns {import("./burst.mjs").Way} */
function numberedWay(streams) {
  return async ({ stateId, rows, start, end }) => {
    const stream = streams.open(stateId, { start });
    try {
      for (const row of rows) await stream.send(row);
      const outcomes = [];
      for (const _ of rows) outcomes.push(await outcomeOf(stream.next().then(({ value }) => floats(value))));
      return outcomes;
    } finally {
      // The end of a stream, where it is asked for, is a message of its own.
      await stream.close({ end });
    }
  };
}

/** @returns {import("./burst.mjs").Way} */
function predictWay(proc) {
  const step = async (burst, row, i) => {
    const signal = i === burst.aborted ? AbortSignal.abort() : undefined;
    const { output } = await proc.predict({ input: [row] }, { ...options(burst, i), signal });
    return output;
  };
  // All at once: they are submitted in the order of the calls.
  return (burst) => Promise.all(burst.rows.map((row, i) => outcomeOf(step(burst, row, i))));
}

/**
 * All ways of one client, on connections of its own.
 * @param {{ proc: object, httpPort: number, grpc: object, streams: object }} server
 */
export async function openWays({ proc, httpPort, grpc, streams }) {
  const wire = await HttpWire.open(httpPort);
  const messages = await WsWire.open(httpPort, STREAM);
  const named = new Map();
  const rawWire = async (stateId) => {
    const known = named.get(stateId);
    if (known !== undefined) return known;
    const opened = await WsWire.open(httpPort, `${STREAM}?raw=input&sequence_id=${encodeURIComponent(stateId)}`);
    named.set(stateId, opened);
    return opened;
  };
  /** @type {Record<string, import("./burst.mjs").Way>} */
  const ways = {
    predict: predictWay(proc),
    ...httpWays(wire),
    ...messageWays(messages),
    raw: async (burst) => raw(await rawWire(burst.stateId), burst),
    numbered: numberedWay(streams),
    grpc: grpcWay(grpc),
  };
  return {
    ways,
    close: () => {
      for (const one of [wire, messages, ...named.values()]) one.close();
    },
  };
}

/** A stream of a connection, whose state is its own and ends with it. @param {number} httpPort @param {Float32Array[]} rows */
export async function ownStream(httpPort, rows) {
  const wire = await WsWire.open(httpPort, `${STREAM}?raw=input`);
  try {
    return await raw(wire, { rows });
  } finally {
    wire.close();
  }
}
