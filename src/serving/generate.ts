/**
 * Triton's generate extension: a request is one flat JSON object of inputs and parameters, an answer one of outputs, and the
 * shapes are the model's.
 */
import { bytesOf, elementCount } from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";
import { isAbsent, objectAt, optionalBoolean, optionalCount, optionalString, show } from "../protocol/check.js";
import {
  canonicalSequenceId,
  type DecodedInput,
  type DecodedRequest,
  type NamedTensor,
  parseJson,
  type TensorMetadata,
  utf8Text,
} from "../protocol/index.js";
import { jsonOf, tensorFromJson } from "../protocol/json-data.js";

/** More dimensions than any tensor has; what is nested deeper is no element. */
const MAX_NESTING = 64;

/** The body of a generate request as an infer request. Throws INVALID_ARGUMENT with the path of what does not fit. */
export function generateRequest(body: Uint8Array, inputs: readonly TensorMetadata[]): DecodedRequest {
  const json = objectAt(parseJson(utf8Text(body, "body"), "body"), "body");
  const { id, parameters, ...fields } = json;
  // What is no input is a parameter, wherever it stands; and inputs may stand among the parameters.
  const nested = isAbsent(parameters) ? {} : objectAt(parameters, "parameters");
  const values = new Map([...Object.entries(nested), ...Object.entries(fields)]);
  const tensors = inputs.map((input) => tensorOf(values.get(input.name), input));
  for (const { name } of inputs) values.delete(name);
  for (const [name, value] of values) {
    if (typeof value !== "object" || value === null) continue;
    const known = inputs.map((input) => input.name).join(", ");
    throw new InvalidArgumentError(`is no input, and a parameter is one value; the inputs are ${known}`, {
      path: name,
    });
  }
  return {
    id: optionalString(id, "id"),
    sequenceId: canonicalSequenceId(values.get("sequence_id"), "sequence_id"),
    sequenceStart: optionalBoolean(values.get("sequence_start"), "sequence_start") ?? false,
    sequenceEnd: optionalBoolean(values.get("sequence_end"), "sequence_end") ?? false,
    priority: optionalCount(values.get("priority"), "priority") || undefined,
    timeoutMicros: optionalCount(values.get("timeout"), "timeout") || undefined,
    inputs: tensors,
    outputs: undefined,
    binaryOutputDefault: false,
  };
}

/** The answer's JSON: outputs of one element are that element, others flat lists. */
export function generateAnswer(
  model: { readonly name: string; readonly version: string },
  id: string | undefined,
  outputs: readonly NamedTensor[],
): string {
  const fields = outputs.map((output) => {
    const list = jsonOf(output, output.name);
    return `${JSON.stringify(output.name)}:${elementCount(output.shape) === 1 ? list.slice(1, -1) : list}`;
  });
  const head = [
    `"model_name":${JSON.stringify(model.name)}`,
    `"model_version":${JSON.stringify(model.version)}`,
    ...(id === undefined ? [] : [`"id":${JSON.stringify(id)}`]),
  ];
  return `{${[...head, ...fields].join(",")}}`;
}

function tensorOf(value: unknown, { name, datatype, shape }: TensorMetadata): DecodedInput {
  if (isAbsent(value)) throw new InvalidArgumentError("this input is missing", { path: name });
  const elements = Array.isArray(value) ? value.flat(MAX_NESTING) : [value];
  const full = filledShape(shape, elements.length);
  if (full === undefined) {
    throw new InvalidArgumentError(`${show(value)} does not fill the shape [${shape.join(", ")}]`, { path: name });
  }
  const tensor = tensorFromJson(elements, { name, datatype, shape: full, count: elements.length }, name);
  return tensor.datatype === "BYTES"
    ? { name, datatype: tensor.datatype, shape: full, byteStrings: tensor.data }
    : { name, datatype: tensor.datatype, shape: full, bytes: bytesOf(tensor.data) };
}

/**
 * The model's shape for so many elements: the last open dimension takes what the fixed ones leave, other open ones are 1.
 * Undefined where the number does not come out.
 */
function filledShape(shape: readonly number[], count: number): number[] | undefined {
  const fixed = elementCount(shape.filter((size) => size >= 0));
  const open = shape.findLastIndex((size) => size < 0);
  if (fixed === 0 || count % fixed !== 0 || (open < 0 && count !== fixed)) return undefined;
  return shape.map((size, axis) => (size >= 0 ? size : axis === open ? count / fixed : 1));
}
