// Responses and errors of V2 as a client decodes them: bodies, frames of streams, what a close or a status means.

import { load } from "../lib/build.mjs";
import { demand, survives } from "../lib/survives.mjs";

export const decoders = [
  "src/protocol/half.ts",
  "src/protocol/json.ts",
  "src/protocol/json-data.ts",
  "src/protocol/response.ts",
  "src/protocol/status.ts",
  "src/protocol/stream.ts",
];

const protocol = await load("src/protocol/index.ts");
const { decodeInferResponse, decodeStreamError, decodeStreamResponse, encodeInferResponse, encodeStreamFrame } =
  protocol;

export function fuzz(bytes) {
  const how = bytes[0] ?? 0;
  // As fetch and WebSockets give it: of a Buffer, `slice` would be no copy.
  const body = Uint8Array.from(bytes.subarray(1));
  const number = (body[0] ?? 0) + 256 * (body[1] ?? 0);
  if (how % 4 === 0) again(survives(() => decodeInferResponse(body, undefined)));
  else if (how % 4 === 1) again(survives(() => decodeInferResponse(body.subarray(2), number)));
  else if (how % 4 === 2) again(survives(() => decodeStreamResponse(body)));
  else errors(number, Buffer.from(body.subarray(2)).toString());
}

/** What was understood, written in both forms, is understood again. */
function again(response) {
  if (response === undefined) return;
  protocol.byName(response.outputs);
  for (const isBinary of [false, true]) {
    const message = survives(() => encodeInferResponse(response, () => isBinary));
    // BYTES need not be text.
    if (message === undefined) continue;
    const second = isBinary
      ? decodeStreamResponse(encodeStreamFrame(message))
      : decodeInferResponse(message.header, undefined);
    demand(second.modelName === response.modelName && second.id === response.id, "the same response");
    for (const [index, output] of second.outputs.entries()) same(output, response.outputs[index]);
  }
}

function same(a, b) {
  const bytesOf = (tensor) => Buffer.from(protocol.binaryOf(tensor));
  demand(a.name === b.name && a.datatype === b.datatype && a.shape.join() === b.shape.join(), "the same tensor");
  // NaNs have many forms, of which JSON tells one.
  const hasNan = a.datatype !== "BYTES" && Array.from(a.data).some((element) => Number.isNaN(element));
  const isHalf = a.datatype === "FP16" || a.datatype === "BF16";
  demand(hasNan || isHalf || bytesOf(a).equals(bytesOf(b)), "with the same elements");
}

function errors(status, text) {
  const error = survives(() => decodeStreamError(text));
  if (error !== undefined) {
    const { error: read, ...source } = error;
    const second = decodeStreamError(protocol.encodeStreamError(read, source));
    demand(second.error.code === read.code && second.error.message === read.message, "the same error");
  }
  for (const made of [protocol.errorOfResponse(status, text), protocol.errorOfClose(status, text)]) {
    const { code, reason } = protocol.closeFrameOf(made);
    demand(code >= 1000 && Buffer.byteLength(reason) <= 123, "a close frame that can be sent");
    protocol.encodeRestError(made, "id");
    protocol.encodeV2Error(made);
  }
}
