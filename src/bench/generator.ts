/** The native load generator: its command line, and what it prints. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { HeadraceError } from "../errors.js";
import { Child } from "./child.js";
import { pinned } from "./cores.js";
import type { BenchTiming, LoadPlan, SequenceLength } from "./options.js";
import type { BatchSize, BenchProtocol, PhaseTimes } from "./result.js";
import type { Endpoint } from "./target.js";

export interface GeneratorRun {
  readonly protocol: Exclude<BenchProtocol, "engine">;
  readonly endpoint: Endpoint;
  /** Of a WebSocket. */
  readonly path: string;
  readonly requests: string;
  readonly slots: number;
  readonly connections: number;
  readonly load: LoadPlan;
  readonly timing: BenchTiming;
  readonly sequenceLength: SequenceLength | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly seed: number;
  readonly serverPid: number | undefined;
  readonly core: string | undefined;
}

/** Microseconds. */
interface GeneratorTimes {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly buckets: readonly (readonly [number, number])[];
}

/** The last line that a generator prints. */
export interface GeneratorOutcome {
  readonly requests: number;
  readonly errors: number;
  readonly first_error: string;
  readonly unfinished: number;
  readonly seconds: number;
  readonly rate: number;
  readonly offered_rate?: number;
  readonly latency_us: GeneratorTimes;
  readonly service_us: GeneratorTimes;
  readonly windows: readonly GeneratorWindow[];
  readonly stable: boolean;
  readonly client_busy_fraction: number;
  readonly saturated: boolean;
  readonly server_cpu_fraction: number;
  /** Of the engine's own loop. */
  readonly phases?: PhaseTimes;
  readonly batch_sizes?: readonly BatchSize[];
}

export interface GeneratorWindow {
  readonly rate: number;
  readonly p99_us: number;
}

export interface GeneratorListener {
  /** The warm-up has had its time. It goes on until this is done, and then measuring begins. Never rejects. */
  warm?(): Promise<void>;
  window?(window: GeneratorWindow): void;
}

/** Beside the addon. */
export const GENERATOR = fileURLToPath(new URL("../../build/native/Release/headrace-loadgen", import.meta.url));

const MODES = { "http-binary": "http", "http-json": "http", "ws-raw": "ws", "ws-binary": "ws", grpc: "grpc" } as const;

/** The same for both measuring programs. */
export function timingArguments(timing: BenchTiming): Record<string, number> {
  return {
    warmup: timing.warmup,
    seconds: timing.atLeast,
    "max-seconds": timing.atMost,
    window: timing.window,
    "last-answers": timing.lastAnswers,
  };
}

function commandOf(run: GeneratorRun, isAsked: boolean): [string, ...string[]] {
  const { load, timing, endpoint, sequenceLength } = run;
  const options: Record<string, string | number> = {
    mode: MODES[run.protocol],
    host: endpoint.address,
    authority: endpoint.host,
    port: endpoint.port,
    scheme: endpoint.scheme,
    path: run.path,
    requests: run.requests,
    slots: run.slots,
    connections: run.connections,
    load: load.mode,
    ...timingArguments(timing),
    seed: run.seed,
    progress: 1,
    ask: isAsked ? 1 : 0,
    numbered: run.protocol === "ws-raw" ? 1 : 0,
    // Without a core of its own a generator that polls takes the server's.
    spin: run.core === undefined ? 0 : 1,
    "server-pid": run.serverPid ?? 0,
    headers: Object.entries(run.headers)
      .map(([name, value]) => `${name}: ${value}`)
      .join("\n"),
  };
  if (load.mode === "open") Object.assign(options, { rate: load.ratePerSecond, arrival: load.arrival });
  if (load.mode === "streams") options["frame-rate"] = load.framesPerSecond;
  if (sequenceLength !== undefined) {
    Object.assign(options, { "min-length": sequenceLength.min, "max-length": sequenceLength.max });
  }
  return [GENERATOR, ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])];
}

/** @throws NATIVE_UNAVAILABLE where the generator is not built. */
export function needGenerator(program: string): void {
  if (process.platform !== "linux") {
    throw new HeadraceError("UNIMPLEMENTED", "the load generator needs Linux; a server anywhere can be its target");
  }
  if (existsSync(program)) return;
  const remedy = "run `npm run build:native` in the headrace package (needs g++ and CMake), or reinstall headrace";
  throw new HeadraceError("NATIVE_UNAVAILABLE", `the load generator is not at ${program}: ${remedy}`);
}

export async function generate(run: GeneratorRun, listener: GeneratorListener): Promise<GeneratorOutcome> {
  needGenerator(GENERATOR);
  return runProgram(pinned(run.core, commandOf(run, listener.warm !== undefined)), listener);
}

/** Runs a measuring program to its last line. @throws UNAVAILABLE with its words where it fails before that. */
export async function runProgram(
  command: readonly [string, ...string[]],
  listener: GeneratorListener = {},
): Promise<GeneratorOutcome> {
  const child = await Child.start(command);
  let last: GeneratorOutcome | undefined;
  let warm: Promise<void> | undefined;
  child.onLine((line) => {
    const said = JSON.parse(line) as { event: "warm" } | { window: GeneratorWindow } | GeneratorOutcome;
    if ("window" in said) listener.window?.(said.window);
    else if ("requests" in said) last = said;
    else warm = listener.warm?.().then(() => child.tell("begin\n"));
  });
  const status = await child.ended;
  await warm;
  if (last !== undefined) return last;
  const words = child.complaint.replace(/^headrace-\w+: /, "");
  throw new HeadraceError("UNAVAILABLE", words === "" ? `the load generator ended with status ${status}` : words);
}
