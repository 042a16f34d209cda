// What is measured: Headrace and the servers people would otherwise use, each with its server and its forms of requests.

import { join } from "node:path";
import { UsageError } from "../../lib/options.mjs";
import { CLI, FASTIFY_PEER, GRPC_PEER, GRU_MODEL, PEERS, PYTHON_PEERS } from "../../lib/paths.mjs";
import {
  grpc,
  plainBinary,
  plainJson,
  v2Binary,
  v2BinaryTwoInputs,
  v2Json,
  v2JsonTwoInputs,
  webSocket,
} from "./forms.mjs";

/**
 * @typedef {object} Peer
 * @property {string} id
 * @property {string} title
 * @property {"headrace" | "node" | "python"} runtime  a Python peer has an environment of its own
 * @property {string} folder      with package.json or requirements.txt
 * @property {string} settings    how it was set up, in a few words
 * @property {import("../../lib/server.mjs").Server} server
 * @property {import("./forms.mjs").Form[]} forms
 */

const MODEL = "gru512";
const MODEL_NEEDED = { file: GRU_MODEL, remedy: "it is part of the repository" };

/** @type {Peer[]} */
const ALL = [
  {
    id: "headrace",
    title: "Headrace",
    runtime: "headrace",
    folder: CLI,
    settings: "as it is installed: `headrace serve MODEL`",
    server: {
      ports: 2,
      command: (port, grpcPort) => [
        process.execPath,
        CLI,
        "serve",
        GRU_MODEL,
        "--port",
        String(port),
        "--grpc-port",
        String(grpcPort),
      ],
      readyPath: "/v2/health/ready",
      needs: [{ file: CLI, remedy: "run `npm run build` first" }, MODEL_NEEDED],
    },
    forms: [
      { ...webSocket(`/v2/models/${MODEL}/stream?raw=input&streams=16`), name: "WebSocket, raw" },
      v2Binary(MODEL),
      v2Json(MODEL),
      grpc({ model: MODEL, port: 1 }),
    ],
  },
  nodePeer({
    id: "uwebsockets",
    title: "uWebSockets.js + onnxruntime-node",
    folder: join(PEERS, "uwebsockets"),
    settings: "one thread; tensors as bytes; no batching, there is none",
    forms: [webSocket("/stream"), plainBinary("/binary")],
  }),
  nodePeer({
    id: "fastify",
    title: "Fastify + onnxruntime-node",
    folder: FASTIFY_PEER,
    settings: "logger off, compiled reply schema; no batching, there is none",
    forms: [plainBinary("/predict-binary"), plainJson("/predict")],
  }),
  nodePeer({
    id: "grpc-js",
    title: "@grpc/grpc-js + onnxruntime-node",
    folder: GRPC_PEER,
    settings: "raw tensors; no batching, there is none",
    forms: [grpc({ model: MODEL, port: 0 })],
    readyPath: null, // it has no HTTP: ready is who can be connected to
  }),
  pythonPeer({
    id: "fastapi",
    title: "FastAPI + uvicorn + onnxruntime",
    settings: "uvloop, httptools, orjson, no access log, no validation; no batching, there is none",
    forms: [plainBinary("/binary"), plainJson("/json")],
  }),
  pythonPeer({
    id: "litserve",
    title: "LitServe",
    settings: "batches of up to 64, ZeroMQ queue, uvloop, httptools, one API server and one worker",
    readyPath: "/health",
    forms: [plainBinary("/binary"), plainJson("/json")],
  }),
  pythonPeer({
    id: "mosec",
    title: "Mosec",
    settings: "batches of up to 64, orjson, one worker for each route",
    options: () => ["--address", "127.0.0.1"],
    readyPath: "/metrics",
    forms: [plainBinary("/binary"), plainJson("/json")],
  }),
  pythonPeer({
    id: "mlserver",
    title: "MLServer",
    settings: "no parallel workers, no adaptive batching (it costs more than it saves), no metrics, no gzip",
    ports: 2,
    variables: (port, grpcPort) => [`MLSERVER_HTTP_PORT=${port}`, `MLSERVER_GRPC_PORT=${grpcPort}`],
    program: [join(PYTHON_PEERS, "mlserver", "bin", "mlserver"), "start", join(PEERS, "mlserver")],
    readyPath: `/v2/models/${MODEL}/ready`,
    forms: [grpc({ model: MODEL, port: 1, sequenceInput: "sequence" }), v2JsonTwoInputs(MODEL)],
  }),
  pythonPeer({
    id: "ray-serve",
    title: "Ray Serve",
    settings: "batches of up to 64, one replica, RAY_SERVE_THROUGHPUT_OPTIMIZED, direct ingress, worker_niceness 0",
    ports: 2,
    variables: (port) => [
      "RAY_SERVE_THROUGHPUT_OPTIMIZED=1",
      `RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT=${port}`,
      `RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT=${port + 1}`, // the first that is not used
      "RAY_worker_niceness=0",
    ],
    options: (_port, proxyPort) => ["--proxy-port", String(proxyPort)],
    readyPath: "/-/healthz",
    startSeconds: 120,
    forms: [
      plainBinary("/binary"),
      plainJson("/json"),
      { ...plainBinary("/binary"), name: "HTTP binary, through Ray's proxy", port: 1 },
    ],
  }),
  pythonPeer({
    id: "pytriton",
    title: "Triton's core through nvidia-pytriton",
    settings: "dynamic batches of up to 64, Python backend with onnxruntime (the package has no other)",
    ports: 2,
    options: (_port, grpcPort) => ["--grpc-port", String(grpcPort)],
    readyPath: `/v2/models/${MODEL}/ready`,
    startSeconds: 120,
    forms: [grpc({ model: MODEL, port: 1, sequenceInput: "sequence" }), v2BinaryTwoInputs(MODEL)],
  }),
];

