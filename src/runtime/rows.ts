/** Cutting a batched tensor into rows, and putting rows together: only where the batch axis is not the first is there work. */
import { DATATYPES, elementCount, type FixedDatatype, type RawTensor, typedArrayOver } from "../datatype.js";
import type { TensorDescription } from "../engine/surface.js";
import { bug, InvalidArgumentError } from "../errors.js";

/** The dimensions without the batch axis. */
export function withoutAxis(shape: readonly number[], axis: number): number[] {
  return axis < 0 ? [...shape] : shape.filter((_, i) => i !== axis);
}

/** A row's shape with the batch axis put back as 1. */
export function shapeOfOne(rowShape: readonly number[], batchAxis: number): readonly number[] {
  return batchAxis < 0 ? rowShape : [...rowShape.slice(0, batchAxis), 1, ...rowShape.slice(batchAxis)];
}

/** A tensor's V2 shape: its row's, with the batch axis put back as -1. */
export function withBatch({ rowShape, batchAxis }: Pick<TensorDescription, "rowShape" | "batchAxis">): number[] {
  return batchAxis < 0 ? [...rowShape] : [...rowShape.slice(0, batchAxis), -1, ...rowShape.slice(batchAxis)];
}

/** Runs of `inner` elements, `outer` of them, make one row of `count`. */
function layout(shape: readonly number[], axis: number): { outer: number; inner: number; count: number } {
  if (axis < 0) return { outer: 1, inner: elementCount(shape), count: 1 };
  return {
    outer: elementCount(shape.slice(0, axis)),
    inner: elementCount(shape.slice(axis + 1)),
    count: shape[axis] ?? 1,
  };
}

/** How many rows: the size of the batch axis, 1 without one. */
export function rowCount(shape: readonly number[], axis: number): number {
  return axis < 0 ? 1 : (shape[axis] ?? 1);
}

/**
 * Refuses a number of rows that cannot be stepped: none, other than the other inputs have, or several for one stream.
 * @param stream What the step belongs to, for the message, such as "a state id"; undefined: nothing, several rows are fine.
 */
export function checkRows(count: number, others: number | undefined, stream: string | undefined, path: string): void {
  if (count === 0) throw new InvalidArgumentError("has no rows; send at least one", { path });
  if (others !== undefined && count !== others) {
    throw new InvalidArgumentError(`has ${count} rows, other inputs have ${others}`, { path });
  }
  if (stream !== undefined && count !== 1) {
    throw new InvalidArgumentError(`has ${count} rows; a step of ${stream} is one row`, { path });
  }
}

/** The bytes of row `row` of a batched tensor: a view where the batch axis is first, else a copy. */
export function rowBytes(
  bytes: Uint8Array,
  datatype: FixedDatatype,
  shape: readonly number[],
  axis: number,
  row: number,
): Uint8Array {
  const { outer, inner, count } = layout(shape, axis);
  const width = inner * DATATYPES[datatype].bytes;
  if (outer === 1) return bytes.subarray(row * width, (row + 1) * width);
  const result = new Uint8Array(outer * width);
  for (let piece = 0; piece < outer; ++piece) {
    const from = (piece * count + row) * width;
    result.set(bytes.subarray(from, from + width), piece * width);
  }
  return result;
}

/** The strings of row `row`. */
export function rowStrings(
  strings: readonly Uint8Array[],
  shape: readonly number[],
  axis: number,
  row: number,
): Uint8Array[] {
  const { outer, inner, count } = layout(shape, axis);
  const result: Uint8Array[] = [];
  for (let piece = 0; piece < outer; ++piece) {
    const from = (piece * count + row) * inner;
    result.push(...strings.slice(from, from + inner));
  }
  return result;
}

/** One output of one row. */
export type RowOutput = { shape: readonly number[]; bytes?: Uint8Array; strings?: readonly Uint8Array[] };

/** Rows of one output as one tensor with the batch axis put back. Copies, so that nothing of the engine's memory stays in use. */
export function joinRows(
  datatype: RawTensor["datatype"],
  rows: readonly RowOutput[],
  axis: number,
  name: string,
): RawTensor {
  const [first] = rows;
  if (first === undefined) throw bug("an output without rows was joined");
  for (const { shape } of rows) {
    if (shape.join() !== first.shape.join()) {
      throw new InvalidArgumentError(
        `output '${name}' has shape [${first.shape}] for one row and [${shape}] for another, which no tensor can hold; send the rows one by one`,
      );
    }
  }
  const shape = [...first.shape];
  if (axis >= 0) shape.splice(axis, 0, rows.length);
  const { outer, inner } = layout(shape, axis);
  if (datatype === "BYTES") return { datatype, shape, data: interleave(rows, outer, inner) };
  const width = inner * DATATYPES[datatype].bytes;
  const joined = new Uint8Array(rows.length * outer * width);
  rows.forEach(({ bytes }, row) => {
    if (bytes === undefined) throw bug("an output of numbers came as strings");
    for (let piece = 0; piece < outer; ++piece) {
      joined.set(bytes.subarray(piece * width, (piece + 1) * width), (piece * rows.length + row) * width);
    }
  });
  return { datatype, shape, data: typedArrayOver(datatype, joined) };
}

function interleave(rows: readonly RowOutput[], outer: number, inner: number): Uint8Array[] {
  const strings: Uint8Array[] = [];
  for (let piece = 0; piece < outer; ++piece) {
    for (const row of rows) strings.push(...(row.strings ?? []).slice(piece * inner, (piece + 1) * inner));
  }
  return strings;
}
