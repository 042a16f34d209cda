/** A configuration in the forms that Headrace takes. */
import { stringify } from "yaml";
import type { OnnxCell, OnnxConstant } from "../../index.js";
import type { TuneConfiguration } from "./configuration.js";

/** The same configuration four times. */
export interface Pasteable {
  /** `onnxCell({…})`. */
  readonly typescript: string;
  /** headrace.yaml, for `headrace run`. */
  readonly yaml: string;
  /** config.pbtxt, for `headrace serve --models`. */
  readonly pbtxt: string;
  /** The command line of `headrace serve`. */
  readonly command: string;
}

/**
 * @param model As it was given: a path relative to where the command runs.
 * @param cell Of the bare model, for what else was said of it.
 */
export function pasteable(model: string, cell: OnnxCell, configuration: TuneConfiguration): Pasteable {
  const { execution, lanes, intraOpThreads, maxSize, maxDelayMicros } = configuration;
  const options = {
    name: cell.name,
    model,
    ...(Object.keys(cell.constants).length === 0 ? {} : { constants: cell.constants }),
    ...(Object.keys(cell.context).length === 0 ? {} : { context: sizes(cell) }),
    batching: { maxSize, maxDelayMicros },
    execution,
    ...(execution === "lanes" ? { lanes } : {}),
    ...(intraOpThreads === 1 ? {} : { intraOpThreads }),
  };
  const { name, model: file, ...rest } = options;
  return {
    typescript: `onnxCell({\n${fields(options)}});\n`,
    yaml: stringify({ version: 1, pipeline: { model: file, name, ...rest }, drivers: { web: { use: "http" } } }),
    pbtxt: pbtxt(cell, configuration),
    command: command(model, cell, configuration),
  };
}

function sizes({ context }: OnnxCell): Record<string, number> {
  return Object.fromEntries(Object.entries(context).map(([input, { size }]) => [input, size]));
}

function fields(options: object): string {
  return Object.entries(options)
    .map(([key, value]) => `  ${key}: ${literal(value)},\n`)
    .join("");
}

function literal(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, one]) => {
    return `${/^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key)}: ${literal(one)}`;
  });
  return `{ ${entries.join(", ")} }`;
}

/** Values of a command line, so no typed arrays. */
function constantText(value: OnnxConstant): string {
  return String(value);
}

function pbtxt(cell: OnnxCell, configuration: TuneConfiguration): string {
  const { execution, lanes, intraOpThreads, maxSize, maxDelayMicros } = configuration;
  const parameter = (key: string, value: string): string =>
    `parameters { key: ${JSON.stringify(key)} value { string_value: ${JSON.stringify(value)} } }\n`;
  return [
    `name: ${JSON.stringify(cell.name)}\n`,
    'backend: "onnxruntime"\n',
    `max_batch_size: ${maxSize}\n`,
    maxDelayMicros > 0 ? `dynamic_batching { max_queue_delay_microseconds: ${maxDelayMicros} }\n` : "",
    execution === "lanes" ? `instance_group [ { count: ${lanes} kind: KIND_CPU } ]\n` : "",
    parameter("headrace.execution", execution),
    intraOpThreads === 1 ? "" : parameter("intra_op_thread_count", String(intraOpThreads)),
    ...Object.entries(cell.constants).map(([input, value]) =>
      parameter(`headrace.constant.${input}`, constantText(value)),
    ),
    ...Object.entries(cell.context).map(([input, { size }]) => parameter(`headrace.context.${input}`, String(size))),
  ].join("");
}

function command(model: string, cell: OnnxCell, configuration: TuneConfiguration): string {
  return ["headrace serve", shellWord(model), ...serveArguments(cell, configuration).map(shellWord)].join(" ");
}

function shellWord(word: string): string {
  return /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The options of `headrace serve` for a model file, as a list. */
export function serveArguments(
  cell: OnnxCell,
  { execution, lanes, intraOpThreads, maxSize, maxDelayMicros }: TuneConfiguration,
): string[] {
  return [
    ...["--name", cell.name],
    ...Object.entries(cell.constants).flatMap(([input, value]) => ["--constant", `${input}=${constantText(value)}`]),
    ...Object.entries(cell.context).flatMap(([input, { size }]) => ["--context", `${input}=${size}`]),
    ...["--max-batch", String(maxSize), "--max-delay", String(maxDelayMicros), "--execution", execution],
    ...(execution === "lanes" ? ["--lanes", String(lanes)] : []),
    ...(intraOpThreads === 1 ? [] : ["--intra-op-threads", String(intraOpThreads)]),
  ];
}
