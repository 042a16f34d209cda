import t from "tap";
import { decodeRawInfer, encodeRawAnswer, type TensorMetadata } from "../../src/protocol/index.js";
import { rejects } from "./helpers.js";

const shapeOf = (input: TensorMetadata, bytes: number) => decodeRawInfer(new Uint8Array(bytes), input).inputs[0]?.shape;

t.test("the body is one row of the model's input", async (t) => {
  const body = new Uint8Array(2048);
  const request = decodeRawInfer(body, { name: "audio", datatype: "FP32", shape: [-1, 512] }, { sequenceId: "s" });
  t.same(request, {
    id: undefined,
    sequenceId: "s",
    sequenceStart: false,
    sequenceEnd: false,
    priority: undefined,
    timeoutMicros: undefined,
    inputs: [{ name: "audio", datatype: "FP32", shape: [1, 512], bytes: body }],
    outputs: undefined,
    binaryOutputDefault: true,
  });
  const [audio] = request.inputs;
  t.ok(audio?.datatype === "FP32" && audio.bytes.buffer === body.buffer, "not copied");
});

t.test("shapes", async (t) => {
  t.same(shapeOf({ name: "x", datatype: "INT64", shape: [1] }, 8), [1]);
  t.same(shapeOf({ name: "x", datatype: "INT64", shape: [] }, 8), []);
  t.same(shapeOf({ name: "x", datatype: "FP32", shape: [-1] }, 4), [1]);
  t.same(shapeOf({ name: "x", datatype: "FP32", shape: [-1, -1, 2] }, 24), [1, 3, 2]);
  t.same(shapeOf({ name: "x", datatype: "FP32", shape: [4, -1] }, 16), [4, 1]);
  t.same(shapeOf({ name: "x", datatype: "FP32", shape: [-1, -1] }, 0), [1, 0]);
});

t.test("anything but one row is refused", async (t) => {
  const cases: [TensorMetadata["shape"], number][] = [
    [[-1, 512], 2047],
    [[-1, 512], 4096],
    [[-1, 512], 0],
    [[-1, -1, 2], 20],
    [[-1, -1, 0], 4],
    [[-1, -1, -1], 8],
  ];
  for (const [shape, bytes] of cases) {
    rejects(t, () => shapeOf({ name: "x", datatype: "FP32", shape }, bytes), "body", /not one row of input "x"/);
  }
});

t.test("BYTES: the body is the one element, without a length", async (t) => {
  const input = { name: "x", datatype: "BYTES", shape: [-1, 1] } as const;
  const [x] = decodeRawInfer(Uint8Array.of(1, 2), input).inputs;
  t.same(x, { name: "x", datatype: "BYTES", shape: [1, 1], byteStrings: [Uint8Array.of(1, 2)] });
  t.same(shapeOf(input, 0), [1, 1]);
  rejects(t, () => shapeOf({ ...input, shape: [-1, 2] }, 0), "body", /is one element, input "x" has 2/);
});

t.test("an answer is the outputs' bytes back to back", async (t) => {
  const speech = { datatype: "FP32", shape: [1], data: Float32Array.of(1) } as const;
  const text = { datatype: "BYTES", shape: [1], data: [Uint8Array.of(9)] } as const;
  t.equal(encodeRawAnswer([speech]).buffer, speech.data.buffer, "a single output is not copied");
  t.same(encodeRawAnswer([speech, text]), Uint8Array.of(0, 0, 128, 63, 1, 0, 0, 0, 9));
  t.same(encodeRawAnswer([]), new Uint8Array());
});
