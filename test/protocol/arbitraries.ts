/** Random tensors and requests of every datatype, for the property tests of both forms. */
import fc from "fast-check";
import { DATATYPES, type FixedDatatype, type RawTensor } from "../../src/datatype.js";
import { fromBf16, fromFp16 } from "../../src/protocol/half.js";
import type { InferRequest } from "../../src/protocol/index.js";

const FIXED = Object.keys(DATATYPES) as FixedDatatype[];

/** Ranks 0 to 3, and zero-sized dimensions too. */
const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });

/** Every NaN is the canonical one, since JSON can carry only that. */
function element(datatype: FixedDatatype): fc.Arbitrary<number | bigint> {
  switch (datatype) {
    case "BOOL":
      return fc.integer({ min: 0, max: 1 });
    case "FP32":
      return fc.float();
    case "FP64":
      return fc.double();
    case "FP16":
      return fc.integer({ min: 0, max: 0xffff }).map((bits) => (Number.isNaN(fromFp16(bits)) ? 0x7e00 : bits));
    case "BF16":
      return fc.integer({ min: 0, max: 0xffff }).map((bits) => (Number.isNaN(fromBf16(bits)) ? 0x7fc0 : bits));
    case "INT64":
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case "UINT64":
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    default:
      return fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 });
  }
}

function fixedTensor(datatype: FixedDatatype, dimensions: number[], elements: (number | bigint)[]): RawTensor {
  const data = new DATATYPES[datatype].array(elements.length);
  for (const [index, value] of elements.entries()) data[index] = value;
  return { datatype, shape: dimensions, data };
}

const count = (dimensions: number[]) => dimensions.reduce((product, dimension) => product * dimension, 1);

const fixed = fc.tuple(fc.constantFrom(...FIXED), shape).chain(([datatype, dimensions]) => {
  const length = count(dimensions);
  return fc
    .array(element(datatype), { minLength: length, maxLength: length })
    .map((elements) => fixedTensor(datatype, dimensions, elements));
});

/** `utf8` limits BYTES to what JSON can carry. */
function bytes(utf8: boolean): fc.Arbitrary<RawTensor> {
  const one = utf8 ? fc.string({ unit: "grapheme" }).map((text) => new TextEncoder().encode(text)) : fc.uint8Array();
  return shape.chain((dimensions) => {
    const length = count(dimensions);
    return fc
      .array(one, { minLength: length, maxLength: length })
      .map((data): RawTensor => ({ datatype: "BYTES", shape: dimensions, data }));
  });
}

export function tensor(utf8: boolean): fc.Arbitrary<RawTensor> {
  return fc.oneof({ weight: 5, arbitrary: fixed }, { weight: 1, arbitrary: bytes(utf8) });
}

export const tensorName = fc.oneof(
  fc.string({ minLength: 1, unit: "grapheme" }),
  fc.constantFrom("audio", "__proto__", "constructor", "naïve “name”"),
);

export function tensors(utf8: boolean): fc.Arbitrary<Record<string, RawTensor>> {
  const entry = fc.tuple(tensorName, tensor(utf8));
  return fc
    .uniqueArray(entry, { minLength: 1, maxLength: 4, selector: ([name]) => name })
    .map((entries) => Object.fromEntries(entries));
}

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

export function request(utf8: boolean): fc.Arbitrary<InferRequest> {
  return fc.record({
    id: maybe(fc.string()),
    sequenceId: maybe(fc.oneof(fc.string({ minLength: 1 }), fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }))),
    sequenceStart: maybe(fc.boolean()),
    sequenceEnd: maybe(fc.boolean()),
    priority: maybe(fc.integer({ min: 1, max: 255 })),
    timeoutMicros: maybe(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
    inputs: tensors(utf8),
    outputs: maybe(fc.uniqueArray(tensorName, { maxLength: 3 })),
  });
}
