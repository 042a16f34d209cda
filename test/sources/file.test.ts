/** Inputs from files: each format, its order, its end, its errors. */
import { join } from "node:path";
import fc from "fast-check";
import t, { type Test } from "tap";
import { FileSource, type FileSourceOptions } from "../../src/sources/file.js";
import { Audio, Integer, Tensor, String as Text, type Types } from "../../src/types/index.js";
import { sourceContract } from "../contract/source-contract.js";
import { wavFile } from "../support/wav.js";

const never = new AbortController().signal;
const integer = { input: Integer() };
const audio = { audio: Tensor("FP32", [-1, 4]) };

const dir = t.testdir({
  "steps.jsonl": '{"input":1}\n\n{"input":2}\r\n{"input":3}',
  "empty.jsonl": "",
  "broken.jsonl": '{"input":1}\n{"input":\n',
  "list.jsonl": "[1]\n",
  "latin.jsonl": Buffer.from([0x22, 0xe4, 0x22]),
  "tone.wav": wavFile([0, 16_384, -32_768, 32_767, 1, 2, 3, 4, 5]),
  "not.wav": "RIFF but no more",
  frames: { "f10.jpg": "ten", "f2.jpg": "two", "f1.jpg": "one", "f1.png": "no", "(x)+.jpg": "odd" },
});
const at = (name: string): string => join(dir, name);

async function read(options: FileSourceOptions, inputs: Types, limit = 1000): Promise<Record<string, unknown>[]> {
  const source = new FileSource(options);
  const found: Record<string, unknown>[] = [];
  try {
    await source.open({ ref: "file", inputs });
    for await (const item of source.read(never)) {
      if (found.push({ ...item.inputs }) >= limit) break;
    }
  } finally {
    await source.close();
  }
  return found;
}

const subjects = {
  jsonl: { inputs: integer, options: { path: at("steps.jsonl") } },
  files: { inputs: { image: Tensor("UINT8", [-1]) }, options: { path: at("frames/*.jpg") } },
  wav: { inputs: audio, options: { path: at("tone.wav") } },
};
for (const [format, { inputs, options }] of Object.entries(subjects)) {
  for (const { name, run } of sourceContract({
    inputs,
    make: () => new FileSource(options),
    makeWaiting: () => new FileSource({ ...options, rate: 1e-9 }),
    makeBroken: () =>
      new FileSource({ ...options, path: at(`nowhere/*.${format}`).replace("*", format === "files" ? "*" : "x") }),
  })) {
    t.test(`FileSource, ${format}, ${name}`, run);
  }
}

t.test("JSON Lines: an item per line, empty ones passed over", async (t) => {
  t.same(await read({ path: at("steps.jsonl") }, integer), [{ input: 1 }, { input: 2 }, { input: 3 }]);
  t.same(await read({ path: at("empty.jsonl") }, integer), []);
});

t.test("JSON Lines: any objects, whatever their size, are what was written", async (t) => {
  const objects = fc.array(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.constant(null))));
  const padded = fc.tuple(objects, fc.nat(150_000));
  await fc.assert(
    fc.asyncProperty(padded, async ([items, padding]) => {
      const all = [{ padding: "ä".repeat(padding) }, ...items];
      const path = join(
        t.testdir({ "any.jsonl": all.map((item) => `${JSON.stringify(item)}\n`).join("") }),
        "any.jsonl",
      );
      // Through JSON, where a key "__proto__" is one like any other.
      t.equal(JSON.stringify(await read({ path }, {})), JSON.stringify(all));
    }),
    { numRuns: 30 },
  );
});

t.test("JSON Lines: what is wrong with a line is said with its number", async (t) => {
  const first = await collected({ path: at("broken.jsonl") });
  t.same(first.items, [{ input: 1 }], "what is before it is given");
  t.match(first.error, { code: "INVALID_ARGUMENT", path: `${at("broken.jsonl")}:2`, message: /not JSON/ });
  t.match((await collected({ path: at("list.jsonl") })).error, { message: /:1: expected an object/ });
  t.match((await collected({ path: at("latin.jsonl") })).error, { message: /:1: is not UTF-8/ });
});

async function collected(options: FileSourceOptions): Promise<{ items: unknown[]; error: unknown }> {
  const source = new FileSource(options);
  await source.open({ ref: "file", inputs: integer });
  const items: unknown[] = [];
  try {
    for await (const { inputs } of source.read(never)) items.push(inputs);
    return { items, error: undefined };
  } catch (error) {
    return { items, error };
  } finally {
    await source.close();
  }
}

t.test("files: the bytes of each, in the order of the numbers in their names", async (t) => {
  const image = { image: Text() };
  const found = await read({ path: at("frames/f*.jpg") }, image);
  t.same(
    found.map((inputs) => Buffer.from(inputs.image as Uint8Array).toString()),
    ["one", "two", "ten"],
  );
  t.equal((await read({ path: at("frames/f?.jpg") }, image)).length, 2);
  t.equal((await read({ path: at("frames/(x)+.*") }, image)).length, 1, "other characters stand for themselves");
  t.equal((await read({ path: at("frames/f2.jpg"), format: "files" }, image)).length, 1, "no wildcard: one file");
});

