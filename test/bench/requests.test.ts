/** The bytes that the generator sends: right for each protocol, with the gap where the sequence's name is. */
import t from "tap";
import type { ServedModel } from "../../src/bench/management.js";
import { encodeRequests, type RequestOptions, rawInput } from "../../src/bench/requests.js";
import { MessageCodec } from "../../src/drivers/grpc/messages/schema.js";

const MODEL: ServedModel = {
  name: "my model",
  inputs: [{ name: "input", datatype: "FP32", shape: [-1, 2] }],
  outputs: [],
  stateful: true,
  server: undefined,
};
const STEP = { input: { datatype: "FP32", shape: [1, 2], data: Float32Array.of(1, -2) } } as const;
const TENSOR = Buffer.from(STEP.input.data.buffer);

interface Body {
  readonly gap: number;
  readonly bytes: Buffer;
}

function encoded(options: Partial<RequestOptions> & Pick<RequestOptions, "protocol">) {
  const file = encodeRequests([STEP], {
    model: MODEL,
    host: "example:8000",
    headers: { Authorization: "Bearer x" },
    stateful: true,
    endsSequences: false,
    ...options,
  });
  t.equal(file.toString("latin1", 0, 4), "HRQ1");
  const [gap, forms, steps] = [4, 8, 12].map((at) => file.readUInt32LE(at));
  const bodies: Body[] = [];
  for (let at = 16; at < file.length; ) {
    const size = file.readUInt32LE(at);
    bodies.push({ gap: file.readUInt32LE(at + 4), bytes: file.subarray(at + 8, at + 8 + size) });
    at += 8 + size;
  }
  t.equal(bodies.length, (forms ?? 0) * (steps ?? 0));
  return { gap, bodies };
}

t.test("HTTP: a whole request, whose lengths are right, with the name of the sequence in the gap", async (t) => {
  const { gap, bodies } = encoded({ protocol: "http-binary", endsSequences: true });
  t.equal(gap, 1);
  const flags = bodies.map(({ gap: at, bytes }) => {
    const text = bytes.toString("latin1");
    const [head = "", ...rest] = text.split("\r\n\r\n");
    const body = Buffer.from(rest.join("\r\n\r\n"), "latin1");
    t.match(head, /^POST \/v2\/models\/my%20model\/infer HTTP\/1.1\r\nHost: example:8000\r\nAuthorization: Bearer x/);
    t.equal(Number(/^Content-Length: (\d+)/m.exec(head)?.[1]), body.length);
    const header = Number(/Inference-Header-Content-Length: (\d+)/.exec(head)?.[1]);
    t.same(body.subarray(header), TENSOR);
    t.equal(text.slice(at, at + 10), "1000000000");
    const { parameters } = JSON.parse(body.toString("utf8", 0, header));
    t.equal(parameters.sequence_id, 1_000_000_000);
    return [parameters.sequence_start ?? false, parameters.sequence_end ?? false];
  });
  t.same(flags, [
    [true, false],
    [false, false],
    [false, true],
    [true, true],
  ]);
});

t.test("without state there is no sequence, and no gap", async (t) => {
  for (const protocol of ["http-json", "ws-binary", "grpc"] as const) {
    const { gap, bodies } = encoded({ protocol, stateful: false, endsSequences: true });
    t.equal(gap, 0);
    t.equal(bodies.length, 1);
    t.notOk(bodies[0]?.bytes.includes("sequence_id"));
  }
});

t.test("gRPC: a message that the declarations read, with a varint of five bytes in the gap", async (t) => {
  const { gap, bodies } = encoded({ protocol: "grpc", endsSequences: true });
  t.equal(gap, 2);
  const [, , , both] = bodies;
  const { bytes, gap: at } = both ?? { bytes: Buffer.alloc(0), gap: 0 };
  const another = Buffer.from(bytes);
  another.set([0x81, 0x94, 0xeb, 0xdc, 0x03], at);
  const decode = (message: Buffer) => new MessageCodec("inference.ModelInferRequest").decode(message);
  t.match(decode(bytes), {
    model_name: "my model",
    parameters: {
      sequence_id: { int64_param: "1000000000" },
      sequence_start: { bool_param: true },
      sequence_end: { bool_param: true },
    },
    inputs: [{ name: "input", datatype: "FP32", shape: ["1", "2"] }],
  });
  t.same([...(decode(bytes).raw_input_contents as Uint8Array[])].map(Buffer.from), [TENSOR]);
  t.match(decode(another), { parameters: { sequence_id: { int64_param: "1000000001" } } });
});

t.test("WebSocket frames: the binary form, and a raw one behind the number of its stream", async (t) => {
  const binary = encoded({ protocol: "ws-binary" }).bodies[0]?.bytes ?? Buffer.alloc(0);
  const header = binary.readUInt32LE(0);
  t.match(JSON.parse(binary.toString("utf8", 4, 4 + header)), { inputs: [{ name: "input", shape: [1, 2] }] });
  t.same(binary.subarray(4 + header), TENSOR);
  const raw = encoded({ protocol: "ws-raw" });
  t.equal(raw.gap, 3);
  t.same(raw.bodies[0], { gap: 0, bytes: Buffer.concat([Buffer.alloc(4), TENSOR]) });
  const two = [...MODEL.inputs, { name: "other", datatype: "FP32", shape: [1] } as const];
  t.throws(() => rawInput({ name: "m", inputs: two }), { message: /one input, m has input, other/ });
});
