// Where the figures come from; without it they mean little.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import { join } from "node:path";
import { FASTIFY_PEER, GRPC_PEER, ONNXRUNTIME_NODE, REPOSITORY } from "./paths.mjs";

const require = createRequire(import.meta.url);

export function describeMachine() {
  return {
    cpu: os.cpus()[0]?.model ?? "unknown",
    cores: os.cpus().length,
    kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    loadAverage: os.loadavg()[0],
    node: process.version,
    onnxruntime: versionIn(ONNXRUNTIME_NODE),
    uWebSockets: require("uWebSockets.js/package.json").version,
    fastify: peerVersion(FASTIFY_PEER, "fastify"),
    grpcJs: peerVersion(GRPC_PEER, "@grpc/grpc-js"),
    commit: commit(),
  };
}

function versionIn(directory) {
  return JSON.parse(readFileSync(join(directory, "package.json"), "utf8")).version;
}

/** The commit, marked when the tree differs from it; "unknown" outside a checkout. */
function commit() {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty", "--abbrev=12"], {
      cwd: REPOSITORY,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "unknown";
  }
}

function peerVersion(peer, name) {
  return JSON.parse(readFileSync(join(peer, "package.json"), "utf8")).dependencies[name];
}