t.test("files: which input, and where wildcards may be", async (t) => {
  const two = { left: Text(), right: Text() };
  await t.rejects(read({ path: at("frames/*.jpg") }, two), { path: "FileSource.input", message: /left, right/ });
  await t.rejects(read({ path: at("frames/*.jpg"), input: "up" }, two), {
    code: "INVALID_ARGUMENT",
    path: "FileSource.input",
  });
  const [item] = await read({ path: at("frames/f1.jpg"), format: "files", input: "right" }, two);
  t.same(Object.keys(item ?? {}), ["right"]);
  await t.rejects(read({ path: at("fra*/f1.jpg"), format: "files", input: "left" }, two), { code: "INVALID_ARGUMENT" });
  await t.rejects(read({ path: at("frames/*.gif"), input: "left" }, two), {
    code: "NOT_FOUND",
    message: /\*\.gif: matches no file/,
  });
});

t.test("WAV: frames in -1..1, the last one filled up with zeros", async (t) => {
  const frames = await read({ path: at("tone.wav") }, audio);
  t.same(
    frames.map(({ audio }) => [...(audio as Float32Array)].map((sample) => sample * 32_768)),
    [
      [0, 16_384, -32_768, 32_767],
      [1, 2, 3, 4],
      [5, 0, 0, 0],
    ],
  );
  t.equal((await read({ path: at("tone.wav"), frameSamples: 9 }, { audio: Tensor("FP32", [-1, -1]) })).length, 1);
});

t.test("WAV: any samples in any frames, as recorders write them, come out as they went in", async (t) => {
  const kinds = fc.record({
    extensible: fc.boolean(),
    comment: fc.option(fc.constantFrom("odd", "even"), { nil: undefined }),
    claimed: fc.option(fc.constant(0xffff_ffff), { nil: undefined }),
  });
  const samples = fc.array(fc.integer({ min: -32_768, max: 32_767 }), { minLength: 1, maxLength: 100 });
  await fc.assert(
    fc.asyncProperty(
      samples,
      fc.integer({ min: 1, max: 40 }),
      fc.boolean(),
      kinds,
      async (ints, frame, float, kind) => {
        const wanted = ints.map((sample) => sample / 32_768);
        const options = JSON.parse(JSON.stringify({ ...kind, encoding: float ? "float32" : "pcm16" }));
        // A chunk of odd claimed length is padded in the file, which the data of a cut-off recording is not.
        const file = wavFile(float ? wanted : ints, options);
        const path = join(t.testdir({ "any.wav": file }), "any.wav");
        const frames = await read({ path, frameSamples: frame }, { audio: Tensor("FP32", [-1, -1]) });
        const found = frames.flatMap(({ audio }) => [...(audio as Float32Array)]);
        t.equal(found.length, Math.ceil(ints.length / frame) * frame);
        t.same(found.slice(0, ints.length), wanted);
        t.ok(found.slice(ints.length).every((sample) => sample === 0));
      },
    ),
    { numRuns: 50 },
  );
});

t.test("WAV: what does not fit the file or the input is refused when it is opened", async (t) => {
  const open = { audio: Tensor("FP32", [-1, -1]) };
  const wav = (t: Test, options: Parameters<typeof wavFile>[1]) =>
    join(t.testdir({ "x.wav": wavFile([1, 2, 3], options) }), "x.wav");
  await t.rejects(read({ path: at("not.wav"), frameSamples: 4 }, open), {
    code: "INVALID_ARGUMENT",
    path: at("not.wav"),
  });
  await t.rejects(read({ path: wav(t, { channels: 2 }) }, audio), { message: /one channel.*2 channels/ });
  await t.rejects(read({ path: at("tone.wav") }, open), { code: "INVALID_ARGUMENT", path: "FileSource.frameSamples" });
  await t.rejects(read({ path: at("tone.wav"), frameSamples: 5 }, audio), {
    path: "FileSource.frameSamples",
    message: /frames of 4/,
  });
  await t.rejects(read({ path: at("tone.wav") }, { audio: Audio({ sampleRate: 8000, samples: 4 }) }), {
    code: "INVALID_ARGUMENT",
    message: /16000 Hz.*8000 Hz/,
  });
  t.equal((await read({ path: at("tone.wav") }, { audio: Audio({ sampleRate: 16_000, samples: 4 }) })).length, 3);
});

t.test("a loop begins again, until it is cancelled; of nothing, it ends", async (t) => {
  const looped = await read({ path: at("steps.jsonl"), loop: true }, integer, 8);
  t.same(
    looped.map(({ input }) => input),
    [1, 2, 3, 1, 2, 3, 1, 2],
  );
  t.same(await read({ path: at("empty.jsonl"), loop: true }, integer), []);
});

t.test("files that are not there, or none, are named", async (t) => {
  await t.rejects(read({ path: at("no.jsonl") }, integer), { code: "NOT_FOUND", path: at("no.jsonl") });
  await t.rejects(read({ path: at("frames"), format: "jsonl" }, integer), { code: "INVALID_ARGUMENT" });
});

t.test("options that do not fit are refused with their path", async (t) => {
  const wrong: readonly (readonly [object, string])[] = [
    [{ path: "" }, "path"],
    [{ path: "x.bin" }, "format"],
    [{ path: "x.jsonl", format: "csv" }, "format"],
    [{ path: "x.jsonl", rate: -1 }, "rate"],
    [{ path: "x.jsonl", rate: "real-time" }, "rate"],
    [{ path: "x.wav", frameSamples: 0 }, "frameSamples"],
  ];
  for (const [options, path] of wrong) {
    t.throws(() => new FileSource(options as FileSourceOptions), {
      code: "INVALID_ARGUMENT",
      path: `FileSource.${path}`,
    });
  }
});
