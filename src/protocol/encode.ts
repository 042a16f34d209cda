/** Writing V2 messages: text by hand, so that integers are exact and a small header costs no object. */
import type { RawTensor } from "../datatype.js";
import { jsonOf } from "./json-data.js";
import { binaryOf } from "./tensor.js";
import type { EncodedMessage, Parameters } from "./v2.js";

const encoder = new TextEncoder();

/** Tensors that follow a header of a multiple of this many bytes can be read in place, whatever their datatype. */
const ALIGNMENT = 8;

const PADDING = " ".repeat(ALIGNMENT - 1);

/** Writes a tensor's elements as a flat JSON array; `path` is for the error where they cannot be JSON. */
export type WriteElements = (tensor: RawTensor, path: string) => string;

/**
 * One tensor's JSON. With `parts` its elements go there and only their size into the JSON.
 *
 * @param field Where the tensor is, for the error when its bytes cannot be JSON.
 */
export function tensorJson(
  name: string,
  tensor: RawTensor,
  parts: Uint8Array[] | undefined,
  field: string,
  write: WriteElements = jsonOf,
): string {
  const head = `{"name":${JSON.stringify(name)},"datatype":"${tensor.datatype}","shape":[${tensor.shape.join(",")}]`;
  if (parts === undefined) return `${head},"data":${write(tensor, `${field}.${name}`)}}`;
  const bytes = binaryOf(tensor);
  parts.push(bytes);
  return `${head},"parameters":{"binary_data_size":${bytes.byteLength}}}`;
}

export function parametersJson(parameters: Parameters): string {
  const entries = Object.entries(parameters).map(([name, value]) => {
    const text = typeof value === "bigint" ? String(value) : JSON.stringify(value);
    return `${JSON.stringify(name)}:${text}`;
  });
  return `{${entries.join(",")}}`;
}

/** The message of a JSON text and its binary parts. White space after the JSON aligns the first part. */
export function encodeMessage(json: string, parts: readonly Uint8Array[], isBinary: boolean): EncodedMessage {
  if (!isBinary) {
    const header = encoder.encode(json);
    return { header, parts, total: header.byteLength, headerLength: undefined };
  }
  const padded = encoder.encode(json + PADDING);
  const header = padded.subarray(0, padded.byteLength - (padded.byteLength % ALIGNMENT));
  let total = header.byteLength;
  for (const part of parts) total += part.byteLength;
  return { header, parts, total, headerLength: header.byteLength };
}
