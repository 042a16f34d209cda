import { fileURLToPath } from "node:url";
import t from "tap";

// The example is plain JavaScript, as its readers will write theirs, so the compiler does not know it.
const module: string = "../../examples/vad/wav.mjs";
const { parseWav, readWav } = (await import(module)) as {
  parseWav(bytes: Uint8Array): Float32Array;
  readWav(path: string): Promise<Float32Array>;
};

function chunk(name: string, body: Uint8Array, length = body.byteLength): Buffer {
  const head = Buffer.alloc(8);
  head.write(name, "latin1");
  head.writeUInt32LE(length, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.byteLength % 2)]);
}

function format({ code = 1, channels = 1, rate = 16_000, bits = 16 } = {}): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt16LE(code, 0);
  body.writeUInt16LE(channels, 2);
  body.writeUInt32LE(rate, 4);
  body.writeUInt16LE(bits, 14);
  return chunk("fmt ", body);
}

const wav = (...chunks: Buffer[]) => Buffer.concat([Buffer.from("RIFF\0\0\0\0WAVE", "latin1"), ...chunks]);
const samples = Buffer.from(Int16Array.of(0, 16384, -32768).buffer);

t.test("samples become -1 to 1, whatever chunks stand around them", async (t) => {
  t.same(parseWav(wav(format(), chunk("data", samples))), Float32Array.of(0, 0.5, -1));
  const odd = chunk("LIST", Buffer.alloc(5));
  t.same(parseWav(wav(odd, format(), odd, chunk("data", samples), odd)), Float32Array.of(0, 0.5, -1));
});

t.test("a length that goes beyond the file gives what is there", async (t) => {
  t.same(parseWav(wav(format(), chunk("data", samples, 0xffffffff))), Float32Array.of(0, 0.5, -1));
});

t.test("says what is wrong", async (t) => {
  t.throws(() => parseWav(Buffer.from("ID3")), { message: "not a WAV file" });
  t.throws(() => parseWav(Buffer.alloc(0)), { message: "not a WAV file" });
  t.throws(() => parseWav(wav()), { message: "no format in it" });
  t.throws(() => parseWav(wav(format())), { message: "no samples in it" });
  t.throws(() => parseWav(wav(chunk("data", samples), format())), { message: /before their format/ });
  t.throws(() => parseWav(wav(chunk("fmt ", Buffer.alloc(4)))), { message: /cut short/ });
  for (const wrong of [{ code: 3 }, { channels: 2 }, { rate: 8000 }, { bits: 24 }]) {
    t.throws(() => parseWav(wav(format(wrong), chunk("data", samples))), { message: /expected PCM .* it is format/ });
  }
  await t.rejects(readWav("no/such.wav"), { message: /^no\/such.wav: ENOENT/ });
});

t.test("the recordings of the example", async (t) => {
  const folder = fileURLToPath(new URL("../../examples/vad/", import.meta.url));
  const lengths = ["0870", "0920"].map(async (cut) => {
    return (await readWav(`${folder}sense_and_sensibility_01_austen_64kb-${cut}.wav`)).length;
  });
  t.same(await Promise.all(lengths), [113_600, 96_800]);
});
