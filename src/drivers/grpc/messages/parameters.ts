/** InferParameter and maps of them: what a request or a tensor says besides its fields. */
import type { ParameterValue } from "../../../protocol/v2.js";
import { type ProtoReader, tagOf, WIRE } from "./reader.js";
import { boolField, bytesField, stringField } from "./writer.js";

export type ParameterMap = Record<string, ParameterValue>;

const KEY = tagOf(1, WIRE.BYTES);
const VALUE = tagOf(2, WIRE.BYTES);

/** Reads one entry of a map<string, InferParameter> into `into`. Integers are numbers where a number holds them exactly. */
export function readParameter(reader: ProtoReader, into: ParameterMap): void {
  let key = "";
  let value: ParameterValue | undefined;
  reader.message((tag) => {
    if (tag === KEY) key = reader.string();
    else if (tag === VALUE) value = readValue(reader);
    else reader.skip(tag);
  });
  if (value !== undefined) into[key] = value;
}

function readValue(reader: ProtoReader): ParameterValue | undefined {
  let value: ParameterValue | undefined;
  reader.message((tag) => {
    switch (tag) {
      case tagOf(1, WIRE.VARINT):
        value = reader.varint() !== 0;
        return;
      case tagOf(2, WIRE.VARINT):
        value = exact(reader.int64());
        return;
      case tagOf(3, WIRE.BYTES):
        value = reader.string();
        return;
      case tagOf(4, WIRE.FIXED64):
        value = reader.double();
        return;
      case tagOf(5, WIRE.VARINT):
        value = exact(reader.uint64());
        return;
      default:
        reader.skip(tag);
    }
  });
  return value;
}

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** The entry of a map<string, InferParameter> whose value is a boolean, as field `field` of a message. */
export function booleanParameter(field: number, key: string, value: boolean): Buffer {
  // A choice is there even where its value is the default.
  const choice = value ? boolField(1, true) : Buffer.from([tagOf(1, WIRE.VARINT), 0]);
  return bytesField(field, Buffer.concat([stringField(1, key), bytesField(2, choice)]));
}
