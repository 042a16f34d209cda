// Requests of V2 as a server decodes them: bodies that are all JSON, bodies with binary tensors, frames of streams, and raw
// bytes. What is understood in one form is understood in the others, with the same elements.

import { load } from "../lib/build.mjs";
import { demand, survives } from "../lib/survives.mjs";

export const decoders = [
  "src/protocol/body.ts",
  "src/protocol/check.ts",
  "src/protocol/depth.ts",
  "src/protocol/header-cache.ts",
  "src/protocol/json.ts",
  "src/protocol/raw.ts",
  "src/protocol/request.ts",
  "src/protocol/tensor.ts",
  "src/protocol/trace-context.ts",
  "src/serving/infer-decoder.ts",
];

const { decodedOf, InferDecoder } = await load("src/serving/infer-decoder.ts");
const {
  decodeRawInfer,
  encodeInferRequest,
  encodeRawAnswer,
  encodeStreamFrame,
  parseHeaderLength,
  parseTensorJson,
  toRawTensor,
  utf8Text,
} = await load("src/protocol/index.ts");
const decoder = new InferDecoder();
/** Cannot have seen a header before. */
let fresh = new InferDecoder();
const RAW_INPUTS = [
  { name: "x", datatype: "FP32", shape: [-1, 2] },
  { name: "x", datatype: "BOOL", shape: [-1, -1] },
  { name: "x", datatype: "BYTES", shape: [-1, 1] },
  { name: "x", datatype: "BYTES", shape: [2, -1] },
  { name: "x", datatype: "UINT64", shape: [3] },
];

export function fuzz(bytes) {
  const how = bytes[0] ?? 0;
  // As HTTP has bodies: of a Buffer, `slice` would be no copy.
  const body = Uint8Array.from(bytes.subarray(1));
  if (how % 4 === 0) json(body);
  else if (how % 4 === 1) binary(body, (body[0] ?? 0) + 256 * (body[1] ?? 0), body.subarray(2));
  else if (how % 4 === 2) survives(() => decodedOf(decoder.frame(body)));
  else raw(body, RAW_INPUTS[(how >> 2) % RAW_INPUTS.length]);
}

function json(body) {
  const decode = () => decodedOf(decoder.json(body));
  const request = survives(decode);
  if (request === undefined) return;
  // The decoder's memory is used again.
  const inputs = Object.fromEntries(request.inputs.map((input) => [input.name, copyOf(toRawTensor(input))]));
  const sent = { ...request, inputs, outputs: request.outputs?.map(({ name }) => name) };
  const message = encodeInferRequest(sent, { binary: true });
  const frame = encodeStreamFrame(message);
  if (frame.length < 4096) fresh = new InferDecoder();
  const again = survives(() => decodedOf(fresh.frame(frame)));
  demand(again !== undefined, "what was JSON can be binary");
  demand(again.sequenceId === request.sequenceId && again.id === request.id, "of the same stream");
  for (const input of again.inputs) same(input, inputs[input.name]);
}

function binary(body, headerLength, rest) {
  const plan = survives(() => decoder.binary(rest, headerLength));
  if (plan === undefined) return;
  demand(plan.offset + plan.length <= plan.bytes.byteLength, "tensors within");
  survives(() => decodedOf(plan));
  survives(() => parseHeaderLength(Buffer.from(body.subarray(0, 16)).toString("latin1")));
}

function raw(body, input) {
  const request = survives(() => decodeRawInfer(body, input));
  if (request !== undefined) {
    const answer = encodeRawAnswer(request.inputs.map(toRawTensor));
    demand(input.datatype === "BYTES" || Buffer.compare(answer, body) === 0, "raw bytes are what they are");
  }
  survives(() => parseTensorJson(utf8Text(body, "frame"), "frame"));
}

function copyOf({ data, ...tensor }) {
  return { ...tensor, data: Array.isArray(data) ? data.map((bytes) => bytes.slice()) : data.slice() };
}

function same(input, tensor) {
  const { data } = toRawTensor(input);
  demand(data.length === tensor.data.length, "as many elements");
  demand(input.shape.join() === tensor.shape.join() && input.datatype === tensor.datatype, "of the same kind");
  const equal = (a, b) => (a instanceof Uint8Array ? Buffer.compare(a, b) === 0 : Object.is(a, b));
  demand(
    Array.from(data).every((element, index) => equal(element, tensor.data[index])),
    "with the same values",
  );
}
