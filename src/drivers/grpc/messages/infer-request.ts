/** ModelInferRequest: read field by field from the bytes as they arrived; tensors are views into them. */
import { DATATYPES, elementCount, isDatatype } from "../../../datatype.js";
import { HeadraceError, InvalidArgumentError } from "../../../errors.js";
import {
  canonicalSequenceId,
  type DecodedInput,
  type DecodedRequest,
  type WantedOutput,
} from "../../../protocol/index.js";
import { checkBooleans, unpackByteStrings } from "../../../protocol/tensor.js";
import { shown } from "../../../shown.js";
import { Contents } from "./contents.js";
import { type ParameterMap, readParameter } from "./parameters.js";
import { malformed, ProtoReader, tagOf, WIRE } from "./reader.js";

export interface InferMessage {
  readonly modelName: string;
  /** "" is the highest. */
  readonly modelVersion: string;
  readonly request: DecodedRequest;
}

interface InputMessage {
  name: string;
  datatype: string;
  shape: number[];
  parameters: ParameterMap;
  contents: Contents | undefined;
}

interface OutputMessage {
  name: string;
  parameters: ParameterMap;
}

/** More dimensions than any model runtime takes. */
const MAX_RANK = 32;
const RAW_TAG = tagOf(7, WIRE.BYTES);

/** Throws HeadraceError: INVALID_ARGUMENT for what is no such message or fits no tensor, UNIMPLEMENTED. */
export function readInferRequest(bytes: Buffer): InferMessage {
  const reader = new ProtoReader(bytes);
  let modelName = "";
  let modelVersion = "";
  let id = "";
  const parameters: ParameterMap = {};
  const inputs: InputMessage[] = [];
  const outputs: OutputMessage[] = [];
  const raw: Buffer[] = [];
  while (reader.at < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case tagOf(1, WIRE.BYTES):
        modelName = reader.string();
        break;
      case tagOf(2, WIRE.BYTES):
        modelVersion = reader.string();
        break;
      case tagOf(3, WIRE.BYTES):
        id = reader.string();
        break;
      case tagOf(4, WIRE.BYTES):
        readParameter(reader, parameters);
        break;
      case tagOf(5, WIRE.BYTES):
        inputs.push(readInput(reader));
        break;
      case tagOf(6, WIRE.BYTES):
        outputs.push(readOutput(reader));
        break;
      case RAW_TAG:
        raw.push(reader.view());
        break;
      default:
        reader.skip(tag);
    }
  }
  return { modelName, modelVersion, request: decoded(id, parameters, inputs, outputs, raw) };
}

function readInput(reader: ProtoReader): InputMessage {
  const input: InputMessage = { name: "", datatype: "", shape: [], parameters: {}, contents: undefined };
  reader.message((tag) => {
    switch (tag) {
      case tagOf(1, WIRE.BYTES):
        input.name = reader.string();
        return;
      case tagOf(2, WIRE.BYTES):
        input.datatype = reader.string();
        return;
      case tagOf(3, WIRE.BYTES):
        reader.upTo(reader.delimited(), () => addDimension(input.shape, reader));
        return;
      case tagOf(3, WIRE.VARINT):
        addDimension(input.shape, reader);
        return;
      case tagOf(4, WIRE.BYTES):
        readParameter(reader, input.parameters);
        return;
      case tagOf(5, WIRE.BYTES):
        input.contents = Contents.read(reader);
        return;
      default:
        reader.skip(tag);
    }
  });
  return input;
}

function addDimension(shape: number[], reader: ProtoReader): void {
  if (shape.length === MAX_RANK) throw malformed(`a shape of more than ${MAX_RANK} dimensions`);
  shape.push(reader.int64Number());
}

function readOutput(reader: ProtoReader): OutputMessage {
  const output: OutputMessage = { name: "", parameters: {} };
  reader.message((tag) => {
    if (tag === tagOf(1, WIRE.BYTES)) output.name = reader.string();
    else if (tag === tagOf(2, WIRE.BYTES)) readParameter(reader, output.parameters);
    else reader.skip(tag);
  });
  return output;
}

function decoded(
  id: string,
  parameters: ParameterMap,
  inputs: readonly InputMessage[],
  outputs: readonly OutputMessage[],
  raw: readonly Buffer[],
): DecodedRequest {
  const { sequence_id: sequence } = parameters;
  return {
    id: id === "" ? undefined : id,
    sequenceId: canonicalSequenceId(sequence, "parameters.sequence_id"),
    sequenceStart: flag(parameters, "sequence_start"),
    sequenceEnd: flag(parameters, "sequence_end"),
    priority: count(parameters, "priority") || undefined,
    timeoutMicros: count(parameters, "timeout") || undefined,
    inputs: decodedInputs(inputs, raw),
    outputs: outputs.length === 0 ? undefined : wantedOutputs(outputs),
    binaryOutputDefault: true,
  };
}