/**
 * The peers whose name begins with one of these; all where there is none. Headrace is always among them: ratios are to it.
 * @param {string[]} names
 * @returns {Peer[]}
 */
export function peersNamed(names) {
  for (const name of names) {
    if (!ALL.some(({ id }) => id.startsWith(name))) {
      throw new UsageError(`no server begins with "${name}"; there are ${ALL.map(({ id }) => id).join(", ")}`);
    }
  }
  if (names.length === 0) return ALL;
  return ALL.filter(({ id }) => id === "headrace" || names.some((name) => id.startsWith(name)));
}

/** The Python of a peer's environment. */
export function pythonOf(id) {
  return join(PYTHON_PEERS, id, "bin", "python");
}

function nodePeer({ id, title, folder, settings, forms, readyPath = "/ready" }) {
  const server = {
    command: (port) => [process.execPath, join(folder, "server.mjs"), "--model", GRU_MODEL, "--port", String(port)],
    ...(readyPath === null ? {} : { readyPath }),
    needs: [MODEL_NEEDED],
  };
  return { id, title, runtime: "node", folder, settings, server, forms };
}

/**
 * `variables` and `options` are what a server wants beside its model and its port, `program` another one than server.py.
 */
function pythonPeer({ id, title, settings, forms, ports, variables, options, program, readyPath, startSeconds }) {
  const folder = join(PEERS, id);
  const python = pythonOf(id);
  const scriptWith = (port) => [python, join(folder, "server.py"), "--model", GRU_MODEL, "--port", String(port)];
  const server = {
    ports: ports ?? 1,
    environment: { PYTHONPATH: join(PEERS, "shared"), PYTHONDONTWRITEBYTECODE: "1" },
    command: (...numbers) => [
      ...(variables === undefined ? [] : ["env", ...variables(...numbers)]),
      ...(program ?? scriptWith(numbers[0])),
      ...(options?.(...numbers) ?? []),
    ],
    readyPath: readyPath ?? "/ready",
    ...(startSeconds === undefined ? {} : { startSeconds }),
    needs: [MODEL_NEEDED, { file: python, remedy: "run `npm run bench:peers -- --install`" }],
  };
  return { id, title, runtime: "python", folder, settings, server, forms };
}
