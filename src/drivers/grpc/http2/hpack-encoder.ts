/**
 * Headers to header blocks. Answers of a gRPC server have few headers, and most are the same every time, so blocks are made
 * once and refer to the static table only: they need no state, and mean the same on every connection.
 */
import type { Header } from "./hpack-decoder.js";
import { STATIC_TABLE } from "./static-table.js";

/** A block of these headers; values are latin1. */
export function encodeHeaders(headers: readonly Header[]): Buffer {
  return Buffer.concat(headers.map(encodeHeader));
}

function encodeHeader([name, value]: Header): Buffer {
  const whole = STATIC_TABLE.findIndex((entry) => entry[0] === name && entry[1] === value);
  if (whole >= 0) return encodeInteger(whole + 1, 7, 0x80);
  const known = STATIC_TABLE.findIndex((entry) => entry[0] === name);
  // 0x00: a literal that is not to be put into the table.
  const head = known >= 0 ? encodeInteger(known + 1, 4, 0) : Buffer.concat([Buffer.from([0]), encodeString(name)]);
  return Buffer.concat([head, encodeString(value)]);
}

function encodeString(text: string): Buffer {
  return Buffer.concat([encodeInteger(text.length, 7, 0), Buffer.from(text, "latin1")]);
}

function encodeInteger(value: number, prefixBits: number, first: number): Buffer {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) return Buffer.from([first | value]);
  const bytes = [first | mask];
  let rest = value - mask;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
