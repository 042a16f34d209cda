import t from "tap";

interface Segment {
  start: number;
  end: number;
}

type Options = Partial<Record<"threshold" | "endThreshold" | "minSpeechMs" | "minSilenceMs" | "padMs", number>>;

// The example is plain JavaScript, as its readers will write theirs, so the compiler does not know it.
const module: string = "../../examples/vad/segments.mjs";
const { speechSegments } = (await import(module)) as {
  speechSegments(probabilities: number[], stepMs: number, options?: Options): Segment[];
};

/** "5" is a probability of 0.5: one digit per step of 50 ms. Segments in milliseconds. */
function find(digits: string, options: Options = {}): number[][] {
  const probabilities = [...digits].map((digit) => Number(digit) / 10);
  const segments = speechSegments(probabilities, 50, options);
  return segments.map(({ start, end }) => [Math.round(start * 1000), Math.round(end * 1000)]);
}

t.test("silence has no segments", async (t) => {
  t.same(find(""), []);
  t.same(find("0000000000"), []);
});

t.test("a segment runs from the first step at the threshold to the first of the silence, padded", async (t) => {
  t.same(find("0099999999000000"), [[70, 530]]);
  t.same(find("0055555555000000", { padMs: 0 }), [[100, 500]]);
});

t.test("between the two thresholds speech goes on, and does not begin", async (t) => {
  t.same(find("0094444444000000", { padMs: 0 }), [[100, 500]]);
  t.same(find("0044444444000000"), []);
  t.same(find("0094444444000000", { endThreshold: 0.45, padMs: 0 }), []);
});

t.test("a gap shorter than minSilenceMs is bridged", async (t) => {
  t.same(find("9999990099999900000", { padMs: 0 }), [[0, 700]]);
  t.same(find("99999900099999900000", { padMs: 0 }), [
    [0, 300],
    [450, 750],
  ]);
});

t.test("speech must last longer than minSpeechMs", async (t) => {
  t.same(find("0999990000"), []);
  t.same(find("0999999000", { padMs: 0 }), [[50, 350]]);
  t.same(find("0900000000", { minSpeechMs: 0, padMs: 0 }), [[50, 100]]);
});

t.test("speech that goes on at the end ends there", async (t) => {
  t.same(find("0099999999"), [[70, 500]]);
  t.same(find("00000099999900"), [[270, 700]], "a silence too short to end it belongs to it");
});

t.test("padding stays within the recording and shares a narrow gap", async (t) => {
  t.same(find("9999999000099999990", { padMs: 400 }), [
    [0, 450],
    [450, 950],
  ]);
});

t.test("a higher threshold moves the lower one with it", async (t) => {
  t.same(find("0077777777000000", { threshold: 0.8 }), []);
  t.same(find("0097777777000000", { threshold: 0.8, padMs: 0 }), [[100, 500]]);
});
