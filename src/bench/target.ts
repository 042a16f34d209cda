/** What is measured: a server of our own, started afresh for each measurement, or one that somebody else runs. */
import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { HeadraceError, InvalidArgumentError } from "../errors.js";
import { fileError } from "../file-error.js";
import { Child } from "./child.js";
import { pinned } from "./cores.js";
import type { Management } from "./management.js";
import { HttpManagement } from "./management-http.js";
import type { BenchOptions } from "./options.js";
import type { BenchProtocol, BenchTarget } from "./result.js";
import type { TlsTunnel } from "./tls-tunnel.js";
import { isUrl, urlTarget } from "./url-target.js";

/** Where one protocol is spoken. */
export interface Endpoint {
  /** An IP address, for the generator. */
  readonly address: string;
  readonly port: number;
  /** As Host has it. */
  readonly host: string;
  /** What it is spoken over, as requests of HTTP/2 say. */
  readonly scheme: "http" | "https";
}

/** A server while it is measured. */
export interface Served {
  /** Of the model, where it is known from the start. */
  readonly model: string | undefined;
  readonly management: Management;
  /** Of a server of our own. */
  readonly pid: number | undefined;
  /** What the generator's bytes pass through on their way to a server that speaks TLS. */
  readonly tunnel: TlsTunnel | undefined;
  endpoint(protocol: BenchProtocol): Endpoint;
  stop(): Promise<void>;
}

export interface Target {
  readonly kind: BenchTarget["kind"];
  /** What can be measured of it, in the order in which it is. */
  readonly protocols: readonly BenchProtocol[];
  serve(protocol: BenchProtocol): Promise<Served>;
}

export type TargetOptions = Pick<BenchOptions, "target" | "model" | "headers" | "serveArguments">;

const OWN_PROTOCOLS: readonly BenchProtocol[] = ["http-binary", "http-json", "ws-raw", "ws-binary", "grpc"];

/** Beside src/bench/ and dist/bench/ alike; the command that serves is always the compiled one. */
const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const END_WITH_PARENT = new URL("../../dist/bench/end-with-parent.js", import.meta.url).href;

const READY_MILLIS = 120_000;

/** @throws INVALID_ARGUMENT for a URL of another kind, NOT_FOUND where there is no such file. */
export async function openTarget(options: TargetOptions, serverCores: string | undefined): Promise<Target> {
  if (isUrl(options.target)) return urlTarget(options);
  if (options.model !== undefined) {
    throw new InvalidArgumentError("goes with the URL of a server; a file has one model", { path: "--model" });
  }
  if (!existsSync(options.target)) {
    throw new HeadraceError("NOT_FOUND", "there is no such file; expected a model, a module, or the URL of a server", {
      path: options.target,
    });
  }
  if (statSync(options.target).isDirectory()) {
    throw new InvalidArgumentError("is a directory; expected a model, a module, or the URL of a server", {
      path: options.target,
    });
  }
  return {
    kind: isModelFile(options.target) ? "model" : "module",
    protocols: OWN_PROTOCOLS,
    serve: (protocol) => serveOwn(options, protocol, serverCores),
  };
}

export function isModelFile(target: string): boolean {
  return target.toLowerCase().endsWith(".onnx");
}

/** @returns Lower-case hexadecimal. */
export async function sha256(file: string): Promise<string> {
  try {
    return createHash("sha256")
      .update(await readFile(file))
      .digest("hex");
  } catch (error) {
    throw fileError(file, error);
  }
}

/** A fresh `headrace serve` of a model or module. @throws UNAVAILABLE with its words where it does not start. */
export async function serveOwn(
  options: TargetOptions,
  protocol: BenchProtocol,
  cores: string | undefined,
): Promise<Served> {
  const grpc = protocol === "grpc" ? ["--grpc-port", "0"] : [];
  const args = ["serve", options.target, "--port", "0", ...grpc, "--grace", "1", ...options.serveArguments];
  const child = await Child.start(pinned(cores, [process.execPath, "--import", END_WITH_PARENT, CLI, ...args]));
  try {
    const { model, http, grpcPort } = await listening(child, protocol === "grpc");
    const management = new HttpManagement(`http://127.0.0.1:${http}`, {});
    return {
      model,
      management,
      pid: child.pid,
      tunnel: undefined,
      endpoint: (of) => own(of === "grpc" ? grpcPort : http),
      stop: () => child.stop(),
    };
  } catch (error) {
    await child.stop();
    throw error;
  }
}

function own(port: number): Endpoint {
  return { address: "127.0.0.1", port, host: `127.0.0.1:${port}`, scheme: "http" };
}

interface Listening {
  readonly model: string;
  readonly http: number;
  readonly grpcPort: number;
}

/** Waits for the lines by which `headrace serve` says where it listens. */
function listening(child: Child, withGrpc: boolean): Promise<Listening> {
  return new Promise((resolve, reject) => {
    let found = { model: "", http: 0, grpcPort: 0 };
    const timer = setTimeout(() => {
      reject(new HeadraceError("DEADLINE_EXCEEDED", `the server was not ready in ${READY_MILLIS / 1000} s`));
    }, READY_MILLIS);
    child.onLine((line) => {
      const http = /^headrace: (.*) is listening on https?:\/\/.*:(\d+)$/.exec(line);
      const grpc = /^headrace: gRPC is listening on .*:(\d+)$/.exec(line);
      if (http !== null && grpc === null) found = { ...found, model: http[1] ?? "", http: Number(http[2]) };
      if (grpc !== null) found = { ...found, grpcPort: Number(grpc[1]) };
      if (found.http === 0 || (withGrpc && found.grpcPort === 0)) return;
      clearTimeout(timer);
      resolve(found);
    });
    void child.ended.then(() => {
      clearTimeout(timer);
      reject(new HeadraceError("UNAVAILABLE", `the server has ended: ${child.complaint.replace(/^headrace: /, "")}`));
    });
  });
}
