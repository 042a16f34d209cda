// What is measured: every subject with its server, its load and the figure that counts.

import { relative } from "node:path";
import { headraceServer } from "./headrace.mjs";
import { UsageError } from "./options.mjs";
import {
  BARE_LOOP,
  CLI,
  COUNTER_EXAMPLE,
  ECHO_SERVER,
  FASTIFY_PEER,
  FASTIFY_SERVER,
  GRPC_PEER,
  GRPC_SERVER,
  GRU_MODEL,
  LOADGEN,
  ONNXRUNTIME_LIBRARY,
  REPOSITORY,
  VAD_EXAMPLE,
} from "./paths.mjs";
import { pinned } from "./processes.mjs";

/**
 * @typedef {object} Subject
 * @property {string} id
 * @property {string} title
 * @property {"inferences/s" | "frames/s" | "requests/s" | "us"} unit
 * @property {string} [peer]  the folder of the peer whose dependencies it needs
 * @property {import("./server.mjs").Server} [server]  none: the program measures itself
 * @property {string[]} program  the measuring program, durations and port left out
 */

const WS_LOAD = ["--connections", "16", "--in-flight", "16"];
// The same 256 frames in flight, each of a stream of its own: 16 numbered streams share each connection.
const WS_SHARED_LOAD = [...WS_LOAD, "--streams", "many"];
const HTTP_LOAD = ["--connections", "64", "--in-flight", "1"];
// 64 requests in flight, each of a sequence of its own.
const GRPC_LOAD = ["--connections", "16", "--in-flight", "4"];
const ONE_AT_A_TIME = ["--connections", "1", "--in-flight", "1"];

// Bytes of the models' outputs per step, and numbers in them.
const GRU_REPLY = { bytes: "32", numbers: "8" };
const SILERO_REPLY = { bytes: "4", numbers: "1" };

// {"outputs":{"output":2,"counter":1}}, and what is echoed is longer.
const COUNTER_REPLY_BYTES = "36";

/**
 * The subjects that the options ask for, in the order in which a repetition measures them.
 * @param {import("./options.mjs").Options} options
 * @returns {Subject[]}
 */
export function subjectsOf(options) {
  const all = [
    ...bareSubjects(options),
    ...floorSubjects(),
    ...headraceSubjects(),
    ...predictSubjects(),
    ...fastifySubjects(options),
    ...grpcSubjects(),
    ...latencySubjects(),
  ];
  for (const name of options.only) {
    if (!all.some(({ id }) => id.startsWith(name))) {
      throw new UsageError(`no subject begins with "${name}"; there are ${all.map(({ id }) => id).join(", ")}`);
    }
  }
  return options.only.length === 0 ? all : all.filter(({ id }) => options.only.some((name) => id.startsWith(name)));
}

/**
 * The command that measures a subject.
 * @param {Subject} subject
 * @param {import("./options.mjs").Options} options
 * @param {{ port: number | string, pid: number | string }} [address]
 */
export function measuringCommand(subject, options, address) {
  const durations = ["--seconds", String(options.seconds), "--warmup", String(options.warmup)];
  if (address === undefined) return pinned(options.serverCore, [...subject.program, ...durations]);
  const target = ["--port", String(address.port), "--server-pid", String(address.pid)];
  return pinned(options.clientCore, [...subject.program, ...target, ...durations]);
}

/** The commands as a reader can repeat them from the repository's root. */
export function describeCommands(subjects, options) {
  return Object.fromEntries(
    subjects.map((subject) => {
      const address = subject.server && { port: "PORT", pid: "PID" };
      const commands = [measuringCommand(subject, options, address)];
      if (subject.server) commands.unshift(pinned(options.serverCore, subject.server.command("PORT")));
      return [subject.id, commands.map(readableCommand)];
    }),
  );
}

/** A command as one line of a shell, from the repository's root. */
export function readableCommand(command) {
  return command.map(readable).join(" ");
}

function readable(word) {
  if (word === process.execPath) return "node";
  const short = word.startsWith(REPOSITORY) ? relative(REPOSITORY, word) : word;
  return /[^\w./:=-]/.test(short) ? `'${short}'` : short;
}

function bareSubjects({ sileroModel }) {
  const models = [
    { kind: "gru", file: GRU_MODEL, name: "GRU" },
    { kind: "silero", file: sileroModel, name: "Silero VAD" },
  ];
  return models.flatMap(({ kind, file, name }) =>
    [1, 16, 64].map((batch) => ({
      id: `bare-${kind}-b${batch}`,
      title: `bare ONNX Runtime loop, ${name}, batch ${batch}`,
      unit: "inferences/s",
      program: [BARE_LOOP, "--ort", ONNXRUNTIME_LIBRARY, "--model", file, "--kind", kind, "--batch", String(batch)],
    })),
  );
}

function floorSubjects() {
  return [
    {
      id: "floor-ws",
      title: "bare uWebSockets.js, 2 KB in, 32 B out, no model",
      unit: "frames/s",
      server: echoServer,
      program: wsLoad("/ack?bytes=32", GRU_REPLY.bytes, WS_LOAD),
    },
    {
      id: "floor-http",
      title: "bare uWebSockets.js, POST of 2 KB, 32 B back, no model",
      unit: "requests/s",
      server: echoServer,
      program: load("http-v2", "/ack?bytes=32", GRU_REPLY.bytes, HTTP_LOAD),
    },
  ];
}

