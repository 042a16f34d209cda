/** `headrace tune`: the configuration for a model under a latency objective. */
import { rmSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import type { CAC } from "cac";
import { GENERATOR, needGenerator } from "../bench/generator.js";
import {
  type Goal,
  parseObjective,
  pasteable,
  type RequestFile,
  requestFile,
  type Shapes,
  serverOpener,
  sharedOut,
  type TuneResult,
  tune,
  tuneText,
} from "../bench/tune/index.js";
import { InvalidArgumentError } from "../errors.js";
import type { OnnxCell } from "../pipeline/index.js";
import { describeModel } from "../runtime/index.js";
import { arrivalOf } from "./bench-options.js";
import { bareCell, type ModelOptions } from "./model-options.js";
import { integerOf, positiveOf } from "./numbers.js";
import { bold, dim, green, redOut } from "./style.js";
import { isModelFile } from "./target.js";

/** Exit status when nothing that was tried meets the objective. */
const NOT_MET = 3;

interface TuneCliOptions extends Pick<ModelOptions, "name" | "constant" | "context"> {
  objective?: string;
  rate?: string;
  arrival?: string;
  streams?: string;
  framesPerSecond?: string;
  maxThroughput?: boolean;
  shape?: string | string[];
  seconds?: string;
  warmup: string;
  repetitions: string;
  configurations: string;
  json?: boolean;
}

export function registerTune(cli: CAC): void {
  cli
    .command("tune <model>", "Find batch size, delay and threads for a model under a latency objective")
    .option("--objective <text>", 'What is wanted, e.g. "p99 < 20 ms"; of p50, p90, p99, p99.9 and max')
    .option("--max-throughput", "The most steps a second that the objective allows (the default)")
    .option("--rate <n>", "Steps a second that arrive, whether or not others were answered")
    .option("--arrival <how>", "Of --rate: poisson or constant (default: poisson)")
    .option("--streams <n>", "Streams that each send a step at --frames-per-second")
    .option("--frames-per-second <n>", "Of each stream (default: 31.25)")
    .option("--name <name>", "Name of the model (default: the file's name without .onnx)")
    .option("--constant <input=value>", "An input that is always the same, e.g. sr=16000; may be given several times")
    .option("--context <input=n>", "Keep the last n elements of an input for the next step; may be given several times")
    .option("--shape <input=n,m>", "The shape of one step where the model leaves it open; may be given several times")
    .option("--seconds <s>", "How long each measurement takes (default: 1.5, and longer at slow rates)")
    .option("--warmup <s>", "Before each measurement", { default: "0.5" })
    .option("--repetitions <n>", "How often the winner and the default are measured again", { default: "3" })
    .option("--configurations <n>", "The most configurations to try", { default: "24" })
    .option("--json", "Print JSON")
    .example('  headrace tune gru.onnx --objective "p99 < 5 ms"')
    .example('  headrace tune gru.onnx --objective "p99 < 2 ms" --rate 20000')
    .example("  headrace tune silero.onnx --constant sr=16000 --context input=64 --shape input=512 \\")
    .example('      --objective "p99 < 32 ms" --streams 200')
    .example("")
    .example(`  Exit status: ${NOT_MET} when nothing that was tried meets the objective.`)
    .action(run);
}

async function run(model: string, options: TuneCliOptions): Promise<void> {
  if (!isModelFile(model)) throw new InvalidArgumentError(`expected a model file that ends in .onnx, got '${model}'`);
  if (options.objective === undefined) {
    throw new InvalidArgumentError('is missing, e.g. "p99 < 20 ms"', { path: "--objective" });
  }
  const objective = parseObjective(options.objective);
  const goal = goalOf(options);
  const counts = numbers(options);
  needGenerator(GENERATOR);
  const cell = bareCell(model, options);
  const description = await describeModel(cell);
  const requests = requestFile(cell.name, description, shapesOf(options));
  const cores = sharedOut();
  const usable = cores.server.length === 0 ? availableParallelism() : cores.server.length;
  const busy = loadavg()[0] ?? 0;
  const progress = progressLine();
  // Without a handler a signal ends the process before its servers.
  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    process.once(signal, () => process.exit(status));
  }
  const result = await withFile(requests, async (file) => {
    const open = serverOpener({ model, cell, requests, file, cores, seconds: counts.seconds, warmup: counts.warmup });
    const calibration = { ...description, lanes: Math.min(description.lanes, usable) };
    return tune({ objective, goal, calibration, cores: usable, open, ...counts, progress: progress.show });
  }).finally(progress.clear);
  report(model, cell, result, options.json === true);
  if (options.json !== true) process.stdout.write(dim(conditions(usable, busy)));
}

