/** Writes protobuf into bytes of the right size: each value says its size before it is written. */

export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}

/** Where the next value goes. `value` is not negative, and exact. */
export function writeVarint(to: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) to[next++] = (rest % 0x80) | 0x80;
  to[next++] = rest;
  return next;
}

/** A field of bytes or of a message: its tag, its length, and what it holds. */
export function bytesField(field: number, value: Uint8Array): Buffer {
  const head = bytesFieldHead(field, value.byteLength);
  return Buffer.concat([head, value]);
}

/** What is in front of the value in a field of bytes. */
export function bytesFieldHead(field: number, byteLength: number): Buffer {
  const tag = field * 8 + 2;
  const head = Buffer.alloc(varintSize(tag) + varintSize(byteLength));
  writeVarint(head, writeVarint(head, 0, tag), byteLength);
  return head;
}

export function stringField(field: number, text: string): Buffer {
  return text === "" ? Buffer.alloc(0) : bytesField(field, Buffer.from(text));
}

/** A packed field of integers that are not negative. */
export function packedField(field: number, values: readonly number[]): Buffer {
  if (values.length === 0) return Buffer.alloc(0);
  const packed = Buffer.alloc(values.reduce((sum, value) => sum + varintSize(value), 0));
  let at = 0;
  for (const value of values) at = writeVarint(packed, at, value);
  return bytesField(field, packed);
}

export function boolField(field: number, value: boolean): Buffer {
  return value ? Buffer.from([field * 8, 1]) : Buffer.alloc(0);
}
