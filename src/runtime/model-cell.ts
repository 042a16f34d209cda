/** An ONNX cell whose model is loaded: its ports with their types, and steps with JavaScript values. */
import { bytesOf, type RawTensor } from "../datatype.js";
import { Engine, NO_STATE } from "../engine/engine.js";
import {
  type ModelDescription,
  type NativeModelConfig,
  PRIORITY_SHIFT,
  StepFlags,
  type TensorDescription,
} from "../engine/surface.js";
import { HeadraceError } from "../errors.js";
import type { CellPorts, OnnxCell, OnnxPort } from "../pipeline/index.js";
import { type AnyValueType, MODEL_TENSOR, Tensor } from "../types/index.js";
import type { Cancellation } from "./cancellation.js";
import { EngineStep, type StepTensor } from "./engine-step.js";
import type { PredictOptions } from "./restricted.js";
import { checkRows, joinRows, rowCount, withBatch } from "./rows.js";

/** The outcome of a step whose new state still waits for `settle`. */
export interface CellOutcome {
  readonly outputs: Readonly<Record<string, unknown>>;
  /** Keeps the new state or forgets it. Call exactly once. */
  settle(commit: boolean): void;
}

export interface CellStepOptions extends PredictOptions {
  /** Whether the new state waits for `settle`; else it counts as soon as the step is done. */
  readonly hold: boolean;
}

type Port = { readonly name: string; readonly type: AnyValueType; readonly tensor: TensorDescription };

export class ModelCell {
  private constructor(
    readonly ref: string,
    readonly definition: OnnxCell,
    readonly engine: Engine,
    private readonly inputs: readonly Port[],
    private readonly outputs: readonly Port[],
  ) {}

  /**
   * Loads the model of a cell.
   * @param execution Overrides the cell's where given.
   */
  static async load(ref: string, cell: OnnxCell, execution?: "inline"): Promise<ModelCell> {
    if (cell.accelerator === "cuda" || cell.accelerator === "tensorrt") {
      throw new HeadraceError(
        "UNIMPLEMENTED",
        `cell '${ref}' asks for accelerator "${cell.accelerator}", but this build runs models on the CPU; use "auto" or "cpu"`,
      );
    }
    const engine = await Engine.load(nativeConfig(cell, execution));
    try {
      const { inputs, outputs } = engine.description;
      return new ModelCell(
        ref,
        cell,
        engine,
        ports(ref, cell.inputs, inputs, "inputs"),
        ports(ref, cell.outputs, outputs, "outputs"),
      );
    } catch (error) {
      await engine.close(false);
      throw error;
    }
  }

  get ports(): CellPorts {
    const types = (list: readonly Port[]) => Object.fromEntries(list.map(({ name, type }) => [name, type]));
    return { inputs: types(this.inputs), outputs: types(this.outputs) };
  }

  /** The engine's index of an input port; -1 where the cell has none of that name. */
  inputIndex(port: string): number {
    return this.inputs.findIndex(({ name }) => name === port);
  }

  outputIndex(port: string): number {
    return this.outputs.findIndex(({ name }) => name === port);
  }

  /**
   * One prediction; n rows without a state id are n steps.
   * @param values Parsed values by port name.
   */
  step(
    values: Readonly<Record<string, unknown>>,
    options: CellStepOptions,
    cancellation: Cancellation,
  ): Promise<CellOutcome> {
    const tensors = this.inputs.map(({ name, type }) => stepTensor(type.toTensor(values[name])));
    this.checkRows(tensors, options.stateId);
    const { stateId } = options;
    const key = stateId === undefined ? NO_STATE : this.engine.keyOf(stateId);
    return new Promise((resolve, reject) => {
      let stopWatching = (): void => {};
      const finish = (step: EngineStep, error: HeadraceError | undefined): void => {
        stopWatching();
        try {
          if (error !== undefined) throw error;
          resolve({ outputs: this.read(step), settle: (commit) => (options.hold ? step.release(commit) : undefined) });
        } catch (failure) {
          // Without hold the step gives its rows back by itself, also where its outputs do not fit their declared types.
          if (options.hold) step.release(false);
          reject(failure);
        }
      };
      const timeoutMicros = Math.max(0, Math.ceil((options.timeoutMs ?? 0) * 1000));
      const step = new EngineStep(
        this.engine,
        tensors,
        // Whoever makes the prediction counts it.
        { key, flags: stepFlags(options) | StepFlags.inner, timeoutMicros, keep: options.hold },
        finish,
      );
      step.submit();
      const cancel = (): void =>
        step.cancel(cancellation.reason?.code === "CANCELLED" ? "CANCELLED" : "DEADLINE_EXCEEDED");
      if (!step.isFinished) stopWatching = cancellation.onCancel(cancel);
    });
  }

  async close(drain: boolean): Promise<void> {
    await this.engine.close(drain);
  }

  private checkRows(tensors: readonly StepTensor[], stateId: string | undefined): void {
    const stream = stateId === undefined ? undefined : "a state id";
    let rows: number | undefined;
    for (const [index, { shape }] of tensors.entries()) {
      const port = this.inputs[index];
      if (port === undefined || port.tensor.batchAxis < 0) continue;
      const count = rowCount(shape, port.tensor.batchAxis);
      checkRows(count, rows, stream, `inputs.${port.name}`);
      rows = count;
    }
  }

