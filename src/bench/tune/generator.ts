/** The load generator under one load: what it is told, and what is of interest here of what it prints. */
import { pinned } from "../cores.js";
import { GENERATOR, type GeneratorOutcome, runProgram } from "../generator.js";
import type { RequestFile } from "./request-file.js";
import type { Measured, TuneLoad } from "./trial.js";

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

/** One measurement. Throws UNAVAILABLE with the generator's words when it measured nothing. */
export async function generate(generation: Generation): Promise<Measured> {
  const { core } = generation;
  const command = pinned(core === undefined ? undefined : String(core), [GENERATOR, ...generatorArguments(generation)]);
  return measuredOf(await runProgram(command));
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

function measuredOf(result: GeneratorOutcome): Measured {
  const { p50, p90, p99, p999, max } = result.latency_us;
  return {
    ratePerSecond: result.rate,
    ...(result.offered_rate === undefined ? {} : { offeredPerSecond: result.offered_rate }),
    latencyMicros: { p50, p90, p99, p999, max },
    errors: result.errors,
    ...(result.first_error ? { firstError: result.first_error } : {}),
    unfinished: result.unfinished,
    saturated: result.saturated,
    cpuFraction: result.server_cpu_fraction,
  };
}
