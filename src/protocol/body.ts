/**
 * The body that requests and responses share: a JSON header with a list of tensors, each either in the JSON or after it.
 * A `BodyPlan` is everything that follows from the header alone, so it can be used again for the next equal header.
 */
import { bytesOf, type RawTensor } from "../datatype.js";
import { bug } from "../errors.js";
import { arrayAt, fail, isAbsent, type JsonObject, objectAt, optionalCount, refuseUnimplemented } from "./check.js";
import { tensorFromJson } from "./json-data.js";
import { decodedInput, fixedByteLength, type TensorHeader, tensorHeader } from "./tensor.js";
import type { DecodedInput } from "./v2.js";

interface PlannedTensor extends TensorHeader {
  /** Bytes in the binary part; 0 where `decoded` has the elements. */
  readonly byteLength: number;
  /** Whether the elements were in the JSON and have been moved out of it. */
  readonly isMoved?: boolean;
  /** The tensor itself where its elements are in the JSON. */
  readonly decoded: DecodedInput | undefined;
}

export interface TensorsPlan {
  readonly tensors: readonly PlannedTensor[];
  /** Bytes that must follow the header. */
  readonly binaryBytes: number;
  /** Whether all elements come after the header, so that the plan holds no data and may be shared. */
  readonly isShareable: boolean;
}

/** What becomes of a tensor whose elements are in the JSON, under `data`. */
type PlanElements = (data: unknown, header: TensorHeader, path: string) => PlannedTensor;

/** Tensors whose JSON has its elements. `jsonBytes` is its length: no more elements than it has bytes can be in it. */
export function planTensors(list: unknown, field: string, jsonBytes: number): TensorsPlan {
  return plan(list, field, (data, header, path) => {
    // Before anything is allocated for the shape: an element takes a byte of JSON at the very least.
    if (header.count > jsonBytes)
      fail(`${path}.shape`, `${header.count} elements cannot be in ${jsonBytes} bytes of JSON`);
    const tensor = tensorFromJson(data, header, `${path}.data`);
    return { ...header, byteLength: 0, decoded: inputFrom(header.name, tensor) };
  });
}

/** Tensors whose JSON has the number of bytes in the place of the elements, which were moved out of it. */
export function planMovedTensors(list: unknown, field: string): TensorsPlan {
  return plan(list, field, (data, header, path) => {
    if (typeof data !== "number") throw bug(`${path}.data was left in the JSON`);
    return { ...header, byteLength: data, isMoved: true, decoded: undefined };
  });
}

function plan(list: unknown, field: string, elements: PlanElements): TensorsPlan {
  const names = new Set<string>();
  const tensors = arrayAt(list, field).map((entry, index) => {
    const path = `${field}[${index}]`;
    const planned = planTensor(objectAt(entry, path), path, elements);
    if (names.has(planned.name)) fail(`${path}.name`, `"${planned.name}" is there twice`);
    names.add(planned.name);
    return planned;
  });
  const binaryBytes = tensors.reduce((sum, tensor) => sum + tensor.byteLength, 0);
  return { tensors, binaryBytes, isShareable: tensors.every((tensor) => tensor.decoded === undefined) };
}

function planTensor(entry: JsonObject, path: string, elements: PlanElements): PlannedTensor {
  const header = tensorHeader(entry, path);
  const parameters = isAbsent(entry.parameters) ? {} : objectAt(entry.parameters, `${path}.parameters`);
  refuseUnimplemented(parameters, path, ["shared_memory_region"]);
  const byteLength = optionalCount(parameters.binary_data_size, `${path}.parameters.binary_data_size`);
  if (byteLength === undefined) {
    if (isAbsent(entry.data)) fail(path, "has neither data nor parameters.binary_data_size");
    return elements(entry.data, header, path);
  }
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

function inputFrom(name: string, tensor: RawTensor): DecodedInput {
  const { datatype, shape, data } = tensor;
  if (datatype === "BYTES") return { name, datatype, shape, byteStrings: data };
  return { name, datatype, shape, bytes: bytesOf(data) };
}

/**
 * The bytes of all tensors in their order, where only some of them were in the JSON.
 *
 * @param moved Begins with the bytes of those that were.
 * @param rest The bytes of the others, all there is of them.
 */
export function joinMoved({ tensors, binaryBytes }: TensorsPlan, moved: Uint8Array, rest: Uint8Array): Uint8Array {
  const joined = new Uint8Array(binaryBytes);
  let [at, inMoved, inRest] = [0, 0, 0];
  for (const { byteLength, isMoved } of tensors) {
    const from = isMoved ? moved.subarray(inMoved) : rest.subarray(inRest);
    joined.set(from.subarray(0, byteLength), at);
    at += byteLength;
    if (isMoved) inMoved += byteLength;
    else inRest += byteLength;
  }
  checkLength(rest.byteLength, inRest, "inputs");
  return joined;
}

function checkLength(present: number, needed: number, field: string): void {
  if (present === needed) return;
  const problem = present < needed ? "is truncated" : "has left-over bytes";
  fail("body", `${problem}: ${present} bytes follow the JSON header, the ${field} need ${needed}`);
}

/** The tensors of a body whose header led to `plan`: views into `body` from `headerLength` on. */
export function readTensors(plan: TensorsPlan, body: Uint8Array, headerLength: number, field: string): DecodedInput[] {
  checkLength(body.byteLength - headerLength, plan.binaryBytes, field);
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
