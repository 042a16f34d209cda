/** The load generator as a child process: what it is told, and what it prints. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { HeadraceError } from "../../index.js";
import type { LatencyMedians } from "../result.js";
import type { RequestFile } from "./request-file.js";
import type { Measured, TuneLoad } from "./trial.js";

/** Beside the addon. */
const PROGRAM = fileURLToPath(new URL("../../../build/native/Release/headrace-loadgen", import.meta.url));

/** In an open loop so many may be in flight; what is due beyond waits, and its waiting counts. */
const OPEN_SLOTS = 256;

/** Where nobody said how long: so many steps, for a 99th percentile that means something, within reason. */
const ENOUGH_STEPS = 2000;
const SHORTEST_SECONDS = 1.5;
const LONGEST_SECONDS = 15;

export interface Generation {
  readonly port: number;
  readonly serverPid: number;
  readonly requests: RequestFile;
  /** Where `requests.bytes` have been written. */
  readonly file: string;
  readonly load: TuneLoad;
  /** Undefined: long enough. */
  readonly seconds: number | undefined;
  readonly warmup: number;
  /** The core that it shall have, where it can be chosen. */
  readonly core: number | undefined;
}

/** Throws NATIVE_UNAVAILABLE where it was not built. */
export function requireGenerator(): void {
  if (existsSync(PROGRAM)) return;
  const message = `there is no load generator at ${PROGRAM}; build it with \`npm run build:native\` in the headrace package (Linux)`;
  throw new HeadraceError("NATIVE_UNAVAILABLE", message);
}

/** One measurement. Throws UNAVAILABLE with the generator's words when it measured nothing. */
export async function generate(generation: Generation): Promise<Measured> {
  const { core } = generation;
  const args = generatorArguments(generation);
  const [program, all] = core === undefined ? [PROGRAM, args] : ["taskset", ["-c", String(core), PROGRAM, ...args]];
  const { stdout, stderr } = await output(program, all);
  const line = stdout.trim().split("\n").at(-1) ?? "";
  if (line === "") throw new HeadraceError("UNAVAILABLE", stderr.trim() || "the load generator printed nothing");
  return measuredOf(JSON.parse(line) as GeneratorResult);
}

function generatorArguments({ port, serverPid, requests, file, load, seconds, warmup }: Generation): string[] {
  const { mode, load: size } = load;
  const slots = mode === "closed" ? (size.concurrency ?? 1) : mode === "streams" ? (size.streams ?? 1) : OPEN_SLOTS;
  const rate = mode === "streams" ? (size.streams ?? 0) * (size.framesPerSecond ?? 0) : size.ratePerSecond;
  const enough = rate === undefined ? 0 : Math.min(LONGEST_SECONDS, ENOUGH_STEPS / rate);
  const options = {
    mode: requests.mode,
    requests: file,
    path: requests.path,
    port,
    slots,
    // Each has its own connection: a stream of its own, as clients have it.
    connections: slots,
    load: mode,
    seconds: seconds ?? Math.max(SHORTEST_SECONDS, enough),
    warmup,
    "server-pid": serverPid,
    ...(mode === "open" ? { rate: size.ratePerSecond, arrival: size.arrival ?? "poisson" } : {}),
    ...(mode === "streams" ? { "frame-rate": size.framesPerSecond } : {}),
  };
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

function output(program: string, args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    // It exits with 1 when a request failed, and has printed its figures all the same.
    execFile(program, args, { maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== "number") reject(error);
      else resolve({ stdout, stderr });
    });
  });
}

interface GeneratorResult {
  readonly rate: number;
  readonly offered_rate?: number;
  readonly errors: number;
  readonly first_error?: string;
  readonly unfinished: number;
  readonly latency_us: LatencyMedians;
  readonly server_cpu_fraction?: number;
  readonly saturated: boolean;
}

function measuredOf(result: GeneratorResult): Measured {
  const { p50, p90, p99, p999, max } = result.latency_us;
  return {
    ratePerSecond: result.rate,
    ...(result.offered_rate === undefined ? {} : { offeredPerSecond: result.offered_rate }),
    latencyMicros: { p50, p90, p99, p999, max },
    errors: result.errors,
    ...(result.first_error ? { firstError: result.first_error } : {}),
    unfinished: result.unfinished,
    saturated: result.saturated,
    ...(result.server_cpu_fraction === undefined ? {} : { cpuFraction: result.server_cpu_fraction }),
  };
}
