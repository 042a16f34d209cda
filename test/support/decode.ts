/** Requests as a server decodes them. */
import type { DecodedRequest } from "../../src/protocol/index.js";
import { decodedOf, InferDecoder, type PlannedRequest } from "../../src/serving/infer-decoder.js";

const shared = new InferDecoder();

/** Copies, since the decoder's memory is used again for the next request. */
function owned(planned: PlannedRequest): DecodedRequest {
  return decodedOf({ ...planned, bytes: planned.bytes.slice() });
}

/** A request that is all JSON. */
export function decodeJsonInfer(body: Uint8Array | string, decoder = shared): DecodedRequest {
  return owned(decoder.json(typeof body === "string" ? new TextEncoder().encode(body) : body));
}

/** A request with a JSON header of so many bytes; its tensors are views into `body` where they are not in the JSON. */
export function decodeBinaryInfer(body: Uint8Array, headerLength: number, decoder = shared): DecodedRequest {
  return decodedOf(decoder.binary(body, headerLength));
}

/** A request in a binary frame of a stream. */
export function decodeStreamRequest(frame: Uint8Array): DecodedRequest {
  return decodedOf(shared.frame(frame));
}
