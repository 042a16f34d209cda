/** The file in which the generator finds the bytes of requests; its form is told in native/loadgen/request_file.h. */

/** What the gap of a request takes: the name of its sequence. */
export const GAPS = { none: 0, digits: 1, varint: 2, number: 3 } as const;
export type Gap = keyof typeof GAPS;

/** What the gap has while nothing is filled in: the first name, which is as long as any other. */
export const FIRST_SEQUENCE = 1_000_000_000n;

export interface RequestBody {
  /** Where the gap begins. */
  readonly gap: number;
  readonly bytes: Uint8Array;
}

/** The forms of a step where sequences end: first of its sequence, neither, last, and both. */
export const FORMS = [
  { start: true, end: false },
  { start: false, end: false },
  { start: false, end: true },
  { start: true, end: true },
] as const;

/** @param steps The forms of each step: one, or all four. */
export function requestFile(gap: Gap, steps: readonly (readonly RequestBody[])[]): Buffer {
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const head = [Buffer.from("HRQ1"), number(GAPS[gap]), number(steps[0]?.length ?? 1), number(steps.length)];
  const bodies = steps.flat().flatMap((body) => [number(body.bytes.byteLength), number(body.gap), body.bytes]);
  return Buffer.concat([...head, ...bodies]);
}
