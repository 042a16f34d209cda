/** The messages that are read and written by hand, against protobufjs. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import protobuf from "protobufjs";
import t from "tap";
import type { Payload } from "../../../src/drivers/grpc/http2/stream.js";
import { outlineOf } from "../../../src/drivers/grpc/infer-cache.js";
import { protoFiles } from "../../../src/drivers/grpc/messages/descriptors.js";
import { readInferRequest } from "../../../src/drivers/grpc/messages/infer-request.js";
import {
  inferResponse,
  responseHead,
  streamError,
  streamResponse,
} from "../../../src/drivers/grpc/messages/infer-response.js";
import { MessageCodec, schema } from "../../../src/drivers/grpc/messages/schema.js";
import { HeadraceError } from "../../../src/errors.js";
import { ROOT } from "../../support/paths.js";

const root = protobuf.parse(
  readFileSync(`${ROOT}proto/grpc_service.proto`, "utf8").replace('import "model_config.proto";', ""),
  {
    keepCase: true,
  },
).root;
protobuf.parse(readFileSync(`${ROOT}proto/model_config.proto`, "utf8"), root, { keepCase: true });
const Request = root.lookupType("inference.ModelInferRequest");
const Response = root.lookupType("inference.ModelInferResponse");
const StreamResponse = root.lookupType("inference.ModelStreamInferResponse");

/** With a field of contents that the protocol does not have. */
const LaterRequest = protobuf
  .parse(
    readFileSync(`${ROOT}proto/grpc_service.proto`, "utf8")
      .replace('import "model_config.proto";', "")
      .replace("message InferTensorContents {", "$& repeated uint32 later_contents = 99;"),
    { keepCase: true },
  )
  .root.lookupType("inference.ModelInferRequest");

const encoded = (message: object): Buffer => Buffer.from(Request.encode(Request.fromObject(message)).finish());
const bytesOf = (payload: Payload): Buffer => {
  const bytes = Buffer.alloc(payload.byteLength + 2);
  payload.writeTo(bytes, 1);
  t.ok(bytes[0] === 0 && bytes.at(-1) === 0, "nothing is written beside its place");
  return bytes.subarray(1, -1);
};

const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
const requests = fc.record({
  model_name: fc.string({ unit: "grapheme" }),
  model_version: fc.string(),
  id: fc.string({ unit: "grapheme", maxLength: 300 }),
  sequence: fc.oneof(fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }), fc.uuid()),
  start: fc.boolean(),
  priority: fc.nat(),
  floats: fc.array(fc.float({ noNaN: true }), { minLength: 1, maxLength: 200 }),
  input: name,
  outputs: fc.uniqueArray(name, { maxLength: 3 }),
  isRaw: fc.boolean(),
});

t.test("requests are read as they were written", async () => {
  fc.assert(
    fc.property(requests, ({ sequence, start, priority, floats, input, outputs, isRaw, ...texts }) => {
      const array = new Float32Array(floats);
      const bytes = Buffer.from(array.buffer);
      const id = typeof sequence === "bigint" ? { int64_param: String(sequence) } : { string_param: sequence };
      const message = encoded({
        ...texts,
        parameters: {
          sequence_id: id,
          sequence_start: { bool_param: start },
          priority: { uint64_param: priority },
          other: { double_param: 1 },
        },
        inputs: [
          {
            name: input,
            datatype: "FP32",
            shape: [1, floats.length],
            ...(isRaw ? {} : { contents: { fp32_contents: floats } }),
          },
        ],
        outputs: outputs.map((output) => ({ name: output })),
        raw_input_contents: isRaw ? [bytes] : [],
      });
      const { modelName, modelVersion, request } = readInferRequest(message);
      const [first] = request.inputs;
      const outline = outlineOf(message);
      return (
        modelName === texts.model_name &&
        modelVersion === texts.model_version &&
        (request.id ?? "") === texts.id &&
        request.sequenceId === String(sequence) &&
        request.sequenceStart === start &&
        (request.priority ?? 0) === priority &&
        first?.name === input &&
        first.datatype === "FP32" &&
        bytes.equals(first.bytes) &&
        JSON.stringify(request.outputs?.map((output) => output.name) ?? []) === JSON.stringify(outputs) &&
        (outline !== undefined) === isRaw &&
        (outline === undefined || (outline.id === texts.id && message.subarray(outline.rawAt).equals(bytes)))
      );
    }),
    { numRuns: 500 },
  );
});

