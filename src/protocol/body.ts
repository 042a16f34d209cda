/**
 * The body that requests and responses share: a JSON header with a list of tensors, each either in the JSON or after it.
 * A `BodyPlan` is everything that follows from the header alone, so it can be used again for the next equal header.
 */
import { bytesOf, type RawTensor } from "../datatype.js";
import { arrayAt, fail, isAbsent, type JsonObject, objectAt, optionalCount, refuseUnimplemented } from "./check.js";
import { tensorFromJson } from "./json-data.js";
import { decodedInput, fixedByteLength, type TensorHeader, tensorHeader } from "./tensor.js";
import type { DecodedInput } from "./v2.js";

interface PlannedTensor extends TensorHeader {
  /** Bytes in the binary part; 0 when the elements were in the JSON. */
  readonly byteLength: number;
  /** The tensor itself when its elements were in the JSON. */
  readonly decoded: DecodedInput | undefined;
}

export interface TensorsPlan {
  readonly tensors: readonly PlannedTensor[];
  /** Bytes that must follow the header. */
  readonly binaryBytes: number;
  /** Whether all elements come after the header, so that the plan holds no data and may be shared. */
  readonly isShareable: boolean;
}

/** @param jsonBytes Length of the JSON: no more elements than it has bytes can be in it. */
export function planTensors(list: unknown, field: string, jsonBytes: number): TensorsPlan {
  const names = new Set<string>();
  const tensors = arrayAt(list, field).map((entry, index) => {
    const path = `${field}[${index}]`;
    const planned = planTensor(objectAt(entry, path), path, jsonBytes);
    if (names.has(planned.name)) fail(`${path}.name`, `"${planned.name}" is there twice`);
    names.add(planned.name);
    return planned;
  });
  const binaryBytes = tensors.reduce((sum, tensor) => sum + tensor.byteLength, 0);
  return { tensors, binaryBytes, isShareable: tensors.every((tensor) => tensor.decoded === undefined) };
}

function planTensor(entry: JsonObject, path: string, jsonBytes: number): PlannedTensor {
  const header = tensorHeader(entry, path);
  const parameters = isAbsent(entry.parameters) ? {} : objectAt(entry.parameters, `${path}.parameters`);
  refuseUnimplemented(parameters, path, ["shared_memory_region"]);
  const byteLength = optionalCount(parameters.binary_data_size, `${path}.parameters.binary_data_size`);
  if (byteLength === undefined) return planJsonTensor(entry, header, path, jsonBytes);
  if (!isAbsent(entry.data)) fail(path, "has both data and parameters.binary_data_size");
  const expected = fixedByteLength(header);
  if (expected !== undefined && expected !== byteLength) {
    const shape = `[${header.shape.join(", ")}]`;
    fail(
      `${path}.parameters.binary_data_size`,
      `${header.datatype} of shape ${shape} is ${expected} bytes, not ${byteLength}`,
    );
  }
  return { ...header, byteLength, decoded: undefined };
}

function planJsonTensor(entry: JsonObject, header: TensorHeader, path: string, jsonBytes: number): PlannedTensor {
  if (isAbsent(entry.data)) fail(path, "has neither data nor parameters.binary_data_size");
  // Before anything is allocated for the shape: an element takes a byte of JSON at the very least.
  if (header.count > jsonBytes)
    fail(`${path}.shape`, `${header.count} elements cannot be in ${jsonBytes} bytes of JSON`);
  const tensor = tensorFromJson(entry.data, header, `${path}.data`);
  return { ...header, byteLength: 0, decoded: inputFrom(header.name, tensor) };
}

function inputFrom(name: string, tensor: RawTensor): DecodedInput {
  const { datatype, shape, data } = tensor;
  if (datatype === "BYTES") return { name, datatype, shape, byteStrings: data };
  return { name, datatype, shape, bytes: bytesOf(data) };
}

/** The tensors of a body whose header led to `plan`: views into `body` from `headerLength` on. */
export function readTensors(plan: TensorsPlan, body: Uint8Array, headerLength: number, field: string): DecodedInput[] {
  const present = body.byteLength - headerLength;
  if (present !== plan.binaryBytes) {
    const problem = present < plan.binaryBytes ? "is truncated" : "has left-over bytes";
    fail("body", `${problem}: ${present} bytes follow the JSON header, the ${field} need ${plan.binaryBytes}`);
  }
  const inputs: DecodedInput[] = [];
  let at = headerLength;
  for (let index = 0; index < plan.tensors.length; index++) {
    const planned = plan.tensors[index];
    if (planned === undefined) break;
    if (planned.decoded !== undefined) {
      inputs.push(planned.decoded);
      continue;
    }
    const end = at + planned.byteLength;
    inputs.push(decodedInput(planned, body.subarray(at, end), field, index));
    at = end;
  }
  return inputs;
}

/** The JSON part of a body, after checking that it is there at all. */
export function headerBytes(body: Uint8Array, headerLength: number): Uint8Array {
  if (!Number.isSafeInteger(headerLength) || headerLength < 0 || headerLength > body.byteLength) {
    fail("body", `a JSON header of ${headerLength} bytes does not fit a body of ${body.byteLength}`);
  }
  return headerLength === body.byteLength ? body : body.subarray(0, headerLength);
}
