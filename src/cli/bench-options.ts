/** The command line of `headrace bench` as options of the harness. */
import type { Command } from "cac";
import {
  type BenchOptions,
  type BenchTiming,
  DEFAULTS,
  type LoadPlan,
  PROTOCOLS,
  type SequenceLength,
} from "../bench/options.js";
import type { BenchProtocol } from "../bench/result.js";
import { InvalidArgumentError } from "../errors.js";
import { addModelOptions, bareCell, type ModelOptions, modelArguments, refuseModelOptions } from "./model-options.js";
import { integerOf, numberOf, positiveOf } from "./numbers.js";
import { addSocketOptions, type SocketOptions, socketArguments } from "./socket-options.js";
import { inferenceOf, isModelFile } from "./target.js";

type Texts = string | string[];

/** As cac hands them over. */
export interface BenchCliOptions extends ModelOptions, SocketOptions {
  protocol?: Texts;
  concurrency?: Texts;
  rate?: Texts;
  arrival?: string;
  streams?: Texts;
  frameRate?: string;
  sequenceLength?: string;
  stateless?: boolean;
  model?: string;
  rows: string;
  input?: Texts;
  shape?: Texts;
  header?: Texts;
  connections?: string;
  maxInFlight: string;
  warmup?: string;
  duration?: string;
  maxDuration?: string;
  window?: string;
  repetitions?: string;
  quick?: boolean;
  seed: string;
  pin: boolean;
  serverCores?: string;
  generatorCore?: string;
  json?: string;
  csv?: string;
  html?: string;
}

const QUICK: { readonly timing: BenchTiming; readonly repetitions: number } = {
  timing: { warmup: 0.5, atLeast: 0.9, atMost: 3, window: 0.3, lastAnswers: 1 },
  repetitions: 1,
};

export function addBenchOptions(command: Command): Command {
  command
    .option("--protocol <list>", `Of ${PROTOCOLS.join(", ")} (default: all that the target has)`)
    .option("--concurrency <list>", "Closed loop: requests in flight (default: 1,16,256)")
    .option("--rate <list>", "Open loop: requests a second, answered or not")
    .option("--arrival <how>", "Of --rate: poisson or constant (default: poisson)")
    .option("--streams <list>", "Streams that each send at a fixed cadence, their phases spread")
    .option("--frame-rate <n>", "Steps a second of each stream (default: 31.25, sound in frames of 32 ms)")
    .option("--sequence-length <n>", "Steps of a sequence, or a range such as 10-200 (default: they never end)")
    .option("--stateless", "Send no sequence ids, even to a model with state")
    .option("--model <name>", "The model at a URL (default: the only one there)")
    .option("--rows <n>", "Rows of a request, for models without state", { default: `${DEFAULTS.rows}` })
    .option("--input <name=file>", "Data of an input: .npy, or raw little-endian bytes; may be given several times")
    .option(
      "--shape <name=dims>",
      "What a model leaves open, without rows: --shape ids=128; may be given several times",
    )
    .option("--header <name: value>", "Sent with every request; may be given several times")
    .option("--connections <n>", "Connections that share the requests in flight (default: 16; over HTTP one each)")
    .option("--max-in-flight <n>", "Open loop: further requests wait in the generator", {
      default: `${DEFAULTS.maxInFlight}`,
    })
    .option("--duration <s>", `Seconds that are measured at least (default: ${DEFAULTS.timing.atLeast})`)
    .option("--max-duration <s>", `Seconds at most, where it is not stable (default: ${DEFAULTS.timing.atMost})`)
    .option("--window <s>", `Seconds of a window of the stability criterion (default: ${DEFAULTS.timing.window})`)
    .option("--warmup <s>", `Seconds before that (default: ${DEFAULTS.timing.warmup})`)
    .option("--repetitions <n>", `Each with a fresh server (default: ${DEFAULTS.repetitions})`)
    .option("--quick", "Short measurements and one repetition: is everything in working order?")
    .option("--seed <n>", "Of random data and arrivals", { default: `${DEFAULTS.seed}` })
    .option("--no-pin", "Let server and generator run on any core, not each on one of its own")
    .option("--server-cores <cpus>", "CPUs of the server, such as 0 or 0,2-3")
    .option("--generator-core <n>", "CPU of the load generator")
    .option("--json <file>", "Write the result as JSON; --json=- is standard output")
    .option("--csv <file>", "Write one line for each repetition; --csv=- is standard output")
    .option("--html <file>", "Write a page with plots");
  addSocketOptions(command);
  return addModelOptions(command);
}

/** @throws INVALID_ARGUMENT with the option's name. */
export function benchOptions(target: string, cli: BenchCliOptions, command: readonly string[]): BenchOptions {
  if (!isModelFile(target)) refuseModelOptions(cli, "goes with a model file; a module or a server has its own");
  // Only describes it: what does not fit is known before a server is started with it.
  else bareCell(target, cli);
  const timing = timingOf(cli);
  const cores = coresOf(cli);
  return {
    target,
    loads: loadsOf(cli),
    timing,
    repetitions: repetitionsOf(cli),
    serveArguments: [...socketArguments(cli), ...modelArguments(cli)],
    maxInFlight: integerOf("--max-in-flight", cli.maxInFlight),
    rows: integerOf("--rows", cli.rows),
    inputFiles: Object.fromEntries(pairs("input", cli.input, "=")),
    shapes: Object.fromEntries(pairs("shape", cli.shape, "=").map(([name, dims]) => [name, shape(dims)])),
    headers: Object.fromEntries(pairs("header", cli.header, ":")),
    seed: integerOf("--seed", cli.seed, 0),
    command,
    ...(isUrl(target) ? {} : { pipeline: async () => (await inferenceOf(target, cli)).pipeline }),
    ...(cli.protocol === undefined ? {} : { protocols: list(cli.protocol).map(protocol) }),
    ...(cli.model === undefined ? {} : { model: cli.model }),
    ...(cli.connections === undefined ? {} : { connections: integerOf("--connections", cli.connections) }),
    ...(cli.sequenceLength === undefined ? {} : { sequenceLength: sequenceLength(cli.sequenceLength) }),
    ...(cli.stateless === true ? { stateful: false } : {}),
    ...(cores === undefined ? {} : { cores }),
  };
}

