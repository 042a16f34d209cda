import { dirname, isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { InvalidArgumentError } from "../errors.js";
import { shown } from "../shown.js";
import { type AnyValueType, MODEL_TENSOR, type ModelTensorType } from "../types/index.js";
import { nameOf } from "./cell.js";
import type {
  OnnxCell,
  OnnxCellOptions,
  OnnxConstant,
  OnnxContextOption,
  OnnxPort,
  OnnxPortOption,
  OnnxPortOptions,
  OnnxStateOption,
  OnnxStatePlan,
} from "./onnx-options.js";

/** ONNX Runtime makes as many as it is told to. */
const MAX_THREADS = 256;

/** The types of named ports: the one given, else whatever the model says. */
export type OnnxPortTypes<P extends OnnxPortOptions> = {
  readonly [K in keyof P]: P[K] extends { readonly type: infer T extends AnyValueType } ? T : ModelTensorType;
};

type NoPorts = Readonly<Record<never, OnnxPortOption>>;

/**
 * A cell that runs an ONNX model in the engine. Only describes it: the file is not opened here. Tensor names, types and
 * shapes are read from the model when an inference starts; name only what differs.
 *
 * ```ts
 * const vad = onnxCell({
 *   name: "silero-vad",
 *   model: new URL("silero_vad_16k_op15.onnx", import.meta.url),
 *   inputs: { audio: { tensor: "input", type: Tensor("FP32", [-1, 512]) } },
 *   constants: { sr: 16000n },
 *   context: { audio: 64 },
 * });
 * ```
 *
 * @throws InvalidArgumentError that names the option, when one is out of range or contradicts another.
 */
export function onnxCell<const I extends OnnxPortOptions = NoPorts, const O extends OnnxPortOptions = NoPorts>(
  options: OnnxCellOptions<I, O>,
): OnnxCell<OnnxPortTypes<I>, OnnxPortTypes<O>> {
  const name = nameOf(options.name, "onnxCell.name");
  const cell: OnnxCell<OnnxPortTypes<I>, OnnxPortTypes<O>> = {
    kind: "onnx",
    name,
    description: options.description,
    model: modelPath(options.model, options.baseUrl, name),
    inputs: ports(options.inputs, `${name}.inputs`),
    outputs: ports(options.outputs, `${name}.outputs`),
    constants: constants(options.constants, `${name}.constants`),
    state: states(options.state, `${name}.state`),
    context: contexts(options.context, `${name}.context`),
    batching: Object.freeze({
      maxSize: optional(options.batching?.maxSize, 1, `${name}.batching.maxSize`),
      maxDelayMicros: atLeast(options.batching?.maxDelayMicros ?? 0, 0, `${name}.batching.maxDelayMicros`),
    }),
    accelerator: oneOf(options.accelerator, ["auto", "cpu", "cuda", "tensorrt"], `${name}.accelerator`),
    execution: oneOf(options.execution, ["auto", "inline", "lanes"], `${name}.execution`),
    lanes: optional(options.lanes, 1, `${name}.lanes`),
    intraOpThreads: threads(options.intraOpThreads, `${name}.intraOpThreads`),
    queueSize: atLeast(options.queueSize ?? 4096, 1, `${name}.queueSize`),
    queueBytes: atLeast(options.queueBytes ?? 1 << 30, 1, `${name}.queueBytes`),
    stateTtlSeconds: positive(options.stateTtlSeconds ?? 60, `${name}.stateTtlSeconds`),
    maxStates: atLeast(options.maxStates ?? 10_000, 1, `${name}.maxStates`),
    evict: oneOf(options.evict, ["refuse", "lru"], `${name}.evict`),
  };
  refuseDoubleUse(cell);
  return Object.freeze(cell);
}

function modelPath(model: string | URL, baseUrl: string | URL | undefined, name: string): string {
  if (model instanceof URL || (typeof model === "string" && model.startsWith("file:"))) {
    return filePath(model, `${name}.model`);
  }
  if (typeof model !== "string" || model === "") {
    throw new InvalidArgumentError(`expected a path or a file: URL, got ${JSON.stringify(model)}`, {
      path: `${name}.model`,
    });
  }
  if (baseUrl === undefined || isAbsolute(model)) return resolve(model);
  // Not by `new URL(model, baseUrl)`: a path may hold `#`, `?` and `%`.
  const isDirectory = String(baseUrl).endsWith("/");
  const base = filePath(baseUrl, `${name}.baseUrl`);
  return resolve(isDirectory ? base : dirname(base), model);
}

function filePath(url: string | URL, path: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new InvalidArgumentError(`expected a file: URL, got ${url}`, { path, cause });
  }
}

