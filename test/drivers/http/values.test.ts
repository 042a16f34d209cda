/** Values that are no tensors, from a client through V2 and plain REST into a function cell and back. */
import t from "tap";
import type { RawTensor } from "../../../src/datatype.js";
import { defineCell, PipelineFactory } from "../../../src/pipeline/index.js";
import {
  BoundingBox,
  Classes,
  Dict,
  decodeImage,
  Enum,
  Float,
  Image,
  Integer,
  List,
  Optional,
  Random,
  String as Text,
} from "../../../src/types/index.js";
import { serve } from "../../support/serve.js";

/** Keeps the boxes that are wide enough, says what they may be, and remembers them. */
const Detector = defineCell({
  name: "Detector",
  inputs: {
    photo: Image(),
    boxes: List(BoundingBox()),
    filter: Dict({ minWidth: Float(), labels: Optional(List(Text())) }),
    mode: Enum(["all", "first"], { default: "all" }),
    note: Optional(Text()),
  },
  outputs: {
    boxes: List(BoundingBox()),
    classes: Classes(),
    size: Dict(Integer()),
    mode: Enum(["all", "first"]),
    note: Optional(Text()),
    pixels: Image({ encoding: "raw", channels: 3 }),
    seen: Integer(),
  },
  state: { seen: List(BoundingBox(), { default: [] }) },
  async call({ inputs: { photo, boxes, filter, mode, note }, state }) {
    const pixels = await decodeImage(photo, { path: "photo" });
    const wide = boxes.filter(({ width }) => width >= filter.minWidth);
    const kept = mode === "first" ? wide.slice(0, 1) : wide;
    state.seen = [...state.seen, ...kept];
    return {
      boxes: kept,
      classes: (filter.labels ?? []).map((label, i) => ({ label, score: i / 10 })),
      size: { width: pixels.width, height: pixels.height },
      mode,
      note,
      pixels,
      seen: state.seen.length,
    };
  },
});

function pipeline() {
  const factory = new PipelineFactory({ name: "detector" });
  const { inputs, outputs } = factory.addCell("detector", Detector);
  return factory
    .declareInput("photo", inputs.photo)
    .declareInput("boxes", inputs.boxes)
    .declareInput("filter", inputs.filter)
    .declareInput("mode", inputs.mode)
    .declareInput("note", inputs.note)
    .declareOutput("boxes", outputs.boxes)
    .declareOutput("classes", outputs.classes)
    .declareOutput("size", outputs.size)
    .declareOutput("mode", outputs.mode)
    .declareOutput("note", outputs.note)
    .declareOutput("pixels", outputs.pixels)
    .declareOutput("seen", outputs.seen)
    .build();
}

const photo = Image().fake(new Random(1));
const base64 = Buffer.from(photo).toString("base64");
const narrow = { x: 0, y: 0, width: 1, height: 9 };
const wide = { x: 1.5, y: -2, width: 30, height: 9 };

async function post(url: string, body: unknown): Promise<{ status: number; answer: Record<string, unknown> }> {
  const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
}

t.test("POST /predict takes and gives them as JSON", async (t) => {
  const { url, process } = await serve(t, pipeline());
  const { data, ...size } = await decodeImage(photo);
  const boxes = [narrow, wide];
  const inputs = { photo: base64, boxes, filter: { minWidth: 2, labels: ["cat", "dog"] }, mode: "first", note: "hi" };
  const { status, answer } = await post(`${url}/predict`, { inputs });
  t.equal(status, 200);
  const classes = [
    { label: "dog", score: 0.1 },
    { label: "cat", score: 0 },
  ];
  const pixels = { data: Buffer.from(data).toString("base64"), ...size };
  const known = { boxes: [wide], classes, size: { width: size.width, height: size.height }, mode: "first", note: "hi" };
  t.strictSame(answer.outputs, { ...known, pixels, seen: 1 });
  // The same in this process, where bytes are bytes.
  const direct = await process.predict({ ...inputs, photo, mode: "first" });
  t.strictSame(direct, { ...known, pixels: { data, ...size }, seen: 1 });
});

t.test("what is optional or has a default may be left out, also by the client of typed arrays", async (t) => {
  const { client } = await serve(t, pipeline());
  const inputs = { photo, boxes: [wide, narrow], filter: { minWidth: 0 } };
  const outputs = await client.predict(inputs, { stateId: "camera" });
  t.match(outputs, { boxes: [wide, narrow], classes: [], mode: "all", note: null, seen: 2 });
  t.match(await client.predict({ ...inputs, note: null }, { stateId: "camera" }), { note: null, seen: 4 });
});

t.test("a value that does not fit is named down to the nested field", async (t) => {
  const { url } = await serve(t, pipeline());
  const good = { photo: base64, boxes: [wide], filter: { minWidth: 2 } };
  const refused = async (change: object, message: string | RegExp, path: string) => {
    const { status, answer } = await post(`${url}/predict`, { inputs: { ...good, ...change } });
    t.equal(status, 400);
    t.match(answer.error, { code: "INVALID_ARGUMENT", path, message });
  };
  const boxes = [wide, wide, wide, { ...wide, width: "3" }];
  await refused({ boxes }, /at least 0, got "3"$/, "inputs.boxes[3].width");
  await refused({ filter: {} }, "inputs.filter.minWidth: is missing; expected Float", "inputs.filter.minWidth");
  await refused({ filter: { minWidth: 1, labels: ["a", 2] } }, /expected a string, got 2$/, "inputs.filter.labels[1]");
  await refused({ mode: "last" }, 'inputs.mode: expected one of "all", "first", got "last"', "inputs.mode");
  await refused({ photo: "AAAA" }, /expected the bytes of an image/, "inputs.photo");
  await refused({ photo: undefined }, "inputs.photo: is missing; expected Image", "inputs.photo");
});

