/**
 * InferTensorContents: the elements of a tensor as fields of the message, one list for each kind of number. Clients that do not
 * pack raw bytes send these. Floats are read in place; integers are written out one by one.
 */
import { DATATYPES, type Datatype, type FixedDatatype, type TypedArray } from "../../../datatype.js";
import { InvalidArgumentError } from "../../../errors.js";
import type { DecodedInput } from "../../../protocol/index.js";
import { malformed, type ProtoReader, WIRE } from "./reader.js";

/** The number of the field that has the elements of a datatype; the halves of a float are in none. */
const FIELD_OF: Readonly<Record<Datatype, number | undefined>> = {
  BOOL: 1,
  INT8: 2,
  INT16: 2,
  INT32: 2,
  INT64: 3,
  UINT8: 4,
  UINT16: 4,
  UINT32: 4,
  UINT64: 5,
  FP32: 6,
  FP64: 7,
  BYTES: 8,
  FP16: undefined,
  BF16: undefined,
};
/** By the number of the field. */
const NAMES = [undefined, "bool", "int", "int64", "uint", "uint64", "fp32", "fp64", "bytes"];

/** A list in the message: packed, or one element of it. */
interface Piece {
  readonly field: number;
  readonly wire: number;
  readonly at: number;
  readonly end: number;
}

/** The lists as they stand in the message, whose bytes they refer to. */
export class Contents {
  private readonly pieces: Piece[] = [];

  private constructor(private readonly reader: ProtoReader) {}

  /** Reads the message that the reader is at. */
  static read(reader: ProtoReader): Contents {
    const contents = new Contents(reader);
    reader.message((tag) => {
      const at = reader.at;
      reader.skip(tag);
      // Fields of later versions of the protocol are passed over, as Protocol Buffers have it.
      if (NAMES[tag >>> 3] === undefined) return;
      contents.pieces.push({ field: tag >>> 3, wire: tag & 7, at, end: reader.at });
    });
    return contents;
  }

  /** The input of these elements. Throws INVALID_ARGUMENT unless they are of the datatype, and as many as the shape says. */
  input(name: string, datatype: Datatype, shape: readonly number[], count: number, path: string): DecodedInput {
    const field = FIELD_OF[datatype];
    if (field === undefined) {
      throw new InvalidArgumentError(`${datatype} has no contents of its own; send it in raw_input_contents`, { path });
    }
    const other = this.pieces.find((piece) => piece.field !== field);
    if (other !== undefined) {
      const message = `elements of ${datatype} are in ${NAMES[field]}_contents, not in ${NAMES[other.field]}_contents`;
      throw new InvalidArgumentError(message, { path: `${path}.contents` });
    }
    if (datatype === "BYTES") return { name, datatype, shape, byteStrings: this.strings(count, path) };
    const isInPlace = datatype === "FP32" || datatype === "FP64";
    return {
      name,
      datatype,
      shape,
      bytes: isInPlace ? this.floats(datatype, count, path) : this.integers(datatype, count, path),
    };
  }

  private strings(count: number, path: string): Uint8Array[] {
    const { reader } = this;
    const strings = this.pieces.map((piece) => {
      if (piece.wire !== WIRE.BYTES) throw malformed("bytes_contents of another kind");
      reader.at = piece.at;
      return reader.view();
    });
    checkCount(strings.length, count, path);
    return strings;
  }

  private floats(datatype: "FP32" | "FP64", count: number, path: string): Uint8Array {
    const size = DATATYPES[datatype].bytes;
    const single = datatype === "FP32" ? WIRE.FIXED32 : WIRE.FIXED64;
    const { reader } = this;
    const parts = this.pieces.map(({ wire, at, end }) => {
      if (wire === single) return reader.bytes.subarray(at, end);
      if (wire !== WIRE.BYTES) throw malformed("floats of another kind");
      reader.at = at;
      return reader.view();
    });
    const [only] = parts;
    const bytes = only !== undefined && parts.length === 1 ? only : Buffer.concat(parts);
    checkCount(bytes.length / size, count, path);
    return bytes;
  }

  private integers(datatype: Exclude<FixedDatatype, "FP32" | "FP64">, count: number, path: string): Uint8Array {
    // No element is less than a byte: first of all, so that a lie about the shape allocates nothing.
    const most = this.pieces.reduce((sum, { at, end }) => sum + end - at, 0);
    if (count > most) checkCount(Math.min(most, count - 1), count, path);
    const array = new DATATYPES[datatype].array(count);
    const put = putInto(array, datatype, path);
    const { reader } = this;
    let index = 0;
    for (const { wire, at, end } of this.pieces) {
      reader.at = at;
      if (wire !== WIRE.BYTES && wire !== WIRE.VARINT) throw malformed("integers of another kind");
      if (wire === WIRE.BYTES) reader.delimited();
      reader.upTo(end, () => {
        if (index === count)
          throw new InvalidArgumentError(`has more than ${count} elements`, { path: `${path}.contents` });
        put(index++, reader);
      });
    }
    checkCount(index, count, path);
    return new Uint8Array(array.buffer);
  }
}

function checkCount(found: number, count: number, path: string): void {
  if (found === count) return;
  throw new InvalidArgumentError(`has ${found} elements, the shape says ${count}`, { path: `${path}.contents` });
}

/** Reads one element into its place. */
function putInto(
  array: TypedArray,
  datatype: FixedDatatype,
  path: string,
): (index: number, reader: ProtoReader) => void {
  if (array instanceof BigInt64Array || array instanceof BigUint64Array) {
    return (index, reader) => {
      array[index] = reader.uint64();
    };
  }
  return (index, reader) => {
    const value = datatype === "BOOL" ? Number(reader.varint() !== 0) : reader.int64Number();
    array[index] = value;
    // The array itself knows its range: what does not come back as it went in did not fit.
    if (array[index] === value) return;
    throw new InvalidArgumentError(`${value} is no ${datatype}`, { path: `${path}.contents[${index}]` });
  };
}
