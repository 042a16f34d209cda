import { type ArrayOf, type Datatype, elementCount, type FixedDatatype, type TypedArray } from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";
import { shapeText } from "./shape.js";

/** Row-major elements that carry their shape. */
export interface Shaped {
  /** The dimensions, outermost first; none is free any more. Frozen. */
  readonly shape: readonly number[];
}

/**
 * The value of a tensor: the typed array of its datatype with a read-only `shape`. FP16 and BF16 are 16-bit patterns in
 * a Uint16Array, BOOL is a Uint8Array of 0 and 1, and BYTES an array of byte strings.
 */
export type TensorValue<D extends Datatype> = D extends FixedDatatype
  ? ArrayOf<D> & Shaped
  : readonly Uint8Array[] & Shaped;

/** The typed array over any buffer, where `ArrayOf` names one over an ArrayBuffer. */
export type AnyBuffer<A> = A extends Float32Array
  ? Float32Array
  : A extends Float64Array
    ? Float64Array
    : A extends BigInt64Array
      ? BigInt64Array
      : A extends BigUint64Array
        ? BigUint64Array
        : A extends Int8Array
          ? Int8Array
          : A extends Int16Array
            ? Int16Array
            : A extends Int32Array
              ? Int32Array
              : A extends Uint8Array
                ? Uint8Array
                : A extends Uint16Array
                  ? Uint16Array
                  : Uint32Array;

/** The typed array that a tensor of datatype `D` accepts, over any buffer. */
export type InputArrayOf<D extends Datatype> = D extends FixedDatatype ? AnyBuffer<ArrayOf<D>> : never;

/** One element of a plain array, as JavaScript or JSON has it. */
export type ElementOf<D extends Datatype> = D extends "BOOL"
  ? boolean | number
  : D extends "BYTES"
    ? string | Uint8Array | { readonly base64: string }
    : D extends "INT64" | "UINT64"
      ? bigint | number | string
      : D extends "FP16" | "FP32" | "FP64" | "BF16"
        ? number | "NaN" | "Infinity" | "-Infinity"
        : number;

/** Arrays in arrays, to any depth: `[[1, 2], [3, 4]]`. Where they stand for a tensor their depth is the number of dimensions. */
export type NestedArray<E> = readonly (E | NestedArray<E>)[];

/**
 * What a tensor of datatype `D` accepts: its typed array, with or without a shape, or arrays nested by shape, the
 * innermost of which may be typed.
 */
export type TensorInput<D extends Datatype> = InputArrayOf<D> | NestedArray<ElementOf<D> | InputArrayOf<D>>;

/**
 * Elements with their shape, as a tensor's value. The array itself gets a read-only, non-enumerable `shape`; one that
 * already carries another shape is left alone, and the result is a second view over the same memory.
 *
 * ```ts
 * const rows = tensor(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
 * rows.shape; // [2, 3]
 * rows.length; // 6
 * ```
 *
 * @param data Row-major elements: a typed array, or byte strings for BYTES. Not copied.
 * @param shape The dimensions, outermost first, none of them free.
 * @throws InvalidArgumentError when the number of elements is not that of the shape.
 */
export function tensor<A extends TypedArray | readonly Uint8Array[]>(data: A, shape: readonly number[]): A & Shaped {
  shape.forEach((dimension, axis) => {
    if (Number.isSafeInteger(dimension) && dimension >= 0) return;
    throw new InvalidArgumentError(`expected a size, got ${String(dimension)}`, { path: `shape[${axis}]` });
  });
  if (elementCount(shape) !== data.length) {
    const needs = `${shapeText(shape)} has ${elementCount(shape)} elements`;
    throw new InvalidArgumentError(`${needs}, the data ${data.length}`, { path: "shape" });
  }
  const carried = carriedShape(data);
  if (carried === undefined && Object.isExtensible(data)) return attachShape(data, Object.freeze([...shape]));
  if (carried !== undefined && shapeText(carried) === shapeText(shape)) return data as A & Shaped;
  return withShape(data, shape);
}

/** The shape that an array carries, if it carries one. */
export function carriedShape(data: object): readonly number[] | undefined {
  const shape: unknown = (data as Partial<Shaped>).shape;
  return Array.isArray(shape) ? shape : undefined;
}

/** A new view of that shape over the same memory, so that the array of the caller's stays as it is. Checks nothing. */
export function withShape<A extends TypedArray | readonly Uint8Array[]>(data: A, shape: readonly number[]): A & Shaped {
  const view = ArrayBuffer.isView(data) ? data.subarray() : data.slice();
  return attachShape(view as A, Object.isFrozen(shape) ? shape : Object.freeze([...shape]));
}

/** For arrays of our own: gives the array itself its shape. Checks nothing. */
export function attachShape<A extends object>(data: A, shape: readonly number[]): A & Shaped {
  return Object.defineProperty(data, "shape", { value: shape }) as A & Shaped;
}

/**
 * A copy of a value that shares no memory with it, down to the last element of a list or record. Unlike `structuredClone`
 * it keeps the shape of every tensor.
 *
 * ```ts
 * const state = { last: tensor(Float32Array.of(1, 2), [1, 2]) };
 * const copy = copyValue(state) as typeof state;
 * copy.last.shape; // [1, 2]
 * copy.last.buffer === state.last.buffer; // false
 * ```
 */
export function copyValue(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const isElements = (ArrayBuffer.isView(value) && !(value instanceof DataView)) || Array.isArray(value);
  if (!isElements) return isPlain(value) ? copyRecord(value) : structuredClone(value);
  const copy: object = Array.isArray(value) ? value.map(copyValue) : sliceElements.call(value);
  const shape = carriedShape(value);
  return shape === undefined ? copy : attachShape(copy, shape);
}

/** That of all typed arrays. A Buffer has a `slice` of its own, which copies nothing. */
const sliceElements: (this: unknown) => object = Uint8Array.prototype.slice;

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** States are copied with every step, and most of their values are no objects. */
function copyRecord(record: object): object {
  const copy: Record<string, unknown> = { ...record };
  for (const name in copy) {
    const value = copy[name];
    if (typeof value === "object") copy[name] = copyValue(value);
  }
  return copy;
}
