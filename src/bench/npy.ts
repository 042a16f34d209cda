/** Arrays as NumPy saves them (.npy, versions 1 to 3): little-endian, in C order. */
import { DATATYPES, elementCount, type FixedDatatype } from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";

export interface NpyArray {
  readonly datatype: FixedDatatype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

const MAGIC = Buffer.from("\x93NUMPY", "latin1");

const DESCRIPTORS: Readonly<Record<string, FixedDatatype>> = {
  "|b1": "BOOL",
  "|i1": "INT8",
  "|u1": "UINT8",
  "<i2": "INT16",
  "<u2": "UINT16",
  "<i4": "INT32",
  "<u4": "UINT32",
  "<i8": "INT64",
  "<u8": "UINT64",
  "<f2": "FP16",
  "<f4": "FP32",
  "<f8": "FP64",
};

export function isNpy(file: Buffer): boolean {
  return file.subarray(0, MAGIC.length).equals(MAGIC);
}

/** @throws INVALID_ARGUMENT with the file's name where it is of another form. */
export function readNpy(file: Buffer, name: string): NpyArray {
  const isLong = (file[MAGIC.length] ?? 0) >= 2;
  const start = MAGIC.length + 2 + (isLong ? 4 : 2);
  if (file.length < start) throw new InvalidArgumentError("ends within its header", { path: name });
  const length = isLong ? file.readUInt32LE(MAGIC.length + 2) : file.readUInt16LE(MAGIC.length + 2);
  const header = file.toString("latin1", start, start + length);
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? "";
  const datatype = DESCRIPTORS[descr];
  if (datatype === undefined) {
    const known = Object.keys(DESCRIPTORS).join(", ");
    throw new InvalidArgumentError(`expected a dtype of ${known}, got '${descr}'`, { path: name });
  }
  if (/'fortran_order':\s*True/.test(header)) {
    throw new InvalidArgumentError("is in Fortran order; save numpy.ascontiguousarray(…)", { path: name });
  }
  const shape = (/'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? "").split(",").flatMap((part) => {
    return part.trim() === "" ? [] : [Number(part)];
  });
  const bytes = file.subarray(start + length);
  const expected = elementCount(shape) * DATATYPES[datatype].bytes;
  if (bytes.byteLength === expected) return { datatype, shape, bytes };
  const message = `has ${bytes.byteLength} bytes of data, its shape [${shape.join(", ")}] takes ${expected}`;
  throw new InvalidArgumentError(message, { path: name });
}
