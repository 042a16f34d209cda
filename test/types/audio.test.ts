import t from "tap";
import {
  Audio,
  assignable,
  Float,
  Integer,
  MODEL_TENSOR,
  Random,
  Tensor,
  String as Text,
} from "../../src/types/index.js";

t.test("audio is a FP32 tensor of rows of samples", async (t) => {
  const type = Audio({ sampleRate: 16_000, samples: 512 });
  t.match(type, { kind: "Audio", datatype: "FP32", shape: [-1, 512], label: "Audio FP32[-1,512]" });
  t.same(type.parse(new Float32Array(512), "x").shape, [1, 512]);
  t.same(Audio({ sampleRate: 8000 }).parse(new Float32Array(77), "x").shape, [1, 77]);
  t.same(Audio({ sampleRate: 8000, channels: 2 }).parse(new Float32Array(8), "x").shape, [1, 2, 4]);
  t.match(type.jsonSchema(), { "x-sampleRate": 16_000, "x-channels": 1, "x-shape": [-1, 512] });
});

t.test("fake audio is within range, band-limited and not silent", async (t) => {
  const type = Audio({ sampleRate: 16_000 });
  const sound = type.fake(new Random(3));
  t.same(sound.shape, [1, 1600]);
  t.ok(sound.every((sample) => Math.abs(sample) <= 0.9));
  t.ok(sound.some((sample) => Math.abs(sample) > 0.1));
  // Neighbouring samples of tones below a quarter of the rate differ less than the amplitude: 0.9 * 2 * sin(π / 4).
  t.ok(sound.slice(1).every((sample, i) => Math.abs(sample - (sound[i] ?? 0)) < 1.28));
  t.same(Audio({ sampleRate: 8000, channels: 2, samples: 3 }).fake().shape, [1, 2, 3]);
});

t.test("options out of range are refused by name", async (t) => {
  t.throws(() => Audio({ sampleRate: 0 }), { code: "INVALID_ARGUMENT", path: "Audio.sampleRate" });
  t.throws(() => Audio({ sampleRate: 1, samples: 1.5 }), { code: "INVALID_ARGUMENT", path: "Audio.samples" });
  t.throws(() => Audio({ sampleRate: 1, channels: 0 }), { code: "INVALID_ARGUMENT", path: "Audio.channels" });
  t.throws(() => Audio({ sampleRate: 1, samples: 2, default: [1] }), {
    code: "INVALID_ARGUMENT",
    path: "Audio.default",
  });
});

t.test("which type may feed which", async (t) => {
  const [integer, float, text] = [Integer(), Float(), Text()];
  const rows = Tensor("FP32", [-1, 512]);
  t.equal(assignable(integer, integer), undefined);
  t.equal(assignable(integer, float), undefined);
  t.equal(assignable(float, integer), "Float is not Integer");
  t.equal(assignable(text, float), "String is not Float");
  t.equal(assignable(rows, Tensor("FP32", [1, -1])), undefined);
  t.equal(assignable(rows, Tensor("FP32", [-1, 256])), "the shape [-1,512] is not [-1,256]");
  t.equal(assignable(rows, Tensor("FP32", [512])), "the shape [-1,512] is not [512]");
  t.equal(assignable(rows, Tensor("FP16", [-1, 512])), "FP32 is not FP16");
  t.equal(assignable(integer, rows), "Integer is not a tensor");
  t.equal(assignable(Audio({ sampleRate: 16_000 }), rows), undefined);
  t.equal(assignable(rows, Audio({ sampleRate: 16_000 })), undefined);
  t.match(assignable(Audio({ sampleRate: 8000 }), Audio({ sampleRate: 16_000 })), /^8000 Hz is not 16000 Hz/);
  t.equal(assignable(MODEL_TENSOR, rows), undefined);
  t.equal(assignable(rows, MODEL_TENSOR), undefined);
  t.equal(assignable(MODEL_TENSOR, MODEL_TENSOR), undefined);
  t.equal(assignable(MODEL_TENSOR, integer), "ModelTensor is not Integer");
  t.equal(assignable(integer, MODEL_TENSOR), "Integer is not a tensor");
});

t.test("a model's tensor can do nothing before the model is read", async (t) => {
  t.throws(() => MODEL_TENSOR.datatype, { code: "INTERNAL" });
  t.throws(() => MODEL_TENSOR.parse(), { code: "INTERNAL" });
});
