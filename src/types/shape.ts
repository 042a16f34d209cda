import { type Datatype, elementCount, type RawTensor } from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";

/** A shape in a message: `[-1,512]`. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(",")}]`;
}

/**
 * A frozen copy of a declared shape.
 *
 * @throws InvalidArgumentError unless every dimension is a whole number, or -1 for a free one.
 */
export function declaredShape(shape: readonly number[], path: string): readonly number[] {
  if (!Array.isArray(shape)) throw new InvalidArgumentError("expected an array of dimensions", { path });
  shape.forEach((dimension, axis) => {
    if (Number.isSafeInteger(dimension) && dimension >= -1) return;
    const message = `expected a whole number, or -1 for a free dimension, got ${String(dimension)}`;
    throw new InvalidArgumentError(message, { path: `${path}[${axis}]` });
  });
  return Object.freeze([...shape]);
}

/**
 * Whether an actual shape is one of the declared ones: of the same rank, equal where the declared one is not free, and a
 * size where it is. Two negative sizes would multiply to a plausible number of elements, and it is memory they index.
 */
export function matches(actual: readonly number[], declared: readonly number[]): boolean {
  if (actual.length !== declared.length) return false;
  // A loop, because every step of every stream comes by here.
  for (let axis = 0; axis < declared.length; axis++) {
    const size = actual[axis] ?? -1;
    if (declared[axis] === -1 ? !(Number.isSafeInteger(size) && size >= 0) : declared[axis] !== size) return false;
  }
  return true;
}

/** @throws InvalidArgumentError unless a V2 tensor has that datatype, one of the declared shapes, and as many elements. */
export function checkTensor(tensor: RawTensor, datatype: Datatype, declared: readonly number[], path: string): void {
  if (tensor.datatype !== datatype) {
    throw new InvalidArgumentError(`expected datatype ${datatype}, got ${tensor.datatype}`, { path });
  }
  if (!matches(tensor.shape, declared)) {
    const got = shapeText(tensor.shape);
    throw new InvalidArgumentError(`expected the shape ${shapeText(declared)}, got ${got}`, { path });
  }
  if (elementCount(tensor.shape) !== tensor.data.length) {
    const has = `${shapeText(tensor.shape)} has ${elementCount(tensor.shape)} elements`;
    throw new InvalidArgumentError(`${has}, the data ${tensor.data.length}`, { path });
  }
}

/** Whether two declared shapes have a common one. */
export function compatible(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === -1 || b[axis] === -1 || b[axis] === size);
}

/**
 * The shape of `count` elements that came without one, undefined when none or more than one fits. One free dimension is
 * computed. With a second one a leading -1, the batch axis, counts as one row. No elements are no row: an empty array has to
 * say its shape.
 */
export function inferShape(declared: readonly number[], count: number): readonly number[] | undefined {
  const free = declared.filter((dimension) => dimension === -1).length;
  if (free === 2 && declared[0] === -1) {
    const row = inferShape(declared.slice(1), count);
    return row && Object.freeze([1, ...row]);
  }
  if (free === 0) return elementCount(declared) === count ? declared : undefined;
  const known = Math.abs(elementCount(declared));
  if (free > 1 || count === 0 || count % known !== 0) return undefined;
  return Object.freeze(declared.map((dimension) => (dimension === -1 ? count / known : dimension)));
}
