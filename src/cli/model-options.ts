/** The options that describe a bare model file, for the commands that take one. */
import { basename } from "node:path";
import type { Command } from "cac";
import { InvalidArgumentError } from "../errors.js";
import { type OnnxCell, onnxCell } from "../pipeline/index.js";
import { integerOf, positiveOf } from "./numbers.js";

/** As cac hands them over. */
export interface ModelOptions {
  name?: string;
  constant?: string | string[];
  context?: string | string[];
  maxBatch?: string;
  maxDelay?: string;
  execution?: string;
  lanes?: string;
  intraOpThreads?: string;
  stateTtl?: string;
  maxStates?: string;
}

export function addModelOptions(command: Command): Command {
  return command
    .option("--name <name>", "Name of the model on the wire (default: the file's name without .onnx)")
    .option("--constant <input=value>", "An input that is always the same, e.g. sr=16000; may be given several times")
    .option("--context <input=n>", "Keep the last n elements of an input for the next step; may be given several times")
    .option(
      "--execution <how>",
      "inline (on the thread that took the steps) or lanes (threads of its own) (default: auto)",
    )
    .option("--lanes <n>", "Threads that run the model (default: one for each core)")
    .option("--intra-op-threads <n>", "Threads that share the work within one run (default: 1)")
    .option("--max-batch <n>", "The most steps in one run (default: measured at load, at most 128)")
    .option("--max-delay <us>", "Microseconds that an idle model waits for more steps (default: 0)")
    .option("--state-ttl <s>", "Seconds that an unused state is kept (default: 60)")
    .option("--max-states <n>", "States kept at the same time (default: 10000)");
}

const MODEL_OPTIONS = [
  "name",
  "constant",
  "context",
  "execution",
  "lanes",
  "intraOpThreads",
  "maxBatch",
  "maxDelay",
  "stateTtl",
  "maxStates",
] as const satisfies (keyof ModelOptions)[];

/**
 * Throws INVALID_ARGUMENT for an option that would have no effect.
 * @param why What to do instead.
 */
export function refuseModelOptions(
  options: ModelOptions,
  why = "goes with a model file; a module says it in its code",
): void {
  for (const name of MODEL_OPTIONS) {
    if (options[name] === undefined) continue;
    const path = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new InvalidArgumentError(why, { path });
  }
}

/** The options that were given, as arguments of another command that takes them. */
export function modelArguments(options: ModelOptions): string[] {
  return MODEL_OPTIONS.flatMap((name) => {
    const option = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    return [options[name] ?? []].flat().map((value) => `${option}=${value}`);
  });
}

function list(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : [value].flat();
}

function pairs(option: string, values: readonly string[]): [string, string][] {
  return values.map((text) => {
    const at = text.indexOf("=");
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
    throw new InvalidArgumentError(`expected input=value, got '${text}'`, { path: `--${option}` });
  });
}

function constant(text: string): bigint | number | boolean | string {
  if (/^-?\d+$/.test(text)) return BigInt(text);
  if (text === "true" || text === "false") return text === "true";
  const number = Number(text);
  return text.trim() === "" || Number.isNaN(number) ? text : number;
}

function choice<T extends string>(option: string, value: string | undefined, choices: readonly T[]): T | undefined {
  const found = choices.find((one) => one === value);
  if (value === undefined || found !== undefined) return found;
  throw new InvalidArgumentError(`expected one of ${choices.join(", ")}, got '${value}'`, { path: `--${option}` });
}

/** The cell of a bare model file. Throws INVALID_ARGUMENT with the option's name. */
export function bareCell(file: string, options: ModelOptions): OnnxCell {
  const execution = choice("execution", options.execution, ["auto", "inline", "lanes"] as const);
  if (execution === "inline" && options.lanes !== undefined) {
    throw new InvalidArgumentError("has no effect with --execution inline, which has no threads of its own", {
      path: "--lanes",
    });
  }
  const context = pairs("context", list(options.context)).map(
    ([input, size]) => [input, integerOf(`--context ${input}`, size)] as const,
  );
  return onnxCell({
    name: options.name ?? basename(file).replace(/\.onnx$/i, ""),
    model: file,
    constants: Object.fromEntries(
      pairs("constant", list(options.constant)).map(([input, value]) => [input, constant(value)]),
    ),
    context: Object.fromEntries(context),
    batching: {
      ...(options.maxBatch === undefined ? {} : { maxSize: integerOf("--max-batch", options.maxBatch) }),
      ...(options.maxDelay === undefined ? {} : { maxDelayMicros: integerOf("--max-delay", options.maxDelay, 0) }),
    },
    ...(execution === undefined ? {} : { execution }),
    ...(options.lanes === undefined ? {} : { lanes: integerOf("--lanes", options.lanes) }),
    ...(options.intraOpThreads === undefined
      ? {}
      : { intraOpThreads: integerOf("--intra-op-threads", options.intraOpThreads) }),
    ...(options.stateTtl === undefined ? {} : { stateTtlSeconds: positiveOf("--state-ttl", options.stateTtl) }),
    ...(options.maxStates === undefined ? {} : { maxStates: integerOf("--max-states", options.maxStates) }),
  });
}