t.test("an outline has all that makes a request another one, but its id", async (t) => {
  const base = {
    model_name: "gru",
    id: "1",
    inputs: [{ name: "input", datatype: "FP32", shape: [1, 1] }],
    raw_input_contents: [Buffer.alloc(4)],
  };
  const key = outlineOf(encoded(base))?.key;
  t.ok(key);
  t.equal(outlineOf(encoded({ ...base, id: "2" }))?.key, key);
  t.equal(outlineOf(encoded({ ...base, raw_input_contents: [Buffer.alloc(4, 1)] }))?.key, key);
  t.not(outlineOf(encoded({ ...base, model_version: "2" }))?.key, key);
  t.not(outlineOf(encoded({ ...base, parameters: { sequence_id: { int64_param: 1 } } }))?.key, key);
  t.equal(outlineOf(encoded({ ...base, raw_input_contents: [Buffer.alloc(4), Buffer.alloc(4)] })), undefined);
  t.equal(outlineOf(encoded({ model_name: "gru" })), undefined);
});

t.test("any bytes are a request or INVALID_ARGUMENT", async () => {
  const good = encoded({
    model_name: "gru",
    id: "7",
    parameters: { sequence_id: { string_param: "s" } },
    inputs: [
      { name: "a", datatype: "INT32", shape: [2], contents: { int_contents: [1, -1] } },
      { name: "b", datatype: "BYTES", shape: [1], contents: { bytes_contents: [Buffer.from("x")] } },
    ],
  });
  const mutants = fc.tuple(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length)).map(([at, value, length]) => {
    const bytes = Buffer.from(good);
    bytes[at] = value;
    return bytes.subarray(0, length);
  });
  fc.assert(
    fc.property(
      fc.oneof(
        mutants,
        fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
      ),
      (bytes) => {
        outlineOf(bytes);
        try {
          readInferRequest(bytes);
          return true;
        } catch (error) {
          return error instanceof HeadraceError && error.code !== "INTERNAL";
        }
      },
    ),
    { numRuns: 3000 },
  );
});

t.test("names that are no UTF-8 are refused, not mixed up", async (t) => {
  const bytes = Buffer.concat([encoded({ model_name: "m" }), Buffer.from([0x1a, 1, 0xff])]);
  t.throws(() => readInferRequest(bytes), { message: /no UTF-8/ });
  t.equal(
    readInferRequest(encoded({ id: "\ufffd" })).request.id,
    "\ufffd",
    "the replacement character itself is a character",
  );
});

t.test("an element that goes on behind its list is no element", async (t) => {
  const input = (name: string) => ({ name, datatype: "BOOL", shape: [2], contents: { bool_contents: [true, true] } });
  const bytes = encoded({ inputs: [input("first"), input("second")] });
  t.equal(readInferRequest(bytes).request.inputs.length, 2);
  const last = bytes.indexOf(Buffer.of(0x0a, 2, 1, 1)) + 3;
  bytes[last] = 0x81;
  t.throws(() => readInferRequest(bytes), { code: "INVALID_ARGUMENT", path: "message" });
  t.throws(() => Request.decode(bytes), "protobufjs refuses it too");
});

t.test("fields that contents have in later versions are passed over", async (t) => {
  const contents = { int64_contents: [7], later_contents: [1, 2, 3] };
  const later = { inputs: [{ name: "x", datatype: "INT64", shape: [1], contents }] };
  const [input] = readInferRequest(Buffer.from(LaterRequest.encode(LaterRequest.fromObject(later)).finish())).request
    .inputs;
  t.match(input, { datatype: "INT64", bytes: new Uint8Array(new BigInt64Array([7n]).buffer) });
});

t.test("nor may a dimension run on behind its shape", async (t) => {
  // A name, a shape of one byte whose number would go on with the next one, which is the last.
  const input = Buffer.from([0x0a, 1, 0x78, 0x1a, 1, 0x80, 0x01]);
  const bytes = Buffer.concat([Buffer.from([0x2a, input.length]), input]);
  t.throws(() => readInferRequest(bytes), { code: "INVALID_ARGUMENT", message: /ends after its message/ });
  t.throws(() => Request.decode(bytes), "protobufjs refuses it too");
});