function headraceSubjects() {
  return [
    {
      id: "headrace-ws-gru",
      title: "Headrace, raw WebSocket, GRU, 256 streams",
      unit: "inferences/s",
      server: headraceServer(GRU_MODEL),
      program: wsLoad("/v2/models/gru512/stream?raw=input&streams=16", GRU_REPLY.bytes, WS_SHARED_LOAD),
    },
    {
      id: "headrace-ws-gru-16",
      title: "Headrace, raw WebSocket, GRU, 16 streams",
      unit: "inferences/s",
      server: headraceServer(GRU_MODEL),
      program: wsLoad("/v2/models/gru512/stream?raw=input", GRU_REPLY.bytes, WS_LOAD),
    },
    {
      id: "headrace-ws-silero",
      title: "Headrace, raw WebSocket, Silero VAD, 256 streams",
      unit: "inferences/s",
      server: headraceServer(VAD_EXAMPLE),
      program: wsLoad("/v2/models/silero-vad/stream?raw=audio&streams=16", SILERO_REPLY.bytes, WS_SHARED_LOAD),
    },
    {
      id: "headrace-ws-silero-16",
      title: "Headrace, raw WebSocket, Silero VAD, 16 streams",
      unit: "inferences/s",
      server: headraceServer(VAD_EXAMPLE),
      program: wsLoad("/v2/models/silero-vad/stream?raw=audio", SILERO_REPLY.bytes, WS_LOAD),
    },
    {
      id: "headrace-http-gru",
      title: "Headrace, V2 HTTP with binary tensors, GRU",
      unit: "requests/s",
      server: headraceServer(GRU_MODEL),
      program: load("http-v2", "/v2/models/gru512/infer", GRU_REPLY.bytes, [...HTTP_LOAD, "--input", "input"]),
    },
    {
      id: "headrace-http-json",
      title: "Headrace, V2 HTTP with JSON tensors, GRU",
      unit: "requests/s",
      server: headraceServer(GRU_MODEL),
      program: load("http-v2-json", "/v2/models/gru512/infer", GRU_REPLY.numbers, [...HTTP_LOAD, "--input", "input"]),
    },
  ];
}

function predictSubjects() {
  const counting = (path) => load("http-predict", path, COUNTER_REPLY_BYTES, [...HTTP_LOAD, "--input", "input"]);
  return [
    {
      id: "headrace-predict",
      title: "Headrace, POST /predict, a function cell that counts",
      unit: "requests/s",
      server: headraceServer(COUNTER_EXAMPLE),
      program: counting("/predict"),
    },
    {
      id: "echo-json",
      title: "bare uWebSockets.js, the same bodies parsed and written out again",
      unit: "requests/s",
      server: echoServer,
      program: counting("/json"),
    },
  ];
}

function fastifySubjects({ sileroModel }) {
  return [
    {
      id: "fastify-gru",
      title: "Fastify + onnxruntime-node, JSON, GRU",
      unit: "requests/s",
      peer: FASTIFY_PEER,
      server: fastifyServer("gru", GRU_MODEL),
      program: load("http-json", "/predict", GRU_REPLY.numbers, HTTP_LOAD),
    },
    {
      id: "fastify-silero",
      title: "Fastify + onnxruntime-node, JSON, Silero VAD",
      unit: "requests/s",
      peer: FASTIFY_PEER,
      server: fastifyServer("silero", sileroModel),
      program: load("http-json", "/predict", SILERO_REPLY.numbers, HTTP_LOAD),
    },
  ];
}

function grpcSubjects() {
  return [
    {
      id: "headrace-grpc-gru",
      title: "Headrace, gRPC ModelInfer, GRU",
      unit: "requests/s",
      server: headraceGrpcServer(GRU_MODEL),
      program: load("grpc", "gru512", GRU_REPLY.bytes, GRPC_LOAD),
    },
    {
      id: "grpc-js-gru",
      title: "@grpc/grpc-js + onnxruntime-node, ModelInfer, GRU",
      unit: "requests/s",
      peer: GRPC_PEER,
      server: grpcPeerServer(GRU_MODEL),
      program: load("grpc", "gru512", GRU_REPLY.bytes, GRPC_LOAD),
    },
  ];
}

function latencySubjects() {
  return [
    {
      id: "latency-headrace",
      title: "one step at a time, Headrace, raw WebSocket, GRU",
      unit: "us",
      server: headraceServer(GRU_MODEL),
      program: wsLoad("/v2/models/gru512/stream?raw=input", GRU_REPLY.bytes, ONE_AT_A_TIME),
    },
    {
      id: "latency-echo",
      title: "one frame at a time, bare uWebSockets.js echo, 2 KB",
      unit: "us",
      server: echoServer,
      program: wsLoad("/echo", "2048", ONE_AT_A_TIME),
    },
  ];
}

function load(mode, path, replySize, shape) {
  return [LOADGEN, "--mode", mode, "--path", path, "--floats", "512", "--reply-size", replySize, ...shape];
}

function wsLoad(path, replyBytes, shape) {
  return load("ws-raw", path, replyBytes, shape);
}

/** Its HTTP takes any free port; ready is who can be connected to. */
function headraceGrpcServer(model) {
  return {
    command: (port) => [process.execPath, CLI, "serve", model, "--port", "0", "--grpc-port", String(port)],
    needs: [
      { file: CLI, remedy: "run `npm run build` first" },
      { file: model, remedy: "it is part of the repository" },
    ],
  };
}

function grpcPeerServer(model) {
  return {
    command: (port) => [process.execPath, GRPC_SERVER, "--model", model, "--port", String(port)],
    needs: [{ file: model, remedy: "it is part of the repository" }],
  };
}

function fastifyServer(kind, model) {
  return {
    command: (port) => [process.execPath, FASTIFY_SERVER, "--kind", kind, "--model", model, "--port", String(port)],
    readyPath: "/ready",
    needs: [{ file: model, remedy: "it is part of the repository" }],
  };
}

const echoServer = {
  command: (port) => [process.execPath, ECHO_SERVER, "--port", String(port)],
  readyPath: "/ready",
  needs: [],
};
