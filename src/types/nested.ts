import { DATATYPES, type Datatype, elementCount } from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";
import { describe, expected, typedArrayName } from "./describe.js";
import { ELEMENTS, type Stored } from "./element.js";
import { shapeText } from "./shape.js";
import { attachShape, type TensorValue } from "./tensor-value.js";
import type { Json, JsonSchema } from "./value-type.js";

type Level = ArrayLike<unknown>;

/** Typed arrays hold numbers or bigints, and TypeScript has no type for "whatever the codec of the datatype gives". */
type Sink = { [index: number]: Stored };

/** The name of the array class that carries a datatype, undefined for BYTES. */
export function arrayNameOf(datatype: Datatype): string | undefined {
  return datatype === "BYTES" ? undefined : DATATYPES[datatype].array.name;
}

/** An array for `count` elements, all zero. */
export function allocate<D extends Datatype>(datatype: D, shape: readonly number[]): TensorValue<D> {
  const count = elementCount(shape);
  const fixed: Datatype = datatype;
  const data = fixed === "BYTES" ? new Array<Uint8Array>(count) : new DATATYPES[fixed].array(count);
  return attachShape(data, Object.freeze([...shape])) as TensorValue<D>;
}

/**
 * The tensor of arrays nested by shape. With a leading -1, the batch axis, they may have one level less and are one row.
 * Memory is taken only once every level has been found to fit.
 *
 * @throws InvalidArgumentError that names the level or element that does not fit, such as `inputs.audio[0][17]`.
 */
export function parseNested<D extends Datatype>(
  value: unknown,
  datatype: D,
  declared: readonly number[],
  path: string,
): TensorValue<D> {
  const depth = depthOf(value, datatype, declared.length);
  const isRow = depth === declared.length - 1 && declared[0] === -1;
  const wanted = sizes(value, isRow ? declared.slice(1) : declared);
  checkLevels(value, datatype, wanted, 0, declared, path);
  const result = allocate(datatype, isRow ? [1, ...wanted] : wanted);
  fill(value, datatype, wanted.length, result as unknown as Sink, 0, path);
  return result;
}

function isLevel(value: unknown, datatype: Datatype): value is Level {
  if (Array.isArray(value)) return true;
  const name = typedArrayName(value);
  return name !== undefined && name === arrayNameOf(datatype);
}

/** How many levels of arrays there are, following the first element of each; at most `limit`. */
function depthOf(value: unknown, datatype: Datatype, limit: number): number {
  let level = value;
  let depth = 0;
  for (; depth < limit && isLevel(level, datatype); depth++) level = level[0];
  return depth;
}

/** The declared dimensions with the free ones measured, again along the first elements. */
function sizes(value: unknown, declared: readonly number[]): number[] {
  let level = value as Level | undefined;
  return declared.map((dimension) => {
    const size = dimension === -1 ? (level?.length ?? 0) : dimension;
    level = level?.[0] as Level | undefined;
    return size;
  });
}

function checkLevels(
  level: unknown,
  datatype: Datatype,
  wanted: readonly number[],
  axis: number,
  declared: readonly number[],
  path: string,
): void {
  const size = wanted[axis];
  if (size === undefined) return;
  const isInnermost = axis === wanted.length - 1;
  if (!isLevel(level, datatype) || (!isInnermost && !Array.isArray(level))) {
    const what = axis === 0 ? `arrays nested as ${shapeText(declared)}` : `an array of ${size}`;
    throw expected(what, level, path);
  }
  if (level.length !== size) {
    const what = `expected ${size} elements for the shape ${shapeText(declared)}, got ${level.length}`;
    throw new InvalidArgumentError(what, { path });
  }
  if (isInnermost) return;
  for (let i = 0; i < size; i++) checkLevels(level[i], datatype, wanted, axis + 1, declared, `${path}[${i}]`);
}

/** Stores the elements below `level` from `offset` on; gives the offset after them. */
function fill(value: unknown, datatype: Datatype, levels: number, sink: Sink, offset: number, path: string): number {
  if (levels === 0) {
    sink[offset] = stored(value, datatype, path);
    return offset + 1;
  }
  const level = value as Level;
  let next = offset;
  if (levels > 1) {
    for (let i = 0; i < level.length; i++) next = fill(level[i], datatype, levels - 1, sink, next, `${path}[${i}]`);
    return next;
  }
  // The innermost level has the many elements: paths are made only for the one that does not fit, and a typed array
  // holds what is stored already.
  const { parse } = ELEMENTS[datatype];
  const isStored = ArrayBuffer.isView(level);
  for (let i = 0; i < level.length; i++) {
    const element = isStored ? (level[i] as Stored) : parse(level[i]);
    sink[next++] = element ?? stored(level[i], datatype, `${path}[${i}]`);
  }
  return next;
}

function stored(value: unknown, datatype: Datatype, path: string): Stored {
  const element = ELEMENTS[datatype].parse(value);
  if (element === undefined) {
    throw new InvalidArgumentError(`expected ${ELEMENTS[datatype].expected}, got ${describe(value)}`, { path });
  }
  return element;
}

/** A tensor as JSON arrays nested by its shape; a bare element for the shape `[]`. */
export function nest(value: TensorValue<Datatype>, datatype: Datatype): Json {
  const { toJson } = ELEMENTS[datatype];
  const { shape } = value;
  let offset = 0;
  const level = (axis: number): Json => {
    const size = shape[axis];
    if (size === undefined) return toJson(value[offset++] as Stored);
    return Array.from({ length: size }, () => level(axis + 1));
  };
  return level(0);
}

/** The schema of what `parseNested` reads: with a batch axis the rows, or one row. */
export function nestedSchema(datatype: Datatype, declared: readonly number[]): JsonSchema {
  const levels = (shape: readonly number[]) =>
    shape.reduceRight<JsonSchema>(
      (items, size) => ({ type: "array", items, ...(size === -1 ? {} : { minItems: size, maxItems: size }) }),
      ELEMENTS[datatype].schema,
    );
  if (declared[0] !== -1) return levels(declared);
  // An empty array says nothing of its rows, and is taken for one row.
  const rows = declared.length > 1 ? { ...levels(declared), minItems: 1 } : levels(declared);
  return { anyOf: [rows, levels(declared.slice(1))] };
}
