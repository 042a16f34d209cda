/** Recordings through the voice activity model: two streams at once give what each gives alone, predicted directly. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { onnxCell, PipelineFactory } from "../../../src/pipeline/index.js";
import { DummySink } from "../../../src/sinks/dummy.js";
import { FileSink } from "../../../src/sinks/file.js";
import { FileSource } from "../../../src/sources/file.js";
import { Tensor } from "../../../src/types/index.js";
import { RECORDINGS, SILERO } from "../../support/paths.js";
import { distance, TOLERANCE, VAD_STEP, VadReference, vadSteps } from "../../support/reference.js";
import { start } from "../../support/serve.js";
import { ended, SourceSinkDriver, statisticsOf } from "./pieces.js";

const module: string = "../../../examples/vad/wav.mjs";
const { readWav } = (await import(module)) as { readWav(path: string): Promise<Float32Array> };

/** As examples/vad/vad.mjs has it, which imports the built package. */
function vadPipeline() {
  const vad = onnxCell({
    name: "silero-vad",
    model: SILERO,
    inputs: { audio: { tensor: "input", type: Tensor("FP32", [-1, 512]) } },
    outputs: { speech: { tensor: "output", type: Tensor("FP32", [-1, 1]) } },
    constants: { sr: 16_000n },
    state: [{ input: "state", output: "stateN" }],
    context: { audio: 64 },
  });
  const factory = new PipelineFactory({ name: "silero-vad" });
  const cell = factory.addCell("vad", vad);
  return factory.declareInput("audio", cell.inputs.audio).declareOutput("speech", cell.outputs.speech).build();
}

t.test("WAV recordings -> VAD -> sinks", async (t) => {
  const proc = await start(t, vadPipeline());
  const sink = new DummySink({ keep: Number.POSITIVE_INFINITY });
  const path = join(t.testdir(), "speech.jsonl");
  const cams = await proc.addDriver("recordings", SourceSinkDriver, {
    sources: Object.fromEntries(
      RECORDINGS.map((path, i) => [
        `recording-${i}`,
        { source: new FileSource({ path }), maxInFlight: i === 0 ? 1 : 16, stateId: `stream-${i}` },
      ]),
    ),
    sinks: { memory: { sink }, file: { sink: new FileSink({ path }) } },
  });
  await ended(cams);
  t.equal(cams.status, "stopped", cams.error?.message ?? "no error");
  const lines = (await readFile(path, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const reference = await VadReference.load();
  for (const [i, recording] of RECORDINGS.entries()) {
    const source = `recording-${i}`;
    const samples = await readWav(recording);
    const found = sink.items.filter((item) => item.source === source);
    const speech = found.map(({ outputs }) => (outputs.speech as Float32Array)[0] ?? Number.NaN);
    t.equal(speech.length, Math.ceil(samples.length / VAD_STEP));
    t.same(
      found.map(({ sequence }) => sequence),
      speech.map((_, sequence) => sequence),
    );
    const whole = vadSteps(samples);
    const direct: number[] = [];
    for (const audio of whole) {
      const outputs = await proc.predict({ audio }, { stateId: `direct-${i}` });
      direct.push((outputs.speech as Float32Array)[0] ?? Number.NaN);
    }
    t.ok(distance(speech.slice(0, whole.length), direct) < TOLERANCE, "as predicted directly");
    t.ok(distance(direct, await reference.probabilities(samples)) < TOLERANCE, "as onnxruntime-node has it");
    t.ok(Math.max(...speech) > 0.9, "somebody speaks");
    const written = lines.filter((line) => line.source === source);
    t.same(
      written.map(({ sequence }) => sequence),
      found.map(({ sequence }) => sequence),
    );
    t.ok(
      distance(
        written.map(({ outputs }) => outputs.speech[0][0]),
        speech,
      ) < TOLERANCE,
      "the file has the same",
    );
    t.match(statisticsOf(cams).sources[source], { failed: 0, dropped: 0, out: speech.length });
  }
});
