/**
 * JSON of V2 to and from tensors, by the addon: the bytes of a body are looked at once, and no JavaScript array comes
 * between them and the engine.
 */
import { DATATYPES, type RawTensor } from "../datatype.js";
import { HeadraceError, InvalidArgumentError } from "../errors.js";
import { addon } from "./load.js";
import { JSON_DATATYPES, JsonStatus, type NativeJson } from "./surface.js";

/** Characters of an element and a comma, at most, as native/json/datatype.h has them for the longest datatype. */
const MOST_CHARACTERS = 26;
/** Of a character in a string: as \u0000. */
const MOST_CHARACTERS_OF_A_BYTE = 6;
/** Texts up to this size are written into memory that is used again. */
const KEPT_BYTES = 256 << 10;
/** The longest string of JavaScript has half a gigabyte. */
const MOST_BYTES = 2 ** 29;

/** Reads one request at a time: what is said of the last one is true until the next. */
export class JsonReader {
  private readonly native: NativeJson = new (addon().NativeJson)();
  private readonly status: Float64Array = this.native.status();
  private shown: Uint8Array = new Uint8Array(0);

  /**
   * Reads the JSON of a request, or of its header. Returns it with the elements of each input, its `data`, replaced by the
   * number of their bytes in `tensors`.
   *
   * @throws InvalidArgumentError where it is no JSON.
   */
  read(json: Uint8Array): string {
    const header = this.native.read(json.buffer as ArrayBuffer, json.byteOffset, json.byteLength);
    if (header === undefined) throw this.problem();
    return header;
  }

  /** How many inputs had their elements in the JSON. */
  get count(): number {
    return this.status[JsonStatus.tensors] ?? 0;
  }

  /** Bytes of all elements. */
  get byteLength(): number {
    return this.status[JsonStatus.bytes] ?? 0;
  }

  /** Memory that begins with the elements of all inputs, back to back, each as in the binary form. */
  get tensors(): Uint8Array {
    if (this.status[JsonStatus.hasMoved] === 1) {
      this.shown = new Uint8Array(this.native.memory());
      this.status[JsonStatus.hasMoved] = 0;
    }
    return this.shown;
  }

  /** Throws InvalidArgumentError, with the path, where elements do not fit the datatype or the shape of their input. */
  checkElements(): void {
    if (this.status[JsonStatus.hasProblem] === 1) throw this.problem();
  }

  private problem(): InvalidArgumentError {
    const [path, message] = this.native.problem();
    return new InvalidArgumentError(message, { path: path === "" ? "body" : path });
  }
}

let writer: NativeJson | undefined;
let kept = new Uint8Array(0);

/**
 * A tensor's elements as a flat JSON array: each the shortest text that is read as the same element; NaN and the infinities
 * as the tokens NaN, Infinity and -Infinity, as Triton writes them.
 *
 * @param path What the tensor is, for the error.
 * @throws InvalidArgumentError where BYTES are not UTF-8.
 */
export function jsonText(tensor: RawTensor, path: string): string {
  writer ??= new (addon().NativeJson)();
  const out = roomFor(2 + mostCharacters(tensor));
  if (tensor.datatype === "BYTES") {
    const end = writer.writeStrings(tensor.data, out.buffer as ArrayBuffer, 0);
    if (end < 0) throw new InvalidArgumentError("not UTF-8", { path: `${path} as JSON` });
    return Buffer.from(out.buffer, 0, end).toString("utf8");
  }
  const { datatype, data } = tensor;
  const end = writer.write(
    JSON_DATATYPES[datatype],
    data.buffer as ArrayBuffer,
    data.byteOffset,
    data.length,
    out.buffer as ArrayBuffer,
    0,
  );
  return Buffer.from(out.buffer, 0, end).toString("latin1");
}

function mostCharacters(tensor: RawTensor): number {
  if (tensor.datatype !== "BYTES") return tensor.data.length * MOST_CHARACTERS;
  return tensor.data.reduce((sum, bytes) => sum + 3 + MOST_CHARACTERS_OF_A_BYTE * bytes.byteLength, 0);
}

function roomFor(bytes: number): Uint8Array {
  if (bytes > MOST_BYTES) {
    throw new HeadraceError("PAYLOAD_TOO_LARGE", "an output is too large for JSON; ask for it in binary");
  }
  if (bytes > KEPT_BYTES) return new Uint8Array(bytes);
  if (kept.byteLength < bytes) kept = new Uint8Array(KEPT_BYTES);
  return kept;
}

/** The numbers of one output's row, for an answer that is otherwise the same every time: no tensor is made for it. */
export class RowWriter {
  private readonly native: NativeJson = new (addon().NativeJson)();
  private readonly out: Uint8Array;
  private readonly count: number;
  private readonly number: number;

  /** @param rowBytes Of each row that `write` gets. */
  constructor(datatype: keyof typeof JSON_DATATYPES, rowBytes: number) {
    this.count = rowBytes / DATATYPES[datatype].bytes;
    this.number = JSON_DATATYPES[datatype];
    this.out = new Uint8Array(2 + this.count * MOST_CHARACTERS);
  }

  /** The row as a JSON array; valid until the next call. */
  write(row: Uint8Array): Uint8Array {
    const { out } = this;
    const end = this.native.write(
      this.number,
      row.buffer as ArrayBuffer,
      row.byteOffset,
      this.count,
      out.buffer as ArrayBuffer,
      0,
    );
    return out.subarray(0, end);
  }
}
