/**
 * Reads protobuf (the wire format, not messages). For the messages of every prediction, which are not to become objects first;
 * all others go through `schema.ts`.
 */
import { InvalidArgumentError } from "../../../errors.js";

/** How a field's value is written. */
export const WIRE = { VARINT: 0, FIXED64: 1, BYTES: 2, FIXED32: 5 } as const;

const REPLACEMENT = "\ufffd";
const strict = new TextDecoder("utf-8", { fatal: true });
/** A varint of 64 bits. */
const MAX_VARINT_BYTES = 10;

/** A place in a message. Every method throws INVALID_ARGUMENT where the bytes are none. */
export class ProtoReader {
  at = 0;
  end: number;

  constructor(readonly bytes: Buffer) {
    this.end = bytes.length;
  }

  /** A number and a wire type, in one: see `fieldOf` and `wireOf`. */
  tag(): number {
    const tag = this.varint();
    if (tag < 8 || tag > 0xffff_ffff) throw malformed("a field without a number");
    return tag;
  }

  /** An unsigned integer; above 2^53 it is rounded, which no length, number or count may be. */
  varint(): number {
    let value = this.byte();
    if (value < 0x80) return value;
    value &= 0x7f;
    let scale = 0x80;
    for (let count = 1; count < MAX_VARINT_BYTES; count++, scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw malformed("a number without end");
  }

  /** An unsigned integer of 64 bits, exact. */
  uint64(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw malformed("a number without end");
  }

  int64(): bigint {
    return BigInt.asIntN(64, this.uint64());
  }

  /** An int64 as a number: exact up to 2^53, and then rounded. */
  int64Number(): number {
    const start = this.at;
    const value = this.varint();
    if (value <= Number.MAX_SAFE_INTEGER) return value;
    this.at = start;
    return Number(this.int64());
  }

  double(): number {
    return this.bytes.readDoubleLE(this.advance(8));
  }

  /** Where a value of the length in front of it ends; the reader is then at its beginning. */
  delimited(): number {
    const length = this.varint();
    const end = this.at + length;
    if (end > this.end) throw malformed("a value that ends after its message");
    return end;
  }

  /** A value of bytes, as a view. */
  view(): Buffer {
    const end = this.delimited();
    const view = this.bytes.subarray(this.at, end);
    this.at = end;
    return view;
  }

  string(): string {
    const end = this.delimited();
    const text = this.bytes.toString("utf8", this.at, end);
    // Two names that are no UTF-8 must not become the same one.
    if (text.includes(REPLACEMENT)) this.checkUtf8(this.at, end);
    this.at = end;
    return text;
  }

  /** Reads a message in the message, field by field; `field` must read or skip the value. */
  message(field: (tag: number) => void): void {
    this.upTo(this.delimited(), () => field(this.tag()));
  }

  /** Reads one thing after the other up to `end`, which none may go beyond. */
  upTo(end: number, read: () => void): void {
    const outer = this.end;
    this.end = end;
    while (this.at < end) read();
    this.end = outer;
  }

  skip(tag: number): void {
    switch (tag & 7) {
      case WIRE.VARINT:
        this.varint();
        return;
      case WIRE.FIXED64:
        this.advance(8);
        return;
      case WIRE.BYTES:
        this.at = this.delimited();
        return;
      case WIRE.FIXED32:
        this.advance(4);
        return;
      default:
        throw malformed("a value of an unknown kind");
    }
  }

  /** Goes so many bytes on; where they begin. */
  advance(bytes: number): number {
    const { at } = this;
    if (at + bytes > this.end) throw malformed("a value that ends after its message");
    this.at = at + bytes;
    return at;
  }

  private byte(): number {
    if (this.at >= this.end) throw malformed("a value that ends after its message");
    return this.bytes[this.at++] ?? 0;
  }

  private checkUtf8(at: number, end: number): void {
    try {
      strict.decode(this.bytes.subarray(at, end));
    } catch {
      throw malformed("text that is no UTF-8");
    }
  }
}

/** The tag of a field. */
export function tagOf(field: number, wire: number): number {
  return field * 8 + wire;
}

export function malformed(what: string): InvalidArgumentError {
  return new InvalidArgumentError(`the bytes are no such message: ${what}`, { path: "message" });
}
