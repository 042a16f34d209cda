/**
 * The element types of tensors, by their V2 names (Open Inference Protocol, "Tensor Data Types"), and the JavaScript
 * arrays that carry them. A leaf that everything may import, like errors.ts.
 */
export const DATATYPES = {
  BOOL: { bytes: 1, array: Uint8Array },
  UINT8: { bytes: 1, array: Uint8Array },
  UINT16: { bytes: 2, array: Uint16Array },
  UINT32: { bytes: 4, array: Uint32Array },
  UINT64: { bytes: 8, array: BigUint64Array },
  INT8: { bytes: 1, array: Int8Array },
  INT16: { bytes: 2, array: Int16Array },
  INT32: { bytes: 4, array: Int32Array },
  INT64: { bytes: 8, array: BigInt64Array },
  /** Carried as its 16 bits: JavaScript on Node 20 has no half float. */
  FP16: { bytes: 2, array: Uint16Array },
  FP32: { bytes: 4, array: Float32Array },
  FP64: { bytes: 8, array: Float64Array },
  /** Carried as its 16 bits, the high half of an FP32. */
  BF16: { bytes: 2, array: Uint16Array },
} as const;

/**
 * A V2 datatype whose elements have a fixed size.
 *
 * @useDeclaredType
 */
export type FixedDatatype = keyof typeof DATATYPES;

/** A V2 datatype. An element of BYTES is a byte string of any length. */
export type Datatype = FixedDatatype | "BYTES";

/** The typed array that carries elements of `D`, over any buffer. */
export type ArrayOf<D extends FixedDatatype> = {
  BOOL: Uint8Array;
  UINT8: Uint8Array;
  UINT16: Uint16Array;
  UINT32: Uint32Array;
  UINT64: BigUint64Array;
  INT8: Int8Array;
  INT16: Int16Array;
  INT32: Int32Array;
  INT64: BigInt64Array;
  FP16: Uint16Array;
  FP32: Float32Array;
  FP64: Float64Array;
  BF16: Uint16Array;
}[D];

/** Any typed array that carries elements of a tensor. Float16Array, Uint8ClampedArray and DataView are none of them. */
export type TypedArray = ArrayOf<FixedDatatype>;

/** Row-major elements with their type and shape, as they travel between engine, runtime and wire. */
export type RawTensor =
  | { readonly datatype: FixedDatatype; readonly shape: readonly number[]; readonly data: TypedArray }
  | { readonly datatype: "BYTES"; readonly shape: readonly number[]; readonly data: readonly Uint8Array[] };

export function isDatatype(name: string): name is Datatype {
  return name === "BYTES" || Object.hasOwn(DATATYPES, name);
}

/** The number of elements of a shape: the product of its dimensions, 1 for a scalar's `[]`. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const dimension of shape) count *= dimension;
  return count;
}

/**
 * A typed array of `datatype` over bytes that may start anywhere: a view where the alignment allows, else a copy.
 * The byte length must be a multiple of the element size.
 */
export function typedArrayOver(datatype: FixedDatatype, bytes: Uint8Array): TypedArray {
  const { bytes: size, array } = DATATYPES[datatype];
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new array(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / size);
}

/** The bytes behind a typed array, without copying. */
export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
