/** What holds for every type: a value comes back from JSON and V2, the schema describes it, and copies are copies. */

import Ajv2020 from "ajv/dist/2020.js";
import fc from "fast-check";
import t from "tap";
import { decodeInferResponse, encodeInferResponse } from "../../src/protocol/index.js";
import {
  type AnyValueType,
  Audio,
  Boolean as Bool,
  BoundingBox,
  Bytes,
  Class,
  Classes,
  copyValue,
  Dict,
  Enum,
  Float,
  FloatRange,
  Image,
  Integer,
  IntegerRange,
  List,
  Optional,
  Point,
  Random,
  Tensor,
  String as Text,
  valuesToTensors,
} from "../../src/types/index.js";

const LEAVES: readonly AnyValueType[] = [
  Bool(),
  Integer(),
  Float(),
  Text(),
  Enum(["a", "b c", "é"]),
  IntegerRange({ min: -3, max: 20, step: 4 }),
  IntegerRange({ min: 0, max: 2 ** 53 - 1, step: 2 }),
  FloatRange({ min: -Number.MAX_VALUE, max: Number.MAX_VALUE }),
  FloatRange({ min: 1, max: Number.POSITIVE_INFINITY }),
  FloatRange({ min: Number.NEGATIVE_INFINITY, max: -1e300 }),
  Bytes(),
  Image(),
  Image({ encoding: "raw" }),
  Image({ encoding: "raw", width: 3, height: 2, channels: 1 }),
  Point(),
  Point({ dimensions: 3 }),
  BoundingBox(),
  BoundingBox({ normalized: true }),
  Class(),
  Class({ labels: ["cat", "dog"] }),
  Classes({ maxLength: 5 }),
  Audio({ sampleRate: 8000, samples: 4 }),
  Tensor("FP32", [2, 2]),
  Tensor("FP16", [-1, 3]),
  Tensor("BYTES", [2]),
  Tensor("INT64", [-1]),
];

/** Types of types, three levels deep. */
const anyType = fc.letrec<{ type: AnyValueType }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { arbitrary: fc.constantFrom(...LEAVES), weight: 4 },
    { arbitrary: tie("type").map((type) => List(type, { minLength: 1, maxLength: 4 })), weight: 2 },
    { arbitrary: tie("type").map((type) => Dict(type)), weight: 1 },
    { arbitrary: fc.tuple(tie("type"), tie("type")).map(([a, b]) => Dict({ a, "odd name": Optional(b) })), weight: 2 },
    { arbitrary: tie("type").map((type) => Optional(type)), weight: 1 },
  ),
})).type;

// Annotations of our own are no mistakes; everything else is checked strictly.
const ajv = new Ajv2020.default({ strict: true, strictTypes: false, allErrors: true });
for (const keyword of ["datatype", "shape", "sampleRate", "channels", "step", "dimensions", "normalized"]) {
  ajv.addKeyword(`x-${keyword}`);
}

const throughText = (json: unknown): unknown => JSON.parse(JSON.stringify(json));

/** Through the bytes of the binary form and back. */
function throughV2(type: AnyValueType, value: unknown): unknown {
  const outputs = valuesToTensors({ value: type }, { value });
  const message = encodeInferResponse({ modelName: "m", modelVersion: "1", id: undefined, outputs }, () => true);
  const body = new Uint8Array(Buffer.concat([message.header, ...message.parts]));
  const [tensor] = decodeInferResponse(body, message.headerLength).outputs;
  return tensor === undefined ? type.defaultValue() : type.fromTensor(tensor, "value");
}

const property = (check: (type: AnyValueType, seed: number) => void, numRuns = 300) =>
  fc.assert(
    fc.property(anyType, fc.integer(), (type, seed) => check(type, seed)),
    { numRuns, examples: LEAVES.map((type): [AnyValueType, number] => [type, 1]) },
  );

t.test("a fake value is valid, the same for the same seed, and described by the schema", async (t) => {
  property((type, seed) => {
    const value = type.fake(new Random(seed));
    t.strictSame(type.parse(value, "fake"), value, type.label);
    t.strictSame(type.fake(new Random(seed)), value, type.label);
    const json = throughText(type.toJson(value));
    const validate = ajv.compile(type.jsonSchema());
    t.ok(validate(json), `${type.label}: ${ajv.errorsText(validate.errors)}`);
  });
});

t.test("a value comes back from JSON text and from V2 bytes", async (t) => {
  property((type, seed) => {
    const value = type.fake(new Random(seed));
    t.strictSame(type.parse(throughText(type.toJson(value)), "json"), value, type.label);
    t.strictSame(throughV2(type, value), value, type.label);
  });
});

t.test("a V2 tensor has the declared datatype and shape", async (t) => {
  property((type, seed) => {
    const [tensor] = valuesToTensors({ value: type }, { value: type.fake(new Random(seed)) });
    if (tensor === undefined) return;
    t.equal(tensor.datatype, type.datatype);
    t.equal(tensor.shape.length, type.shape.length, type.label);
    t.ok(
      type.shape.every((size, axis) => size === -1 || size === tensor.shape[axis]),
      `${type.label}: [${tensor.shape}] is not [${type.shape}]`,
    );
  });
});

/** All memory that a value holds. */
function buffersOf(value: unknown): ArrayBufferLike[] {
  if (ArrayBuffer.isView(value)) return [value.buffer];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(buffersOf) : [];
}

function objectsOf(value: unknown): object[] {
  if (typeof value !== "object" || value === null) return [];
  return ArrayBuffer.isView(value) ? [value] : [value, ...Object.values(value).flatMap(objectsOf)];
}

function shapesOf(value: unknown): unknown[] {
  return objectsOf(value).map((object) => (object as { shape?: unknown }).shape);
}

t.test("a copy is equal and shares neither objects nor memory", async (t) => {
  property((type, seed) => {
    const value = type.fake(new Random(seed));
    const copy = copyValue(value);
    t.strictSame(copy, value, type.label);
    t.strictSame(shapesOf(copy), shapesOf(value), type.label);
    const [objects, buffers] = [new Set(objectsOf(value)), new Set(buffersOf(value))];
    t.notOk(
      objectsOf(copy).some((object) => objects.has(object)),
      type.label,
    );
    t.notOk(
      buffersOf(copy).some((buffer) => buffers.has(buffer)),
      type.label,
    );
  });
});

t.test("a type accepts itself, and an optional accepts it but not the other way around", async (t) => {
  property((type) => {
    t.equal(type.accepts(type), undefined, type.label);
    t.equal(Optional(type).accepts(type), undefined, type.label);
    if (type.kind !== "Optional") t.type(type.accepts(Optional(type)), "string", type.label);
  }, 100);
});

t.test("whatever is parsed, a value or an InvalidArgumentError comes out, and its JSON fits the schema", async (t) => {
  const junk = fc.oneof(fc.jsonValue(), fc.anything({ withTypedArray: true, withBigInt: true }));
  fc.assert(
    fc.property(anyType, junk, (type, value) => {
      let parsed: unknown;
      try {
        parsed = type.parse(value, "junk");
      } catch (error) {
        const { code, path } = error as { code?: string; path?: string };
        t.equal(code, "INVALID_ARGUMENT");
        return t.ok(path?.startsWith("junk"), `${path} does not begin with junk`);
      }
      const validate = ajv.compile(type.jsonSchema());
      t.ok(validate(throughText(type.toJson(parsed))), `${type.label}: ${ajv.errorsText(validate.errors)}`);
    }),
    { numRuns: 500 },
  );
});
