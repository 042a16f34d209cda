import type { CAC } from "cac";
import type { ModelDescription, TensorDescription } from "../engine/surface.js";
import { InvalidArgumentError } from "../errors.js";
import { describeModel } from "../runtime/index.js";
import { addModelOptions, bareCell, type ModelOptions } from "./model-options.js";
import { bold, dim, table } from "./style.js";
import { isModelFile } from "./target.js";

export function registerInspect(cli: CAC): void {
  const command = cli
    .command("inspect <model>", "Show a model's inputs, outputs, batch axes, state pairs and timings")
    .option("--json", "Print JSON");
  addModelOptions(command)
    .example("  headrace inspect gru.onnx")
    .example("  headrace inspect silero.onnx --constant sr=16000 --context input=64 --json")
    .action(inspect);
}

async function inspect(file: string, options: ModelOptions & { json?: boolean }): Promise<void> {
  if (!isModelFile(file)) throw new InvalidArgumentError(`expected a model file that ends in .onnx, got '${file}'`);
  const cell = bareCell(file, options);
  const description = await describeModel(cell);
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ name: cell.name, file: cell.model, ...description }, null, 2)}\n`
      : text(cell.name, description),
  );
}

function tensorRow(tensor: TensorDescription, note: string): string[] {
  const axis = tensor.batchAxis < 0 ? "no batch axis" : `batch axis ${tensor.batchAxis}`;
  return [tensor.name, tensor.datatype, `[${tensor.modelShape.join(", ")}]`, axis, note];
}

function text(name: string, model: ModelDescription): string {
  const inputs = model.inputs.map((input) =>
    tensorRow(input, input.context > 0 ? `after ${input.context} kept elements` : ""),
  );
  const states = model.states.map((state) =>
    tensorRow({ ...state, name: `${state.name} -> ${state.output}` }, `${state.rowBytes} B a stream`),
  );
  const section = (title: string, rows: string[][]): string =>
    rows.length === 0 ? `${bold(title)}\n  ${dim("none")}\n` : `${bold(title)}\n${table(rows)}`;
  const timings = model.timings.map(({ rows, micros }) => [
    `${rows}`.padStart(3),
    `${micros.toFixed(1)} us`.padStart(12),
    `${(micros / rows).toFixed(1)} us a row`.padStart(16),
  ]);
  const how =
    model.execution === "inline"
      ? "inline, on the thread that took the steps"
      : `on ${model.lanes} lane${model.lanes === 1 ? "" : "s"}`;
  return [
    `${bold(name)}\n`,
    section("inputs", inputs),
    section(
      "outputs",
      model.outputs.map((output) => tensorRow(output, "")),
    ),
    section("state", states),
    section(
      "constants",
      model.constants.map((constant) => [constant]),
    ),
    `${bold("batching")}\n  ${model.batchable ? `up to ${model.maxBatch} rows a run, ${how}` : `one by one, ${how}: ${model.whyNotBatchable}`}\n`,
    section("timings (rows, one run)", timings),
  ].join("");
}
