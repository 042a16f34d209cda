/** Steps as the bytes that each protocol sends, with a gap for the name of the sequence. */

import { bytesField, packedField, stringField } from "../drivers/grpc/messages/writer.js";
import { bug, InvalidArgumentError } from "../errors.js";
import { binaryOf, encodeInferRequest, type InferRequest } from "../protocol/index.js";
import type { Step } from "./input.js";
import type { ServedModel } from "./management.js";
import { FIRST_SEQUENCE, FORMS, type Gap, type RequestBody, requestFile } from "./request-file.js";
import type { BenchProtocol } from "./result.js";

/** How a step stands in its sequence; undefined for one of no sequence. */
type Place = { readonly start: boolean; readonly end: boolean } | undefined;

export interface RequestOptions {
  readonly protocol: Exclude<BenchProtocol, "engine">;
  readonly model: Pick<ServedModel, "name" | "inputs">;
  /** With the port, as HTTP's Host has it. */
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly stateful: boolean;
  /** Whether sequences end. */
  readonly endsSequences: boolean;
}

/** The path of a request over HTTP, without what a base URL has in front. */
export function modelPath(model: string): string {
  return `/v2/models/${encodeURIComponent(model)}`;
}

/** The input whose bytes are a raw frame. @throws INVALID_ARGUMENT where the model has several. */
export function rawInput({ name, inputs }: Pick<ServedModel, "name" | "inputs">): string {
  const [only, second] = inputs;
  if (only !== undefined && second === undefined) return only.name;
  const message = `ws-raw is for models of one input, ${name} has ${inputs.map((input) => input.name).join(", ")}`;
  throw new InvalidArgumentError(message, { path: "--protocol" });
}

/** The file that the generator reads. */
export function encodeRequests(steps: readonly Step[], options: RequestOptions): Buffer {
  const { protocol, stateful, endsSequences } = options;
  if (protocol === "ws-raw")
    return requestFile(
      "number",
      steps.map((step) => [rawFrame(step, rawInput(options.model))]),
    );
  const places: readonly Place[] = stateful ? (endsSequences ? FORMS : [{ start: false, end: false }]) : [undefined];
  const encode = protocol === "grpc" ? grpcMessage : protocol === "ws-binary" ? binaryFrame : httpRequest;
  const gap: Gap = !stateful ? "none" : protocol === "grpc" ? "varint" : "digits";
  return requestFile(
    gap,
    steps.map((step) => places.map((place) => encode(step, place, options))),
  );
}

/** The number of the stream, and the bytes of the input. */
function rawFrame(step: Step, input: string): RequestBody {
  const tensor = step[input];
  if (tensor === undefined) throw bug(`no data for input ${input}`);
  const bytes = tensor.datatype === "BYTES" ? (tensor.data[0] ?? new Uint8Array()) : binaryOf(tensor);
  return { gap: 0, bytes: Buffer.concat([Buffer.alloc(4), bytes]) };
}

function request(step: Step, place: Place): InferRequest {
  if (place === undefined) return { inputs: step };
  return { inputs: step, sequenceId: FIRST_SEQUENCE, sequenceStart: place.start, sequenceEnd: place.end };
}

function gapIn(bytes: Buffer, place: Place): number {
  const key = '"sequence_id":';
  return place === undefined ? 0 : bytes.indexOf(`${key}${FIRST_SEQUENCE}`) + key.length;
}

function httpRequest(step: Step, place: Place, { protocol, model, host, headers }: RequestOptions): RequestBody {
  const isBinary = protocol === "http-binary";
  const message = encodeInferRequest(request(step, place), { binary: isBinary });
  const lines = [
    `POST ${modelPath(model.name)}/infer HTTP/1.1`,
    `Host: ${host}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `Content-Type: ${isBinary ? "application/octet-stream" : "application/json"}`,
    ...(message.headerLength === undefined ? [] : [`Inference-Header-Content-Length: ${message.headerLength}`]),
    `Content-Length: ${message.total}`,
  ];
  const bytes = Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), message.header, ...message.parts]);
  return { gap: gapIn(bytes, place), bytes };
}

function binaryFrame(step: Step, place: Place): RequestBody {
  const { header, parts } = encodeInferRequest(request(step, place), { binary: true });
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.byteLength);
  const bytes = Buffer.concat([length, header, ...parts]);
  return { gap: gapIn(bytes, place), bytes };
}

/** A message ModelInferRequest with its tensors in raw_input_contents. */
function grpcMessage(step: Step, place: Place, { model }: RequestOptions): RequestBody {
  const tensors = Object.entries(step);
  const front = stringField(1, model.name);
  const parameter = (name: string, value: Buffer): Buffer =>
    bytesField(4, Buffer.concat([stringField(1, name), bytesField(2, value)]));
  const yes = Buffer.from([0x08, 1]); // bool_param
  const sequence = parameter("sequence_id", Buffer.from([0x10, ...varint(FIRST_SEQUENCE)])); // int64_param
  const flags = Buffer.concat([
    ...(place?.start === true ? [parameter("sequence_start", yes)] : []),
    ...(place?.end === true ? [parameter("sequence_end", yes)] : []),
  ]);
  const inputs = tensors.map(([name, { datatype, shape }]) =>
    bytesField(5, Buffer.concat([stringField(1, name), stringField(2, datatype), packedField(3, shape)])),
  );
  const raw = tensors.map(([, tensor]) => bytesField(7, binaryOf(tensor)));
  const named = place === undefined ? [] : [sequence, flags];
  return {
    gap: place === undefined ? 0 : front.byteLength + sequence.byteLength - varint(FIRST_SEQUENCE).length,
    bytes: Buffer.concat([front, ...named, ...inputs, ...raw]),
  };
}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}