  private read(step: EngineStep): Record<string, unknown> {
    const values: Record<string, unknown> = {};
    for (const [index, { name, type, tensor }] of this.outputs.entries()) {
      const joined = joinRows(tensor.datatype, step.output(index), tensor.batchAxis, name);
      values[name] = type.fromTensor(joined, `outputs.${name}`);
    }
    return values;
  }
}

/**
 * What a cell's model looks like, without keeping it loaded. Throws as `ModelCell.load` does.
 *
 * ```ts
 * const model = "examples/vad/silero_vad_16k_op15.onnx";
 * const { inputs, stateful } = await describeModel(onnxCell({ name: "vad", model, constants: { sr: 16000n } }));
 * console.log(stateful, inputs.map(({ name, datatype }) => `${name} ${datatype}`)); // true [ "input FP32" ]
 * ```
 */
export async function describeModel(cell: OnnxCell): Promise<ModelDescription> {
  const engine = await Engine.load(nativeConfig(cell, undefined));
  await engine.close(false);
  return engine.description;
}

export function stepFlags(options: { start?: boolean; end?: boolean; hold?: boolean; priority?: number }): number {
  return (
    (options.start ? StepFlags.start : 0) |
    (options.end ? StepFlags.end : 0) |
    (options.hold ? StepFlags.hold : 0) |
    ((options.priority ?? 0) << PRIORITY_SHIFT)
  );
}

export function stepTensor(tensor: RawTensor): StepTensor {
  return tensor.datatype === "BYTES"
    ? { datatype: "BYTES", shape: tensor.shape, strings: tensor.data }
    : { datatype: tensor.datatype, shape: tensor.shape, bytes: bytesOf(tensor.data) };
}

/** A cell as the engine takes it. */
export function nativeConfig(cell: OnnxCell, execution: "inline" | undefined): NativeModelConfig {
  const tensorOf = (port: string): string => cell.inputs?.[port]?.tensor ?? port;
  const config: NativeModelConfig = {
    path: cell.model,
    constants: Object.entries(cell.constants).map(([input, value]) => ({
      input,
      value: ArrayBuffer.isView(value) ? bytesOf(value).slice().buffer : value,
    })),
    state: cell.state?.map(({ input, output, batchAxis }) => ({
      input,
      output,
      ...(batchAxis === undefined ? {} : { batchAxis }),
    })),
    context: Object.entries(cell.context).map(([port, { size, axis }]) => ({
      input: tensorOf(port),
      size,
      ...(axis === undefined ? {} : { axis }),
    })),
    shapes: Object.values(cell.inputs ?? {})
      .filter(({ type }) => type !== MODEL_TENSOR)
      .map(({ tensor, type }) => ({ input: tensor, dims: [...type.shape] })),
    maxDelayMicros: cell.batching.maxDelayMicros,
    queueSize: cell.queueSize,
    queueBytes: cell.queueBytes,
    execution: execution ?? cell.execution,
    intraOpThreads: cell.intraOpThreads,
    stateTtlMillis: Math.ceil(cell.stateTtlSeconds * 1000),
    maxStates: cell.maxStates,
    evict: cell.evict,
  };
  if (cell.batching.maxSize !== undefined) config.maxBatch = cell.batching.maxSize;
  if (cell.lanes !== undefined) config.lanes = cell.lanes;
  return config;
}

/** The ports of one side in the engine's order, with the types fixed in the cell's description where it fixes them. */
function ports(
  ref: string,
  named: Readonly<Record<string, OnnxPort>> | undefined,
  tensors: readonly TensorDescription[],
  side: "inputs" | "outputs",
): Port[] {
  const known = tensors.map(({ name }) => name);
  for (const [port, { tensor }] of Object.entries(named ?? {})) {
    if (known.includes(tensor)) continue;
    throw new HeadraceError(
      "MODEL_INVALID",
      `the model has no such tensor '${tensor}'; its ${side} are ${known.join(", ") || "none"}`,
      {
        path: `${ref}.${side}.${port}`,
      },
    );
  }
  return tensors.map((tensor) => {
    const entry = Object.entries(named ?? {}).find(([, port]) => port.tensor === tensor.name);
    const given = entry?.[1].type;
    const type = given === undefined || given === MODEL_TENSOR ? Tensor(tensor.datatype, withBatch(tensor)) : given;
    checkType(`${ref}.${side}.${entry?.[0] ?? tensor.name}`, type, tensor);
    return { name: entry?.[0] ?? tensor.name, type, tensor };
  });
}

function checkType(path: string, type: AnyValueType, tensor: TensorDescription): void {
  const shape = withBatch(tensor);
  const fits =
    type.datatype === tensor.datatype &&
    type.shape.length === shape.length &&
    shape.every((dimension, axis) => {
      const declared = type.shape[axis];
      return dimension < 0 || declared === undefined || declared < 0 || declared === dimension;
    });
  if (fits) return;
  throw new HeadraceError(
    "MODEL_INVALID",
    `is declared ${type.label}, but the model has ${tensor.datatype} [${shape}]`,
    { path },
  );
}
