/**
 * Bodies that are the bytes of one tensor and nothing else: `Inference-Header-Content-Length: 0` over HTTP, and raw
 * streams. What such a body cannot say about itself, the connection says.
 */
import { DATATYPES, elementCount, type FixedDatatype, type RawTensor } from "../datatype.js";
import { fail } from "./check.js";
import { binaryOf, decodedInput, joinBytes } from "./tensor.js";
import type { DecodedInput, DecodedRequest, TensorMetadata } from "./v2.js";

export interface RawContext {
  /** Canonical, as `canonicalSequenceId` returns it. */
  readonly sequenceId?: string | undefined;
  readonly sequenceStart?: boolean;
  readonly sequenceEnd?: boolean;
}

/**
 * A request that is the bytes of the model's single input: batch 1, all outputs, all binary. One further open dimension
 * follows from the length. A BYTES input is one element, without its length before it.
 *
 * @param body Viewed, not copied.
 * @param input The model's input; a leading -1 is the batch.
 * @throws InvalidArgumentError when the bytes are not exactly one row.
 */
export function decodeRawInfer(body: Uint8Array, input: TensorMetadata, context: RawContext = {}): DecodedRequest {
  return {
    id: undefined,
    sequenceId: context.sequenceId,
    sequenceStart: context.sequenceStart ?? false,
    sequenceEnd: context.sequenceEnd ?? false,
    priority: undefined,
    timeoutMicros: undefined,
    inputs: [rawInput(body, input)],
    outputs: undefined,
    binaryOutputDefault: true,
  };
}

function rawInput(body: Uint8Array, input: TensorMetadata): DecodedInput {
  const { name, datatype } = input;
  const row = input.shape.map((dimension, axis) => (axis === 0 && dimension === -1 ? 1 : dimension));
  if (datatype === "BYTES") {
    const shape = row.map((dimension) => (dimension === -1 ? 1 : dimension));
    if (elementCount(shape) !== 1)
      fail("body", `a raw body is one element, input "${name}" has ${elementCount(shape)}`);
    return { name, datatype, shape, byteStrings: [body] };
  }
  const shape = closeShape(row, datatype, body.byteLength);
  if (shape === undefined) {
    const type = `${datatype} [${input.shape.join(", ")}]`;
    return fail("body", `${body.byteLength} raw bytes are not one row of input "${name}", ${type}`);
  }
  return decodedInput({ name, datatype, shape, count: elementCount(shape) }, body, "inputs", 0);
}

/** The shape with its one open dimension filled in so that it takes exactly `byteLength` bytes, if that can be. */
function closeShape(row: readonly number[], datatype: FixedDatatype, byteLength: number): number[] | undefined {
  const bytes = DATATYPES[datatype].bytes;
  const open = row.indexOf(-1);
  const known = row.reduce((product, dimension, axis) => (axis === open ? product : product * dimension), bytes);
  const shape = open === -1 ? [...row] : row.with(open, byteLength / known);
  const isWhole = shape.every((dimension) => Number.isSafeInteger(dimension) && dimension >= 0);
  return isWhole && elementCount(shape) * bytes === byteLength ? shape : undefined;
}

/** An answer of a raw stream: the outputs' binary forms back to back, in the order of the model's outputs. */
export function encodeRawAnswer(outputs: readonly RawTensor[]): Uint8Array {
  const parts = outputs.map(binaryOf);
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  return joinBytes(
    parts,
    parts.reduce((sum, part) => sum + part.byteLength, 0),
  );
}