/** A machine that others use gives figures that are theirs. */
function conditions(usable: number, busy: number): string {
  const all = availableParallelism();
  const doubt =
    busy < all * 0.25
      ? ""
      : ` The load average was ${busy.toFixed(1)} before the start: others were busy, and figures may not repeat.`;
  return `\nThe server had ${usable} of ${all} cores, the generator ${usable < all ? "another" : "the same ones"}.${doubt}\n`;
}

function report(model: string, cell: OnnxCell, result: TuneResult, json: boolean): void {
  const paste = result.winner === undefined ? undefined : pasteable(model, cell, result.winner.configuration);
  if (json)
    process.stdout.write(`${JSON.stringify({ ...result, ...(paste === undefined ? {} : { paste }) }, null, 2)}\n`);
  else process.stdout.write(tuneText(result, paste, { bold, dim, green, red: redOut }));
  if (result.winner === undefined) process.exitCode = NOT_MET;
}

/** The load in question; one of three. */
function goalOf(cli: TuneCliOptions): Goal {
  const { rate, streams, maxThroughput, framesPerSecond } = cli;
  const arrival = arrivalOf(cli);
  if (framesPerSecond !== undefined && streams === undefined) {
    throw new InvalidArgumentError("goes with --streams", { path: "--frames-per-second" });
  }
  const given = Object.entries({ rate, streams, "max-throughput": maxThroughput }).filter(
    ([, value]) => value !== undefined,
  );
  const [, second] = given;
  if (second !== undefined) throw new InvalidArgumentError("excludes another load", { path: `--${second[0]}` });
  if (rate !== undefined) return { mode: "open", load: { ratePerSecond: positiveOf("--rate", rate), arrival } };
  if (streams === undefined) return "throughput";
  const load = {
    streams: integerOf("--streams", streams),
    framesPerSecond: positiveOf("--frames-per-second", framesPerSecond ?? "31.25"),
  };
  return { mode: "streams", load };
}

function numbers({ seconds, warmup, repetitions, configurations }: TuneCliOptions): {
  seconds: number | undefined;
  warmup: number;
  repetitions: number;
  most: number;
} {
  return {
    seconds: seconds === undefined ? undefined : positiveOf("--seconds", seconds),
    warmup: positiveOf("--warmup", warmup),
    repetitions: integerOf("--repetitions", repetitions),
    most: integerOf("--configurations", configurations),
  };
}

function shapesOf({ shape }: TuneCliOptions): Shapes {
  const entries = [shape ?? []].flat().map((text) => {
    const [, input, sizes = ""] = /^(.+)=(\d+(?:,\d+)*)$/.exec(text) ?? [];
    if (input === undefined) {
      throw new InvalidArgumentError(`expected input=n,m, got '${text}'`, { path: "--shape" });
    }
    return [input, sizes.split(",").map(Number)] as const;
  });
  return Object.fromEntries(entries);
}

/** The requests in a file, for as long as they are needed. */
async function withFile<T>({ bytes }: RequestFile, work: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "headrace-tune-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    const file = join(folder, "requests");
    await writeFile(file, bytes);
    return await work(file);
  } finally {
    process.off("exit", remove);
    remove();
  }
}

/** One line that is written over, where somebody looks. */
function progressLine(): { show(text: string): void; clear(): void } {
  if (!process.stderr.isTTY) return { show: () => {}, clear: () => {} };
  return {
    show: (text) => process.stderr.write(`\r\u001b[2K${text}`),
    clear: () => process.stderr.write("\r\u001b[2K"),
  };
}
