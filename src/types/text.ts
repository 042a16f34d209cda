/** Values that V2 carries as text: BYTES `[1]`, UTF-8, for what is composed of parts as JSON. */
import type { RawTensor } from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";
import { fromUtf8, toUtf8 } from "./element.js";
import { onlyElement, SCALAR_SHAPE } from "./scalar.js";
import type { Json } from "./value-type.js";

/** @throws InvalidArgumentError when the bytes are not UTF-8. */
export function textOf(bytes: Uint8Array, path: string): string {
  const text = fromUtf8(bytes);
  if (text === undefined) throw new InvalidArgumentError("is not valid UTF-8", { path });
  return text;
}

export function jsonToTensor(value: Json): RawTensor {
  return { datatype: "BYTES", shape: SCALAR_SHAPE, data: [toUtf8(JSON.stringify(value))] };
}

/** @throws InvalidArgumentError unless the tensor is one element of JSON text. */
export function jsonFromTensor(tensor: RawTensor, path: string): unknown {
  const text = textOf(onlyElement(tensor, "BYTES", path) as Uint8Array, path);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? ` (${cause.message})` : "";
    throw new InvalidArgumentError(`expected JSON text${reason}`, { path, cause });
  }
}