function isUrl(target: string): boolean {
  return /^[a-z+]+:\/\//i.test(target);
}

function list(value: Texts | undefined): string[] {
  return value === undefined ? [] : [value].flat().flatMap((text) => text.split(","));
}

function protocol(name: string): BenchProtocol {
  const found = PROTOCOLS.find((one) => one === name);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`expected some of ${PROTOCOLS.join(", ")}, got '${name}'`, { path: "--protocol" });
}

/** All that were asked for, one after the other; without any the default sweep. */
function loadsOf(cli: BenchCliOptions): readonly LoadPlan[] {
  const arrival = arrivalOf(cli);
  if (cli.frameRate !== undefined && cli.streams === undefined) {
    throw new InvalidArgumentError("goes with --streams", { path: "--frame-rate" });
  }
  const framesPerSecond = positiveOf("--frame-rate", cli.frameRate ?? "31.25");
  const loads: LoadPlan[] = [
    ...list(cli.concurrency).map((n) => ({ mode: "closed", concurrency: integerOf("--concurrency", n) }) as const),
    ...list(cli.rate).map((n) => ({ mode: "open", ratePerSecond: positiveOf("--rate", n), arrival }) as const),
    ...list(cli.streams).map(
      (n) => ({ mode: "streams", streams: integerOf("--streams", n), framesPerSecond }) as const,
    ),
  ];
  return loads.length === 0 ? DEFAULTS.loads : loads;
}

/** How the requests of `--rate` come. @throws INVALID_ARGUMENT where there is no such way, or no rate. */
export function arrivalOf({ arrival, rate }: { arrival?: string; rate?: Texts }): "constant" | "poisson" {
  if (arrival !== undefined && rate === undefined) {
    throw new InvalidArgumentError("goes with --rate", { path: "--arrival" });
  }
  if (arrival === undefined || arrival === "poisson") return "poisson";
  if (arrival === "constant") return arrival;
  throw new InvalidArgumentError(`expected poisson or constant, got '${arrival}'`, { path: "--arrival" });
}

function repetitionsOf({ repetitions, quick }: BenchCliOptions): number {
  if (repetitions !== undefined) return integerOf("--repetitions", repetitions);
  return quick === true ? QUICK.repetitions : DEFAULTS.repetitions;
}

function timingOf(cli: BenchCliOptions): BenchTiming {
  const base = cli.quick === true ? QUICK.timing : DEFAULTS.timing;
  const atLeast = cli.duration === undefined ? base.atLeast : positiveOf("--duration", cli.duration);
  const timing = {
    warmup: cli.warmup === undefined ? base.warmup : numberOf("--warmup", cli.warmup, 0),
    atLeast,
    atMost:
      cli.maxDuration === undefined ? Math.max(base.atMost, atLeast) : positiveOf("--max-duration", cli.maxDuration),
    window: cli.window === undefined ? Math.min(base.window, atLeast / 3) : positiveOf("--window", cli.window),
    lastAnswers: base.lastAnswers,
  };
  if (timing.atMost >= atLeast) return timing;
  throw new InvalidArgumentError("is less than --duration", { path: "--max-duration" });
}

function coresOf({ pin, serverCores, generatorCore }: BenchCliOptions): BenchOptions["cores"] {
  if (!pin) {
    const [option] = Object.entries({ "--server-cores": serverCores, "--generator-core": generatorCore })
      .filter(([, cpus]) => cpus !== undefined)
      .map(([name]) => name);
    if (option !== undefined) throw new InvalidArgumentError("excludes --no-pin", { path: option });
    return false;
  }
  if (serverCores === undefined && generatorCore === undefined) return undefined;
  return {
    ...(serverCores === undefined ? {} : { server: serverCores }),
    ...(generatorCore === undefined ? {} : { generator: generatorCore }),
  };
}

function pairs(option: string, values: Texts | undefined, separator: string): [string, string][] {
  return [values ?? []].flat().map((text) => {
    const found = text.indexOf(separator);
    if (found > 0) return [text.slice(0, found).trim(), text.slice(found + 1).trim()];
    throw new InvalidArgumentError(`expected a name, '${separator}' and a value, got '${text}'`, {
      path: `--${option}`,
    });
  });
}

function shape(dims: string): number[] {
  return dims.split(",").map((dim) => integerOf("--shape", dim));
}

function sequenceLength(text: string): SequenceLength {
  const [min = "", max = min] = text.split("-");
  const length = { min: integerOf("--sequence-length", min), max: integerOf("--sequence-length", max) };
  if (length.min <= length.max) return length;
  throw new InvalidArgumentError(`the range ${text} is the wrong way round`, { path: "--sequence-length" });
}
