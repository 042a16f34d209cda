/** ModelInferResponse and ModelStreamInferResponse: written straight to where they are sent from. */

import type { NamedTensor } from "../../../protocol/index.js";
import { binaryOf } from "../../../protocol/tensor.js";
import type { Payload } from "../http2/stream.js";
import { booleanParameter } from "./parameters.js";
import { bytesField, bytesFieldHead, packedField, stringField } from "./writer.js";

const FIELD = { modelName: 1, modelVersion: 2, id: 3, parameters: 4, outputs: 5, raw: 6 } as const;
const STREAM_FIELD = { errorMessage: 1, response: 2 } as const;

/** Tells a client of a stream that no more answers follow to a request, which here is so with each. */
const FINAL = booleanParameter(FIELD.parameters, "triton_final_response", true);

/** What an output is, besides its elements. */
type OutputHead = Pick<NamedTensor, "name" | "datatype" | "shape">;

/** Everything of a response but its id and its tensors' bytes. */
export function responseHead(modelName: string, modelVersion: string, outputs: readonly OutputHead[]): Buffer {
  return Buffer.concat([
    stringField(FIELD.modelName, modelName),
    stringField(FIELD.modelVersion, modelVersion),
    ...outputs.map(({ name, datatype, shape }) =>
      bytesField(FIELD.outputs, Buffer.concat([stringField(1, name), stringField(2, datatype), packedField(3, shape)])),
    ),
  ]);
}

/** A message in parts, which are put behind each other where it goes. */
export class MessageParts implements Payload {
  readonly byteLength: number;

  constructor(private readonly parts: readonly Uint8Array[]) {
    let length = 0;
    for (const part of parts) length += part.byteLength;
    this.byteLength = length;
  }

  writeTo(to: Buffer, at: number): void {
    let next = at;
    for (const part of this.parts) {
      to.set(part, next);
      next += part.byteLength;
    }
  }
}

/**
 * A response. Its tensors may be views over memory that is gone after the call that they were given in.
 * @param head From `responseHead`.
 * @param id "" where the request had none.
 */
export function inferResponse(head: Buffer, id: string, tensors: readonly Uint8Array[]): MessageParts {
  return new MessageParts(responseParts(head, id, tensors));
}

function responseParts(head: Buffer, id: string, tensors: readonly Uint8Array[]): Uint8Array[] {
  const parts: Uint8Array[] = [head];
  if (id !== "") parts.push(stringField(FIELD.id, id));
  for (const tensor of tensors) parts.push(bytesFieldHead(FIELD.raw, tensor.byteLength), tensor);
  return parts;
}

/** The same as an answer in a stream. */
export function streamResponse(head: Buffer, id: string, tensors: readonly Uint8Array[]): MessageParts {
  const inner = new MessageParts([...responseParts(head, id, tensors), FINAL]);
  const outer = bytesFieldHead(STREAM_FIELD.response, inner.byteLength);
  return new MessageParts([outer, ...responseParts(head, id, tensors), FINAL]);
}

/** What a stream answers to a request that failed; its id says to which. */
export function streamError(message: string, id: string): MessageParts {
  return new MessageParts([
    stringField(STREAM_FIELD.errorMessage, message),
    bytesField(STREAM_FIELD.response, stringField(FIELD.id, id)),
  ]);
}

/** The bytes of outputs as `raw_output_contents` has them. */
export function tensorBytes(outputs: readonly NamedTensor[]): Uint8Array[] {
  return outputs.map(binaryOf);
}