t.test("integers out of their datatype's range", async (t) => {
  for (const [datatype, field, value] of [
    ["INT8", "int_contents", 128],
    ["INT16", "int_contents", -32769],
    ["UINT8", "uint_contents", 256],
    ["UINT16", "uint_contents", 65536],
  ] as const) {
    const bytes = encoded({ inputs: [{ name: "x", datatype, shape: [1], contents: { [field]: [value] } }] });
    t.throws(() => readInferRequest(bytes), {
      message: new RegExp(`inputs\\[0\\].contents\\[0\\]: ${value} is no ${datatype}`),
    });
  }
});

t.test("responses are read as they were written", async () => {
  const outputs = fc.array(
    fc.tuple(name, fc.array(fc.nat(2 ** 40), { maxLength: 4 }), fc.uint8Array({ maxLength: 300 })),
    { maxLength: 3 },
  );
  fc.assert(
    fc.property(name, fc.string({ unit: "grapheme" }), outputs, (model, id, tensors) => {
      const head = responseHead(
        model,
        "3",
        tensors.map(([output, shape]) => ({ name: output, datatype: "UINT8", shape })),
      );
      const raws = tensors.map(([, , bytes]) => bytes);
      const options = { longs: String, defaults: true, oneofs: false } as const;
      const answer = Response.toObject(Response.decode(bytesOf(inferResponse(head, id, raws))), options);
      const inStream = StreamResponse.toObject(StreamResponse.decode(bytesOf(streamResponse(head, id, raws))), options);
      const expected = JSON.stringify(tensors.map(([output, shape]) => [output, shape.map(String)]));
      return (
        [answer, inStream.infer_response].every(
          (one) =>
            one.model_name === model &&
            one.model_version === "3" &&
            one.id === id &&
            JSON.stringify(
              one.outputs.map((output: { name: string; shape: string[] }) => [output.name, output.shape]),
            ) === expected &&
            one.raw_output_contents.every((bytes: Uint8Array, index: number) =>
              Buffer.from(raws[index] ?? []).equals(bytes),
            ) &&
            one.raw_output_contents.length === raws.length,
        ) && inStream.infer_response.parameters.triton_final_response.bool_param === true
      );
    }),
  );
  const failed = StreamResponse.toObject(StreamResponse.decode(bytesOf(streamError("no", "7"))), { defaults: true });
  t.match(failed, { error_message: "no", infer_response: { id: "7" } });
});

t.test("64-bit integers of other messages are exact", async (t) => {
  const codec = new MessageCodec("inference.ModelStatistics");
  const bytes = codec.encode({
    name: "gru",
    inference_count: 2n ** 63n + 1n,
    inference_stats: { success: { count: 3, ns: "18446744073709551615" } },
  });
  t.match(codec.decode(bytes), {
    inference_count: "9223372036854775809",
    inference_stats: { success: { count: "3", ns: "18446744073709551615" } },
  });
  t.throws(() => codec.decode(Buffer.from([0xff])), { code: "INVALID_ARGUMENT" });
});

t.test("descriptors say what the .proto files say", async (t) => {
  const files = protoFiles();
  t.same(files.map((file) => file.name).sort(), [
    "grpc_service.proto",
    "health.proto",
    "model_config.proto",
    "reflection_v1.proto",
    "reflection_v1alpha.proto",
  ]);
  const [service] = files;
  const json = JSON.parse(readFileSync(`${ROOT}node_modules/protobufjs/google/protobuf/descriptor.json`, "utf8"));
  const File = protobuf.Root.fromJSON(json).lookupType("google.protobuf.FileDescriptorProto");
  const file = File.toObject(File.decode(service?.descriptor ?? Buffer.alloc(0)), { enums: String });
  t.same(
    file.service[0].method.map((method: { name: string }) => method.name),
    Object.keys(schema().lookupService("inference.GRPCInferenceService").methods),
  );
  const request = file.messageType.find((message: { name: string }) => message.name === "ModelInferRequest");
  t.match(
    request.field.find((field: { name: string }) => field.name === "parameters"),
    {
      number: 4,
      label: "LABEL_REPEATED",
      type: "TYPE_MESSAGE",
      typeName: ".inference.ModelInferRequest.ParametersEntry",
    },
  );
  t.match(request.nestedType.at(-1), { name: "ParametersEntry", options: { mapEntry: true } });
});