/** A request of V2's JSON form. The list of boxes is a tensor, what is composed otherwise is JSON text. */
const V2_INPUTS = [
  { name: "photo", datatype: "BYTES", shape: [1], data: [base64] },
  { name: "boxes", datatype: "FP64", shape: [2, 4], data: [0, 0, 1, 9, 1.5, -2, 30, 9] },
  { name: "filter", datatype: "BYTES", shape: [1], data: ['{ "minWidth": 2, "labels": ["cat", "dog"] }'] },
];

t.test("V2 JSON leaves out what is absent, on both sides", async (t) => {
  const { url } = await serve(t, pipeline());
  const { status, answer } = await post(`${url}/v2/models/detector/infer`, { inputs: V2_INPUTS });
  t.equal(status, 200);
  const outputs = answer.outputs as { name: string; datatype: string; shape: number[]; data: unknown[] }[];
  t.same(
    outputs.map(({ name }) => name),
    ["boxes", "classes", "size", "mode", "pixels", "seen"],
  );
  const { data, width, height } = await decodeImage(photo);
  t.match(outputs[0], { datatype: "FP64", shape: [1, 4], data: [1.5, -2, 30, 9] });
  const classes = ['{"label":"dog","score":0.1}', '{"label":"cat","score":0}'];
  t.match(outputs[1], { datatype: "BYTES", shape: [2], data: classes });
  t.match(outputs[2], { datatype: "BYTES", shape: [1], data: [JSON.stringify({ width, height })] });
  t.match(outputs[3], { datatype: "BYTES", shape: [1], data: ["all"] });
  t.match(outputs[4], { datatype: "UINT8", shape: [height, width, 3], data: [...data] });

  const note = { name: "note", datatype: "BYTES", shape: [1], data: ["hi"] };
  const wanted = { inputs: [...V2_INPUTS, note], outputs: [{ name: "note" }] };
  const second = await post(`${url}/v2/models/detector/infer`, wanted);
  t.match(second.answer.outputs, [{ name: "note", datatype: "BYTES", shape: [1], data: ["hi"] }]);

  const metadata = (await (await fetch(`${url}/v2/models/detector`)).json()) as { inputs: unknown };
  t.match(metadata.inputs, [
    { name: "photo", datatype: "BYTES", shape: [1] },
    { name: "boxes", datatype: "FP64", shape: [-1, 4] },
    { name: "filter", datatype: "BYTES", shape: [1] },
    { name: "mode", datatype: "BYTES", shape: [1] },
    { name: "note", datatype: "BYTES", shape: [1] },
  ]);
});

t.test("V2 refuses what is missing and what does not fit, with its path", async (t) => {
  const { url } = await serve(t, pipeline());
  const refused = async (inputs: unknown[], message: string | RegExp) => {
    const { status, answer } = await post(`${url}/v2/models/detector/infer`, { inputs });
    t.equal(status, 400);
    t.match(answer.error, message);
  };
  const [photoTensor, boxes, filter] = V2_INPUTS;
  await refused([photoTensor, filter], "inputs.boxes: is missing; expected List(BoundingBox)");
  await refused(
    [photoTensor, { ...boxes, data: [0, 0, 1, 9, 0, 0, -1, 0] }, filter],
    "inputs[1][1].width: expected a finite number of at least 0, got -1",
  );
  await refused([photoTensor, boxes, { ...filter, data: ["{"] }], /^inputs\[2\]: expected JSON text/);
  await refused([{ ...photoTensor, data: ["AAAA"] }, boxes, filter], /^inputs\[0\]: expected the bytes of an image/);
});

t.test("V2 binary carries an image as its bytes", async (t) => {
  const { client } = await serve(t, pipeline());
  const inputs: Record<string, RawTensor> = {
    photo: { datatype: "BYTES", shape: [1], data: [photo] },
    boxes: { datatype: "FP64", shape: [0, 4], data: new Float64Array(0) },
    filter: { datatype: "BYTES", shape: [1], data: [Buffer.from('{"minWidth":2}')] },
  };
  const { outputs } = await client.infer(inputs, { outputs: ["pixels", "note", "boxes"] });
  const { data, width, height } = await decodeImage(photo);
  t.same(Object.keys(outputs), ["boxes", "pixels"]);
  t.same(outputs.boxes?.shape, [0, 4]);
  t.same(outputs.pixels?.shape, [height, width, 3]);
  t.strictSame([...(outputs.pixels?.data ?? [])], [...data]);
});

t.test("a state shares no memory with what was given or taken", async (t) => {
  const Keeper = defineCell({
    name: "Keeper",
    inputs: { file: Optional(Image({ encoding: "raw" })) },
    outputs: { files: List(Image({ encoding: "raw" })) },
    state: { files: List(Image({ encoding: "raw" }), { default: [] }) },
    call({ inputs: { file }, state }) {
      if (file !== null) state.files = [...state.files, file];
      return { files: state.files };
    },
  });
  const factory = new PipelineFactory({ name: "keeper" });
  const keeper = factory.addCell("keeper", Keeper);
  const built = factory.declareInput("file", keeper.inputs.file).declareOutput("files", keeper.outputs.files).build();
  const { process } = await serve(t, built);
  const file = { data: Buffer.of(7), width: 1, height: 1, channels: 1 };
  const first = await process.predict({ file }, { stateId: "s" });
  file.data[0] = 1;
  first.files[0]?.data.fill(2);
  const second = await process.predict({}, { stateId: "s" });
  second.files[0]?.data.fill(3);
  t.same((await process.predict({}, { stateId: "s" })).files[0]?.data[0], 7);
});
