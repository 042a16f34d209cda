/** The data of steps: files as they are, and random values of the right type and shape. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { makeSteps } from "../../src/bench/input.js";
import type { TensorMetadata } from "../../src/protocol/index.js";

const FOLDER = await mkdtemp(join(tmpdir(), "headrace-input-"));
t.teardown(() => rm(FOLDER, { recursive: true }));

const OPTIONS = { inputFiles: {}, shapes: {}, rows: 1, seed: 7 };
const AUDIO: TensorMetadata = { name: "audio", datatype: "FP32", shape: [-1, 4] };

function npy(descr: string, shape: string, data: Uint8Array, order = "False"): Buffer {
  const header = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${shape}), }`.padEnd(117);
  const length = Buffer.alloc(2);
  length.writeUInt16LE(header.length + 1);
  return Buffer.concat([Buffer.from("\x93NUMPY\x01\x00", "latin1"), length, Buffer.from(`${header}\n`), data]);
}

/** Eight numbers of FP32 in this shape. */
async function saved(shape: string): Promise<string> {
  const values = Float32Array.from({ length: 8 }, (_, i) => i);
  return file(npy("<f4", shape, new Uint8Array(values.buffer)));
}

async function file(bytes: Uint8Array): Promise<string> {
  const path = join(await mkdtemp(join(FOLDER, "file-")), "data");
  await writeFile(path, bytes);
  return path;
}

t.test("raw bytes and .npy are the steps, one row after the other", async (t) => {
  const values = Float32Array.from({ length: 8 }, (_, i) => i);
  const bytes = new Uint8Array(values.buffer);
  for (const path of [await file(bytes), ...(await Promise.all(["8,", "2, 4", "2, 1, 4"].map(saved)))]) {
    const steps = await makeSteps([AUDIO], { ...OPTIONS, inputFiles: { audio: path } });
    t.same(
      steps.map(({ audio }) => [audio?.shape, [...((audio?.data ?? []) as Float32Array)]]),
      [
        [
          [1, 4],
          [0, 1, 2, 3],
        ],
        [
          [1, 4],
          [4, 5, 6, 7],
        ],
      ],
    );
  }
});

t.test("a row of an .npy is a step or one of its rows, or the whole is one step", async (t) => {
  const path = await saved("2, 4");
  const [step, ...others] = await makeSteps([AUDIO], { ...OPTIONS, rows: 2, inputFiles: { audio: path } });
  t.same([step?.audio?.shape, others], [[2, 4], []]);
  const plane = { name: "plane", datatype: "FP32", shape: [2, 4] } as const;
  t.equal((await makeSteps([plane], { ...OPTIONS, inputFiles: { plane: path } })).length, 1);
});

t.test("random steps have the type and the shape, and are the same for the same seed", async (t) => {
  const inputs: TensorMetadata[] = [
    AUDIO,
    { name: "ids", datatype: "INT64", shape: [-1, -1] },
    { name: "flags", datatype: "BOOL", shape: [3] },
    { name: "text", datatype: "BYTES", shape: [-1, 1] },
  ];
  const options = { ...OPTIONS, rows: 2, shapes: { ids: [5] } };
  const [first] = await makeSteps(inputs, options);
  t.same(
    Object.entries(first ?? {}).map(([name, { shape, data }]) => [name, shape, data.length]),
    [
      ["audio", [2, 4], 8],
      ["ids", [2, 5], 10],
      ["flags", [3], 3],
      ["text", [2, 1], 2],
    ],
  );
  t.ok(first?.ids?.data instanceof BigInt64Array);
  t.ok([...((first?.flags?.data as Uint8Array) ?? [])].every((flag) => flag <= 1));
  t.same((await makeSteps(inputs, options))[0], first);
  t.notSame((await makeSteps(inputs, { ...options, seed: 8 }))[0], first);
});

t.test("what does not fit is refused in words that say what would", async (t) => {
  const bytes = new Uint8Array(new Float32Array(8).buffer);
  const cases: [Partial<typeof OPTIONS> & { inputFiles?: object; shapes?: object }, TensorMetadata, RegExp][] = [
    [{ inputFiles: { sound: "x" } }, AUDIO, /--input: the model has no input 'sound', it has audio/],
    [{ inputFiles: { audio: "/nowhere/x" } }, AUDIO, /ENOENT/],
    [{ inputFiles: { audio: await file(new Uint8Array(3)) } }, AUDIO, /has 3 bytes, a step of 'audio' takes 16/],
    [
      { inputFiles: { audio: await file(new Uint8Array(36)) } },
      AUDIO,
      /has 36 bytes, .* takes 16: .* a multiple of it/,
    ],
    [{ inputFiles: { audio: await file(new Uint8Array(0)) } }, AUDIO, /has 0 bytes/],
    [
      { inputFiles: { audio: await saved("4, 2") } },
      AUDIO,
      /data: has the shape \[4, 2\], a step of 'audio' is \[1, 4\]/,
    ],
    [{ inputFiles: { audio: await saved("2, 4") }, rows: 3 }, AUDIO, /has the shape \[2, 4\], .* is \[3, 4\]/],
    [{ inputFiles: { audio: await saved("3, 4") } }, AUDIO, /has 32 bytes of data, its shape \[3, 4\] takes 48/],
    [{ inputFiles: { audio: await file(npy("<f8", "4,", bytes)) } }, AUDIO, /is FP64, but input 'audio' is FP32/],
    [{ inputFiles: { audio: await file(npy(">f4", "8,", bytes)) } }, AUDIO, /expected a dtype of .*<f4.* got '>f4'/],
    [{ inputFiles: { audio: await file(npy("<f4", "2, 4", bytes, "True")) } }, AUDIO, /Fortran order/],
    [{}, { name: "ids", datatype: "INT64", shape: [-1, -1] }, /say what is open, such as --shape ids=16/],
    [{ shapes: { audio: [5] } }, AUDIO, /\[5\] does not fit \[4\] of input 'audio'/],
  ];
  for (const [given, input, message] of cases) {
    await t.rejects(makeSteps([input], { ...OPTIONS, ...(given as object) }), { message });
  }
});

t.test("a model without inputs cannot be measured, and that is said", async (t) => {
  await t.rejects(makeSteps([], OPTIONS), { code: "INVALID_ARGUMENT", message: /tells of no inputs/ });
});
