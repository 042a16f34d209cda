/** A model of the repository as a pipeline: what its configuration says, checked against what the model's file has. */
import type { ModelDescription, TensorDescription } from "../engine/surface.js";
import {
  type OnnxCell,
  type OnnxPortOptions,
  type OnnxStateOption,
  onnxCell,
  type Pipeline,
  PipelineFactory,
} from "../pipeline/index.js";
import { describeModel } from "../runtime/index.js";
import { Tensor } from "../types/index.js";
import { checkPort, checkStates, type Declared } from "./check-model.js";
import { configError } from "./config-error.js";
import { CONTROL_ROWS, type Control, controlCell, controlsOf } from "./control-cell.js";
import type { ModelConfig } from "./model-config.js";
import type { CellSettings } from "./settings.js";

/** The ref of the model's cell, which statistics go by. */
const MODEL = "model";

/**
 * @param file The model's file; absolute.
 * @param model Undefined: everything is read from the file.
 * @throws HeadraceError MODEL_NOT_FOUND, MODEL_INVALID: the latter also where file and configuration contradict each other.
 */
export async function modelPipeline(
  name: string,
  file: string,
  settings: CellSettings,
  model: ModelConfig | undefined,
): Promise<Pipeline> {
  const base = { ...settings, name, model: file };
  const state = declaredStates(model);
  // For its tensors only, so it need not be timed with many rows.
  const probe = { ...base, batching: { maxSize: 1 }, execution: "inline" as const };
  let description = await describeModel(onnxCell({ ...probe, ...(state === undefined ? {} : { state }) }));
  let states = state;
  if (model !== undefined && state === undefined) {
    states = statesThatAreInputs(model, description);
    if (states !== undefined) description = await describeModel(onnxCell({ ...probe, state: states }));
  }
  const controls = model === undefined ? [] : controlsOf(model);
  if (model !== undefined) checkStates(model, description);
  const isControl = ({ name: tensor }: TensorDescription): boolean => controls.some(({ input }) => input === tensor);
  const inputs = declare(
    "input",
    description.inputs.filter((input) => !isControl(input)),
    model,
    description,
  );
  const outputs = declare("output", description.outputs, model, description);
  const cell = onnxCell({
    ...base,
    ...(states === undefined ? {} : { state: states }),
    inputs: portsOf(inputs),
    outputs: portsOf(outputs),
  }) as OnnxCell;
  return assembled(cell, inputs, outputs, controls, description);
}

function assembled(
  cell: OnnxCell,
  inputs: readonly Declared[],
  outputs: readonly Declared[],
  controls: readonly Control[],
  description: ModelDescription,
): Pipeline {
  const factory = new PipelineFactory({ name: cell.name });
  const handle = factory.addCell(MODEL, cell);
  const [first] = inputs;
  const made =
    controls.length === 0
      ? undefined
      : factory.addCell("controls", controlCell(controls, description.inputs, first?.tensor, first?.shape ?? []));
  for (const input of inputs) {
    const targets = [handle.input(input.tensor.name)];
    if (input === first && made !== undefined) targets.push(made.input(CONTROL_ROWS) as never);
    factory.declareInput(input.tensor.name, targets);
  }
  for (const { input } of controls) factory.connect(made?.output(input) as never, handle.input(input));
  for (const { tensor } of outputs) factory.declareOutput(tensor.name, handle.output(tensor.name));
  return factory.build() as unknown as Pipeline;
}

function portsOf(tensors: readonly Declared[]): OnnxPortOptions {
  const narrowed = tensors.filter(({ isNarrowed }) => isNarrowed);
  return Object.fromEntries(
    narrowed.map(({ tensor, shape }) => [tensor.name, { type: Tensor(tensor.datatype, shape) }]),
  );
}

function declaredStates(model: ModelConfig | undefined): OnnxStateOption[] | undefined {
  return model?.config.sequence_batching?.state?.map((state) => {
    const { input_name, output_name, initial_state } = state;
    const where = model.places.of(state);
    if (!input_name || !output_name) throw configError(where, "a state needs an input_name and an output_name");
    for (const initial of initial_state ?? []) {
      if (initial.data_file === undefined) continue;
      throw configError(model.places.of(initial, "data_file"), "a new state begins with zeros; use zero_data");
    }
    return { input: input_name, output: output_name };
  });
}

/** The pairs that the model's names make states of, without those that the configuration calls inputs; undefined: all of them. */
function statesThatAreInputs({ config }: ModelConfig, { states }: ModelDescription): OnnxStateOption[] | undefined {
  const named = new Set(config.input?.map(({ name }) => name));
  const left = states.filter(({ name }) => !named.has(name));
  if (left.length === states.length) return undefined;
  return left.map(({ name, output }) => ({ input: name, output }));
}

/** The tensors that clients see: those that the configuration names, in its order, else all of the model's. */
function declare(
  side: "input" | "output",
  tensors: readonly TensorDescription[],
  model: ModelConfig | undefined,
  description: ModelDescription,
): Declared[] {
  const declared = model?.config[side] ?? [];
  if (model === undefined || declared.length === 0) {
    return tensors.map((tensor) => checkPort(side, tensor, undefined, model, description));
  }
  const names = tensors.map(({ name }) => name);
  const seen = new Set<string>();
  const found = declared.map((port) => {
    const { name = "" } = port;
    const tensor = tensors.find((candidate) => candidate.name === name);
    const where = model.places.of(port, "name");
    if (tensor === undefined) {
      throw configError(where, `the model has no ${side} '${name}'; its ${side}s are ${names.join(", ") || "none"}`);
    }
    if (seen.has(name)) throw configError(where, `${side} '${name}' is there already`);
    seen.add(name);
    return checkPort(side, tensor, port, model, description);
  });
  const missing = names.filter((name) => !seen.has(name));
  if (side === "input" && missing.length > 0) {
    const message = `the model has ${missing.length > 1 ? "inputs" : "an input"} ${missing.join(", ")}, which the configuration lacks`;
    throw configError(model.places.of(model.config, side), message);
  }
  return found;
}
