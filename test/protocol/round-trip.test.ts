import { deepStrictEqual, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import type { RawTensor } from "../../src/datatype.js";
import {
  byName,
  type DecodedRequest,
  decodeInferResponse,
  decodeStreamResponse,
  encodeInferRequest,
  encodeInferResponse,
  encodeStreamFrame,
  type InferRequest,
  toNamedTensor,
} from "../../src/protocol/index.js";
import { decodeBinaryInfer, decodeJsonInfer, decodeStreamRequest } from "../support/decode.js";
import { request, tensors } from "./arbitraries.js";
import { bodyOf, essence, textOf } from "./helpers.js";

function essences(record: Record<string, RawTensor>): unknown {
  return Object.entries(record).map(([name, tensor]) => [name, essence(tensor)]);
}

function sameRequest(decoded: DecodedRequest, sent: InferRequest, binary: boolean): void {
  deepStrictEqual(essences(byName(decoded.inputs.map(toNamedTensor))), essences(sent.inputs));
  const { inputs: _, ...rest } = decoded;
  deepStrictEqual(rest, {
    id: sent.id,
    sequenceId: sent.sequenceId === undefined ? undefined : String(sent.sequenceId),
    sequenceStart: sent.sequenceStart ?? false,
    sequenceEnd: sent.sequenceEnd ?? false,
    priority: sent.priority,
    timeoutMicros: sent.timeoutMicros,
    outputs: sent.outputs?.map((name) => ({ name, binary })),
    binaryOutputDefault: binary,
    trace: undefined,
  });
}

t.test("a request survives the binary form, at any alignment of the body", async () => {
  fc.assert(
    fc.property(request(false), fc.integer({ min: 0, max: 9 }), (sent, shift) => {
      const message = encodeInferRequest(sent, { binary: true });
      const buffer = new Uint8Array(message.total + shift);
      buffer.set(bodyOf(message), shift);
      sameRequest(decodeBinaryInfer(buffer.subarray(shift), message.headerLength ?? -1), sent, true);
    }),
  );
});

t.test("a request survives JSON", async () => {
  fc.assert(
    fc.property(request(true), (sent) => {
      const message = encodeInferRequest(sent, { binary: false });
      strictEqual(message.headerLength, undefined);
      sameRequest(decodeJsonInfer(bodyOf(message)), sent, false);
      sameRequest(decodeJsonInfer(textOf(message)), sent, false);
    }),
  );
});

t.test("a request survives a stream frame", async () => {
  fc.assert(
    fc.property(request(false), (sent) => {
      const frame = encodeStreamFrame(encodeInferRequest(sent, { binary: true }));
      sameRequest(decodeStreamRequest(frame), sent, true);
    }),
  );
});

t.test("a response survives with any mixture of binary and JSON outputs", async () => {
  fc.assert(
    fc.property(tensors(true), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), (outputs, choices) => {
      const names = Object.keys(outputs);
      const isBinary = (name: string) => choices[names.indexOf(name)] === true;
      const named = Object.entries(outputs).map(([name, tensor]) => ({ name, ...tensor }));
      const message = encodeInferResponse({ modelName: "m", id: "7", outputs: named }, isBinary);
      strictEqual(
        message.headerLength !== undefined,
        names.some(isBinary),
        "the length header says: some output is binary",
      );
      const answer = decodeInferResponse(bodyOf(message), message.headerLength);
      deepStrictEqual(essences(byName(answer.outputs)), essences(outputs));
      deepStrictEqual([answer.modelName, answer.modelVersion, answer.id], ["m", undefined, "7"]);
      const frame = encodeStreamFrame(message);
      deepStrictEqual(essences(byName(decodeStreamResponse(frame).outputs)), essences(outputs));
    }),
  );
});

t.test("tensors start aligned in bodies and frames, so that decoding copies nothing", async (t) => {
  const inputs = { x: { datatype: "FP64", shape: [1], data: Float64Array.of(0.5) } } as const;
  for (let length = 0; length < 9; length++) {
    const message = encodeInferRequest({ id: "x".repeat(length), inputs }, { binary: true });
    const body = bodyOf(message);
    const frame = encodeStreamFrame(message);
    const [fromBody] = decodeBinaryInfer(body, message.headerLength ?? -1).inputs.map(toNamedTensor);
    const [fromFrame] = decodeStreamRequest(frame).inputs.map(toNamedTensor);
    t.equal(fromBody?.datatype === "FP64" && fromBody.data.buffer, body.buffer);
    t.equal(fromFrame?.datatype === "FP64" && fromFrame.data.buffer, frame.buffer);
  }
});
