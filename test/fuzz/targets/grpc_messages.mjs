// Messages of gRPC: cutting a call's bytes into messages, requests for predictions as they are read by hand, against
// protobufjs, and the other messages.

import { load } from "../lib/build.mjs";
import { demand, survives } from "../lib/survives.mjs";

export const decoders = [
  "src/drivers/grpc/call-head.ts",
  "src/drivers/grpc/message-reader.ts",
  "src/drivers/grpc/messages/contents.ts",
  "src/drivers/grpc/messages/infer-request.ts",
  "src/drivers/grpc/messages/parameters.ts",
  "src/drivers/grpc/messages/reader.ts",
  "src/drivers/grpc/messages/schema.ts",
];

const { callHead } = await load("src/drivers/grpc/call-head.ts");
const { outlineOf } = await load("src/drivers/grpc/infer-cache.ts");
const { MessageReader } = await load("src/drivers/grpc/message-reader.ts");
const { readInferRequest } = await load("src/drivers/grpc/messages/infer-request.ts");
const { methodsOf, schema } = await load("src/drivers/grpc/messages/schema.ts");
const Request = schema().lookupType("inference.ModelInferRequest");
const codecs = [
  "inference.GRPCInferenceService",
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
].flatMap((service) => [...methodsOf(service).values()].flatMap(({ request, response }) => [request, response]));
const LIMIT = 4096;

export function fuzz(bytes) {
  const how = bytes[0] ?? 0;
  const body = bytes.subarray(1);
  if (how % 4 === 0) inferRequest(body);
  else if (how % 4 === 1) messages(body);
  else if (how % 4 === 2) head(body);
  else other(codecs[(how >> 2) % codecs.length], body);
}

function inferRequest(bytes) {
  const outline = outlineOf(bytes);
  const read = survives(() => readInferRequest(bytes));
  if (read === undefined) return;
  const known = Request.toObject(Request.decode(bytes), { defaults: true, longs: String });
  demand(read.modelName === known.model_name && read.modelVersion === known.model_version, "the same model");
  demand((read.request.id ?? "") === known.id, "the same id");
  demand(read.request.inputs.length === known.inputs.length, "the same inputs");
  for (const [index, input] of read.request.inputs.entries()) {
    demand(input.name === known.inputs[index].name && input.datatype === known.inputs[index].datatype, "their kinds");
    demand(input.shape.join() === known.inputs[index].shape.join(), "their shapes");
    const raw = known.raw_input_contents[index];
    if (raw === undefined || input.datatype === "BYTES") continue;
    demand(Buffer.from(input.bytes).equals(Buffer.from(raw)), "their bytes");
  }
  if (outline === undefined) return;
  demand(outline.id === known.id, "the outline has the same id");
  const last = known.raw_input_contents.at(-1) ?? Buffer.alloc(0);
  demand(bytes.length - outline.rawAt === last.length, "and the same tensor");
}

/** Cut at any place, the bytes are the same messages. */
function messages(bytes) {
  const cutEvery = 1 + ((bytes[0] ?? 0) % 16);
  const whole = cut([bytes]);
  const pieces = [];
  for (let at = 0; at < bytes.length; at += cutEvery) pieces.push(bytes.subarray(at, at + cutEvery));
  const parts = cut(pieces);
  demand(whole.text === parts.text && whole.isBetween === parts.isBetween, "the same messages however they are cut");
}

function cut(pieces) {
  let text = "";
  const reader = new MessageReader(LIMIT, (bytes, isPacked) => {
    demand(bytes.length <= LIMIT, "no more than the limit");
    text += `${isPacked} ${bytes.toString("latin1")}\n`;
  });
  const read = survives(() => {
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; ) {
        const next = reader.read(piece, at);
        demand(next > at && next <= piece.length, "something is read");
        at = next;
      }
    }
    return reader.isBetweenMessages;
  });
  return { text, isBetween: read };
}

function head(bytes) {
  const headers = bytes
    .toString("latin1")
    .split("\n")
    .map((line) => [line.split("=", 1)[0], line.slice(line.indexOf("=") + 1)]);
  const { error, timeoutMillis = 0, metadata } = callHead({ headers, isTooLarge: bytes.length > 2000 });
  demand(
    error === undefined || ["INVALID_ARGUMENT", "UNIMPLEMENTED", "RESOURCE_EXHAUSTED"].includes(error.code),
    "its error",
  );
  demand(timeoutMillis >= 0 && Number.isFinite(timeoutMillis), "a time");
  demand(
    metadata.every(([name]) => !name.startsWith(":")),
    "metadata",
  );
}

function other(codec, bytes) {
  const message = survives(() => codec.decode(bytes));
  if (message === undefined) return;
  demand(survives(() => codec.decode(codec.encode(message))) !== undefined, "what was read can be written and read");
}