function ports(options: OnnxPortOptions | undefined, path: string): Readonly<Record<string, OnnxPort>> | undefined {
  if (options === undefined) return undefined;
  const named: Record<string, OnnxPort> = {};
  const portOf = new Map<string, string>();
  for (const [name, option] of Object.entries(options)) {
    nameOf(name, path);
    const { tensor = name, type = MODEL_TENSOR } = typeof option === "string" ? { tensor: option } : option;
    nameOf(tensor, `${path}.${name}`);
    const other = portOf.get(tensor);
    if (other !== undefined) {
      throw new InvalidArgumentError(`tensor "${tensor}" is port "${other}" already`, { path: `${path}.${name}` });
    }
    if (MODEL_TENSOR.accepts(type) !== undefined) {
      throw new InvalidArgumentError(`expected a tensor type, got ${type.label}`, { path: `${path}.${name}.type` });
    }
    portOf.set(tensor, name);
    named[name] = Object.freeze({ tensor, type });
  }
  return Object.freeze(named);
}

function constants(
  options: Readonly<Record<string, OnnxConstant>> | undefined,
  path: string,
): Readonly<Record<string, OnnxConstant>> {
  for (const [tensor, value] of Object.entries(options ?? {})) {
    const isScalar = ["number", "bigint", "boolean", "string"].includes(typeof value);
    if (isScalar || (ArrayBuffer.isView(value) && !(value instanceof DataView))) continue;
    const message = "expected a number, a bigint, a boolean, a string or a typed array";
    throw new InvalidArgumentError(message, { path: `${path}.${tensor}` });
  }
  return Object.freeze({ ...options });
}

function states(options: readonly OnnxStateOption[] | undefined, path: string): readonly OnnxStatePlan[] | undefined {
  if (options === undefined) return undefined;
  const seen = new Set<string>();
  return Object.freeze(
    options.map(({ input, output, batchAxis, initial = "zeros" }, i) => {
      const at = `${path}[${i}]`;
      for (const [side, tensor] of Object.entries({ input, output })) {
        nameOf(tensor, `${at}.${side}`);
        const key = `${side} ${tensor}`;
        if (seen.has(key))
          throw new InvalidArgumentError(`"${tensor}" is in a pair already`, { path: `${at}.${side}` });
        seen.add(key);
      }
      return Object.freeze({
        input,
        output,
        batchAxis: optional(batchAxis, 0, `${at}.batchAxis`),
        initial: oneOf(initial, ["zeros"], `${at}.initial`),
      });
    }),
  );
}

function contexts(options: Readonly<Record<string, number | OnnxContextOption>> | undefined, path: string) {
  const entries = Object.entries(options ?? {}).map(([port, option]) => {
    const { size, axis } = typeof option === "number" ? { size: option } : option;
    return [
      nameOf(port, path),
      Object.freeze({
        size: atLeast(size, 1, `${path}.${port}`),
        axis: optional(axis, 0, `${path}.${port}.axis`),
      }),
    ] as const;
  });
  return Object.freeze(Object.fromEntries(entries));
}

/** A tensor is a port, a constant or a state, and only one of them. */
function refuseDoubleUse(cell: OnnxCell): void {
  const stateInputs = new Set(cell.state?.map(({ input }) => input));
  const stateOutputs = new Set(cell.state?.map(({ output }) => output));
  const refuse = (tensor: string, path: string, use: string) => {
    throw new InvalidArgumentError(`tensor "${tensor}" is ${use} already; it can be only one of them`, { path });
  };
  for (const tensor of Object.keys(cell.constants)) {
    if (stateInputs.has(tensor)) refuse(tensor, `${cell.name}.constants.${tensor}`, "a state");
    const isPort = Object.hasOwn(cell.inputs ?? {}, tensor);
    if (Object.hasOwn(cell.context, tensor) && !isPort) refuse(tensor, `${cell.name}.context.${tensor}`, "a constant");
  }
  for (const [name, { tensor }] of Object.entries(cell.inputs ?? {})) {
    if (stateInputs.has(tensor)) refuse(tensor, `${cell.name}.inputs.${name}`, "a state");
    if (Object.hasOwn(cell.constants, tensor)) refuse(tensor, `${cell.name}.inputs.${name}`, "a constant");
  }
  for (const [name, { tensor }] of Object.entries(cell.outputs ?? {})) {
    if (stateOutputs.has(tensor)) refuse(tensor, `${cell.name}.outputs.${name}`, "a state");
  }
}

function atLeast(value: number, minimum: number, path: string): number {
  if (Number.isSafeInteger(value) && value >= minimum) return value;
  throw new InvalidArgumentError(`expected an integer of at least ${minimum}, got ${shown(value)}`, { path });
}

function threads(value: number | undefined, path: string): number {
  const count = atLeast(value ?? 1, 1, path);
  if (count <= MAX_THREADS) return count;
  throw new InvalidArgumentError(`expected ${MAX_THREADS} at most, got ${count}`, { path });
}

function optional(value: number | undefined, minimum: number, path: string): number | undefined {
  return value === undefined ? undefined : atLeast(value, minimum, path);
}

function positive(value: number, path: string): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError(`expected a number of seconds above 0, got ${shown(value)}`, { path });
}

/** One of the choices; the first one is the default. */
function oneOf<const T extends string>(value: T | undefined, choices: readonly [T, ...T[]], path: string): T {
  const chosen = value ?? choices[0];
  if (choices.includes(chosen)) return chosen;
  throw new InvalidArgumentError(`expected one of ${choices.join(", ")}, got ${JSON.stringify(value)}`, { path });
}
