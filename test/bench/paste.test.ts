/** What tune prints is what Headrace takes: each form is read back by what reads it. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { coreList } from "../../src/bench/cores.js";
import { pasteable, serveArguments } from "../../src/bench/tune/paste.js";
import { loadConfig, onnxCell } from "../../src/index.js";
import { readModelConfig } from "../../src/repository/model-config.js";
import { modelSettings } from "../../src/repository/settings.js";
import { SILERO } from "../support/paths.js";

const cell = onnxCell({ name: "vad", model: SILERO, constants: { sr: 16000n }, context: { input: 64 } });
const lanes = { execution: "lanes", lanes: 2, intraOpThreads: 4, maxSize: 32, maxDelayMicros: 200 } as const;
const inline = { execution: "inline", lanes: 1, intraOpThreads: 1, maxSize: 8, maxDelayMicros: 0 } as const;

t.test("TypeScript", (t) => {
  for (const configuration of [lanes, inline]) {
    const { typescript } = pasteable(SILERO, cell, configuration);
    const made = new Function("onnxCell", `return ${typescript}`)(onnxCell) as typeof cell;
    t.equal(made.name, "vad");
    t.strictSame(made.batching, {
      maxSize: configuration.maxSize,
      maxDelayMicros: configuration.maxDelayMicros,
    });
    t.equal(made.execution, configuration.execution);
    t.equal(made.lanes, configuration.execution === "lanes" ? 2 : undefined);
    t.equal(made.intraOpThreads, configuration.intraOpThreads);
    t.strictSame(made.constants, cell.constants);
    t.strictSame(made.context, cell.context);
  }
  t.end();
});

t.test("headrace.yaml", async (t) => {
  const folder = t.testdir();
  for (const configuration of [lanes, inline]) {
    const file = join(folder, "headrace.yaml");
    await writeFile(file, pasteable(SILERO, cell, configuration).yaml);
    const { inference } = await loadConfig(file);
    t.equal(inference.pipeline.name, "vad");
    t.match(inference.pipeline.cells.model, {
      constants: { sr: 16000 },
      context: { input: { size: 64 } },
      batching: { maxSize: configuration.maxSize, maxDelayMicros: configuration.maxDelayMicros },
      execution: configuration.execution,
      lanes: configuration.execution === "lanes" ? 2 : undefined,
      intraOpThreads: configuration.intraOpThreads,
    });
  }
});

t.test("config.pbtxt", async (t) => {
  await mkdir(join(t.testdir(), "vad"));
  for (const configuration of [lanes, inline]) {
    const { pbtxt } = pasteable(SILERO, cell, configuration);
    const model = readModelConfig({ kind: "pbtxt", text: pbtxt, label: "vad/config.pbtxt" }, "vad");
    const settings = modelSettings(model);
    t.match(settings.cell, {
      constants: { sr: 16000n },
      context: { input: 64 },
      batching: { maxSize: configuration.maxSize },
      execution: configuration.execution,
    });
    t.equal(settings.cell.batching.maxDelayMicros ?? 0, configuration.maxDelayMicros);
    t.equal(settings.cell.lanes, configuration.execution === "lanes" ? 2 : undefined);
    t.equal(settings.cell.intraOpThreads, configuration.execution === "lanes" ? 4 : undefined);
  }
});

t.test("the command line", (t) => {
  t.strictSame(
    serveArguments(cell, lanes).join(" "),
    "--name vad --constant sr=16000 --context input=64 --max-batch 32 --max-delay 200 --execution lanes --lanes 2 --intra-op-threads 4",
  );
  t.match(pasteable("my model.onnx", cell, inline).command, /^headrace serve 'my model\.onnx' --name vad /);
  t.end();
});

t.test("lists of cores", (t) => {
  t.strictSame(coreList("0-2,5"), [0, 1, 2, 5]);
  t.strictSame(coreList("7"), [7]);
  t.strictSame(coreList(""), []);
  t.end();
});
