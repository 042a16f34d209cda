/** The data of the steps that are sent: from files, or random by type. */
import { readFile } from "node:fs/promises";
import {
  DATATYPES,
  elementCount,
  type FixedDatatype,
  type RawTensor,
  type TypedArray,
  typedArrayOver,
} from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";
import { fileError } from "../file-error.js";
import type { TensorMetadata } from "../protocol/index.js";
import { Random, toBfloat, toHalf } from "../types/index.js";
import { isNpy, type NpyArray, readNpy } from "./npy.js";
import type { BenchOptions } from "./options.js";

/** The inputs of one request, by name. */
export type Step = Readonly<Record<string, RawTensor>>;

/** Different steps that random data makes; after the last one comes the first again. */
const RANDOM_STEPS = 32;
/** All steps of all inputs together, so that a file of an hour of sound does not become requests in memory at once. */
const MOST_BYTES = 256 << 20;

type InputOptions = Pick<BenchOptions, "inputFiles" | "shapes" | "rows" | "seed">;

/** @throws INVALID_ARGUMENT for names that the model does not have, files that do not fit, shapes that are open, and no inputs. */
export async function makeSteps(inputs: readonly TensorMetadata[], options: InputOptions): Promise<Step[]> {
  if (inputs.length === 0) {
    const remedy = "have it declare them, with name, datatype and shape";
    throw new InvalidArgumentError(
      `the server tells of no inputs of the model, so there is nothing to send: ${remedy}`,
    );
  }
  refuseUnknown(inputs, options.inputFiles, "--input");
  refuseUnknown(inputs, options.shapes, "--shape");
  const random = new Random(options.seed);
  const columns = await Promise.all(
    inputs.map(async (input) => {
      const shape = shapeOf(input, options);
      const file = options.inputFiles[input.name];
      const tensors =
        file === undefined ? randomTensors(input, shape, random) : await tensorsOfFile(input, shape, file);
      return { name: input.name, tensors };
    }),
  );
  const count = Math.max(...columns.map(({ tensors }) => tensors.length));
  return Array.from({ length: count }, (_, step) =>
    Object.fromEntries(
      columns.flatMap(({ name, tensors }) => {
        const tensor = tensors[step % tensors.length];
        return tensor === undefined ? [] : [[name, tensor] as const];
      }),
    ),
  );
}

function refuseUnknown(
  inputs: readonly TensorMetadata[],
  given: Readonly<Record<string, unknown>>,
  path: string,
): void {
  const names = inputs.map(({ name }) => name);
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue;
    throw new InvalidArgumentError(`the model has no input '${name}', it has ${names.join(", ")}`, { path });
  }
}

/** A leading -1 is the batch; what else is open must be said. */
function shapeOf({ name, shape }: TensorMetadata, { shapes, rows }: InputOptions): number[] {
  const isBatched = shape[0] === -1;
  const own = isBatched ? shape.slice(1) : [...shape];
  const given = shapes[name];
  if (given === undefined) {
    if (own.includes(-1)) {
      const example = own.map((size) => (size === -1 ? 16 : size)).join(",");
      const message = `input '${name}' has the shape [${shape.join(", ")}]: say what is open, such as --shape ${name}=${example}`;
      throw new InvalidArgumentError(message, { path: "--shape" });
    }
  } else if (given.length !== own.length || own.some((size, i) => size !== -1 && size !== given[i])) {
    const message = `[${given.join(", ")}] does not fit [${own.join(", ")}] of input '${name}' (without rows)`;
    throw new InvalidArgumentError(message, { path: "--shape" });
  }
  return isBatched ? [rows, ...(given ?? own)] : [...(given ?? own)];
}

async function tensorsOfFile(input: TensorMetadata, shape: readonly number[], file: string): Promise<RawTensor[]> {
  const { name, datatype } = input;
  if (datatype === "BYTES") {
    throw new InvalidArgumentError(`input '${name}' is text or bytes, which no file gives`, { path: "--input" });
  }
  let bytes: Uint8Array = await readFile(file).catch((error: unknown) => {
    throw fileError(file, error);
  });
  if (isNpy(bytes as Buffer)) {
    const array = readNpy(bytes as Buffer, file);
    if (array.datatype !== datatype && !(array.datatype === "UINT16" && datatype === "BF16")) {
      throw new InvalidArgumentError(`is ${array.datatype}, but input '${name}' is ${datatype}`, { path: file });
    }
    refuseRows(input, shape, array, file);
    bytes = array.bytes;
  }
  const size = elementCount(shape) * DATATYPES[datatype].bytes;
  if (bytes.byteLength === 0 || bytes.byteLength % size !== 0) {
    const message = `has ${bytes.byteLength} bytes, a step of '${name}' takes ${size}: expected that, or a multiple of it`;
    throw new InvalidArgumentError(message, { path: file });
  }
  const steps = Math.max(1, Math.floor(Math.min(bytes.byteLength, MOST_BYTES) / size));
  return Array.from({ length: steps }, (_, i) => ({
    datatype,
    shape,
    data: typedArrayOver(datatype, bytes.subarray(i * size, (i + 1) * size)),
  }));
}

/** No row of an array may be spread over two steps: a row is a step or one of its rows. An array of one axis has no rows. */
function refuseRows({ name, shape }: TensorMetadata, step: readonly number[], array: NpyArray, file: string): void {
  if (array.shape.length <= 1) return;
  const elements = elementCount(step);
  const own = elementCount(array.shape.slice(1));
  const row = shape[0] === -1 ? elementCount(step.slice(1)) : elements;
  const isWhole = elementCount(array.shape) === elements;
  if (own === elements || isWhole || (own === row && elementCount(array.shape) % elements === 0)) return;
  const message = `has the shape [${array.shape.join(", ")}], a step of '${name}' is [${step.join(", ")}]: expected one step in each row`;
  throw new InvalidArgumentError(message, { path: file });
}

function randomTensors({ datatype }: TensorMetadata, shape: readonly number[], random: Random): RawTensor[] {
  const count = elementCount(shape);
  if (datatype === "BYTES") {
    return Array.from({ length: RANDOM_STEPS }, () => ({
      datatype,
      shape,
      data: Array.from({ length: count }, () => Buffer.from(random.word(16))),
    }));
  }
  const steps = Math.max(1, Math.min(RANDOM_STEPS, Math.floor(MOST_BYTES / (count * DATATYPES[datatype].bytes))));
  return Array.from({ length: steps }, () => ({ datatype, shape, data: randomArray(datatype, count, random) }));
}

/** Quiet noise, which saturates no recurrent state and is no silence either; integers small enough for any vocabulary. */
function randomArray(datatype: FixedDatatype, count: number, random: Random): TypedArray {
  const noise = (): number => random.float(-0.1, 0.1);
  const small = (): number => random.integer(0, 99);
  switch (datatype) {
    case "FP32":
      return Float32Array.from({ length: count }, noise);
    case "FP64":
      return Float64Array.from({ length: count }, noise);
    case "FP16":
      return Uint16Array.from({ length: count }, () => toHalf(noise()));
    case "BF16":
      return Uint16Array.from({ length: count }, () => toBfloat(noise()));
    case "INT64":
      return BigInt64Array.from({ length: count }, () => BigInt(small()));
    case "UINT64":
      return BigUint64Array.from({ length: count }, () => BigInt(small()));
    case "BOOL":
      return Uint8Array.from({ length: count }, () => random.integer(0, 1));
    default:
      return new DATATYPES[datatype].array(count).map(small);
  }
}
