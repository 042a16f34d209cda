import { notEqual } from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { HeadraceError } from "../../src/errors.js";
import {
  decodeInferResponse,
  decodeRawInfer,
  decodeStreamError,
  decodeStreamResponse,
  encodeInferRequest,
  encodeInferResponse,
  encodeStreamFrame,
  utf8Text,
} from "../../src/protocol/index.js";
import { decodeBinaryInfer, decodeJsonInfer, decodeStreamRequest } from "../support/decode.js";
import { request, tensors } from "./arbitraries.js";
import { bodyOf } from "./helpers.js";

/** Decodes or refuses; any other throw is a bug. */
function survives(decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    if (!(error instanceof HeadraceError)) throw error;
    notEqual(error.code, "INTERNAL");
  }
}

interface Mutation {
  readonly flips: readonly (readonly [at: number, bit: number])[];
  readonly keep: number;
  readonly headerLengthOff: number;
}

const mutation = fc.record({
  flips: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 7 })), { maxLength: 4 }),
  keep: fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1.1, noNaN: true })),
  headerLengthOff: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: -9, max: 9 })),
});

function mutate(bytes: Uint8Array, { flips, keep }: Mutation): Uint8Array {
  const mutated = new Uint8Array(Math.floor(bytes.byteLength * keep));
  mutated.set(bytes.subarray(0, mutated.byteLength));
  for (const [at, bit] of flips) {
    const index = at % Math.max(1, mutated.byteLength);
    mutated[index] = (mutated[index] ?? 0) ^ (1 << bit);
  }
  return mutated;
}

t.test("no damage to a request makes a decoder throw anything but its own error", async () => {
  fc.assert(
    fc.property(request(false), mutation, (sent, how) => {
      const message = encodeInferRequest(sent, { binary: true });
      const damaged = mutate(bodyOf(message), how);
      survives(() => decodeBinaryInfer(damaged, (message.headerLength ?? 0) + how.headerLengthOff));
      survives(() => decodeStreamRequest(mutate(encodeStreamFrame(message), how)));
      survives(() => decodeRawInfer(damaged, { name: "x", datatype: "FP32", shape: [-1, -1, 2] }));
    }),
    { numRuns: 1000 },
  );
});

t.test("no damage to a JSON request either", async () => {
  fc.assert(
    fc.property(request(true), mutation, (sent, how) => {
      const damaged = mutate(bodyOf(encodeInferRequest(sent, { binary: false })), how);
      survives(() => decodeJsonInfer(damaged));
      survives(() => decodeStreamError(utf8Text(damaged, "frame")));
    }),
    { numRuns: 1000 },
  );
});

t.test("no damage to a response", async () => {
  fc.assert(
    fc.property(tensors(false), mutation, (outputs, how) => {
      const named = Object.entries(outputs).map(([name, tensor]) => ({ name, ...tensor }));
      const message = encodeInferResponse({ modelName: "m", outputs: named }, () => true);
      const headerLength = (message.headerLength ?? 0) + how.headerLengthOff;
      survives(() => decodeInferResponse(mutate(bodyOf(message), how), headerLength));
      survives(() => decodeStreamResponse(mutate(encodeStreamFrame(message), how)));
    }),
    { numRuns: 500 },
  );
});

t.test("any JSON value in any place of a request is refused or accepted, never a crash", async () => {
  const anything = fc.jsonValue({ maxDepth: 2 });
  const tensor = fc.record(
    {
      name: fc.oneof(fc.constant("x"), anything),
      datatype: fc.oneof(fc.constantFrom("FP32", "BYTES", "INT64", "BOOL"), anything),
      shape: fc.oneof(fc.constantFrom([1], [2, 0], [2 ** 40, 2 ** 40], [1e300], []), anything),
      data: fc.oneof(fc.constantFrom([1], [[]], 1, ["x"]), anything),
      parameters: fc.oneof(fc.record({ binary_data_size: anything }), anything),
    },
    { requiredKeys: ["name"] },
  );
  const body = fc.record(
    { id: anything, parameters: anything, inputs: fc.oneof(fc.array(tensor), anything), outputs: anything },
    { requiredKeys: ["inputs"] },
  );
  fc.assert(
    fc.property(body, (json) => {
      survives(() => decodeJsonInfer(JSON.stringify(json)));
      const bytes = new TextEncoder().encode(JSON.stringify(json));
      survives(() => decodeBinaryInfer(bytes, bytes.byteLength));
    }),
    { numRuns: 1000 },
  );
});
