// Where things are, absolute.

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);

export const BENCH = dirname(dirname(fileURLToPath(import.meta.url)));
export const REPOSITORY = dirname(BENCH);

export const NATIVE_SOURCE = join(BENCH, "native");
export const NATIVE_BUILD = join(REPOSITORY, "build", "bench");
/** Beside the addon, as `headrace bench` has it. */
export const LOADGEN = join(REPOSITORY, "build", "native", "Release", "headrace-loadgen");
export const BARE_LOOP = join(NATIVE_BUILD, "bare_loop");

export const CLI = join(REPOSITORY, "dist", "cli", "main.js");
export const COUNTER_EXAMPLE = join(BENCH, "models", "counter.mjs");
export const VAD_EXAMPLE = join(REPOSITORY, "examples", "vad", "vad.mjs");
export const GRU_MODEL = join(BENCH, "models", "gru512.onnx");
export const SILERO_MODEL = join(REPOSITORY, "examples", "vad", "silero_vad_16k_op15.onnx");

export const PEERS = join(BENCH, "peers");
/** Environments of the peers in Python, one folder each. */
export const PYTHON_PEERS = join(REPOSITORY, "build", "peers");

export const ECHO_SERVER = join(PEERS, "echo.mjs");
export const FASTIFY_PEER = join(PEERS, "fastify");
export const FASTIFY_SERVER = join(FASTIFY_PEER, "server.mjs");

export const GRPC_PEER = join(PEERS, "grpc-js");
export const GRPC_SERVER = join(GRPC_PEER, "server.mjs");

export const RESULTS_FILE = join(BENCH, "results.json");

export const ONNXRUNTIME_NODE = dirname(require.resolve("onnxruntime-node/package.json"));

/** The library that the installed onnxruntime-node itself loads. */
export const ONNXRUNTIME_LIBRARY = join(
  ONNXRUNTIME_NODE,
  "bin",
  "napi-v6",
  process.platform,
  process.arch,
  "libonnxruntime.so.1",
);