function flag(parameters: ParameterMap, name: string): boolean {
  const value = parameters[name] ?? false;
  if (typeof value === "boolean") return value;
  throw new InvalidArgumentError(`expected a bool_param, got ${shown(value)}`, { path: `parameters.${name}` });
}

function count(parameters: ParameterMap, name: string): number {
  const value = parameters[name] ?? 0;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  const message = `expected an int64_param or uint64_param from 0 to 2^53 - 1, got ${shown(value)}`;
  throw new InvalidArgumentError(message, { path: `parameters.${name}` });
}

function decodedInputs(inputs: readonly InputMessage[], raw: readonly Buffer[]): DecodedInput[] {
  const names = new Set<string>();
  for (const [index, { name }] of inputs.entries()) {
    if (names.has(name)) throw new InvalidArgumentError(`"${name}" is there twice`, { path: `inputs[${index}].name` });
    names.add(name);
  }
  if (raw.length > 0 && raw.length !== inputs.length) {
    const message = `has ${raw.length} tensors for ${inputs.length} inputs; all of them are raw, or none`;
    throw new InvalidArgumentError(message, { path: "raw_input_contents" });
  }
  return inputs.map((input, index) => decodedInput(input, raw[index], `inputs[${index}]`));
}

function decodedInput(input: InputMessage, raw: Buffer | undefined, path: string): DecodedInput {
  const { name, datatype, shape, contents } = input;
  refuse(input.parameters, path, ["shared_memory_region"]);
  if (!isDatatype(datatype)) {
    const known = [...Object.keys(DATATYPES), "BYTES"].join(", ");
    throw new InvalidArgumentError(`expected one of ${known}, got ${shown(datatype)}`, { path: `${path}.datatype` });
  }
  const elements = countOf(shape, path);
  if (raw === undefined) {
    if (contents !== undefined) return contents.input(name, datatype, shape, elements, path);
    if (elements > 0) throw new InvalidArgumentError("has neither contents nor raw_input_contents", { path });
    return datatype === "BYTES"
      ? { name, datatype, shape, byteStrings: [] }
      : { name, datatype, shape, bytes: Buffer.alloc(0) };
  }
  if (contents !== undefined) throw new InvalidArgumentError("has contents, and raw_input_contents too", { path });
  if (datatype === "BYTES") return { name, datatype, shape, byteStrings: unpackByteStrings(raw, elements, path) };
  const expected = elements * DATATYPES[datatype].bytes;
  if (raw.byteLength !== expected) {
    const message = `${datatype} of shape [${shape.join(", ")}] is ${expected} bytes, not ${raw.byteLength}`;
    throw new InvalidArgumentError(message, { path });
  }
  if (datatype === "BOOL") checkBooleans(raw, path);
  return { name, datatype, shape, bytes: raw };
}

function countOf(shape: readonly number[], path: string): number {
  for (const [axis, size] of shape.entries()) {
    if (Number.isSafeInteger(size) && size >= 0) continue;
    throw new InvalidArgumentError(`expected an integer from 0 to 2^53 - 1, got ${size}`, {
      path: `${path}.shape[${axis}]`,
    });
  }
  const elements = elementCount(shape);
  if (Number.isSafeInteger(elements)) return elements;
  throw new InvalidArgumentError(`[${shape.join(", ")}] has more than 2^53 elements`, { path: `${path}.shape` });
}

function wantedOutputs(outputs: readonly OutputMessage[]): WantedOutput[] {
  const names = new Set<string>();
  return outputs.map(({ name, parameters }, index) => {
    const path = `outputs[${index}]`;
    if (names.has(name)) throw new InvalidArgumentError(`"${name}" is there twice`, { path: `${path}.name` });
    names.add(name);
    refuse(parameters, path, ["classification", "shared_memory_region"]);
    return { name, binary: true };
  });
}

/** Parts of the protocol that Headrace has not: answering something else than what was asked for would be worse. */
function refuse(parameters: ParameterMap, path: string, names: readonly string[]): void {
  for (const name of names) {
    if (parameters[name] === undefined) continue;
    throw new HeadraceError("UNIMPLEMENTED", "not supported by this server", { path: `${path}.parameters.${name}` });
  }
}
