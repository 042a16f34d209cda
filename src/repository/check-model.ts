/** A configuration against its model: tensors by tensor, both sides named where they contradict each other. */
import type { ModelDescription, TensorDescription } from "../engine/surface.js";
import { configError } from "./config-error.js";
import type { TritonInput, TritonOutput } from "./config-schema.js";
import { datatypeOf } from "./control-cell.js";
import type { ModelConfig } from "./model-config.js";

/** A tensor that clients see. */
export interface Declared {
  readonly tensor: TensorDescription;
  /** V2 shape: with the batch axis as -1 where there is one. */
  readonly shape: readonly number[];
  /** Whether the configuration says more about the shape than the model does. */
  readonly isNarrowed: boolean;
}

/** @throws HeadraceError MODEL_INVALID where type or shape contradict the model's. */
export function checkPort(
  side: string,
  tensor: TensorDescription,
  port: TritonInput | TritonOutput | undefined,
  model: ModelConfig | undefined,
  description: ModelDescription,
): Declared {
  const own = withBatch(tensor.rowShape, tensor.batchAxis);
  if (model === undefined) return { tensor, shape: own, isNarrowed: false };
  checkBatching(model, description, tensor, side);
  const { data_type, dims } = port ?? {};
  const where = port === undefined ? "" : model.places.of(port, "data_type");
  if (data_type !== undefined && datatypeOf(data_type) !== tensor.datatype) {
    throw configError(where, `${side} '${tensor.name}' is ${data_type} here, but ${tensor.datatype} in the model`);
  }
  if (port === undefined || dims === undefined) return { tensor, shape: own, isNarrowed: false };
  const full = fullShape(dims, own.length, tensor.batchAxis, model.config.max_batch_size);
  const fits = full?.length === own.length && own.every((size, axis) => fitsSize(full[axis], size));
  if (full === undefined || !fits) {
    const batch = (model.config.max_batch_size ?? 0) > 0 ? " after the batch dimension" : "";
    throw configError(
      model.places.of(port, "dims"),
      `${side} '${tensor.name}' has dims [${dims}]${batch} here, but shape [${own}] in the model`,
    );
  }
  return { tensor, shape: full, isNarrowed: full.some((size, axis) => size !== own[axis]) };
}

/** What the model leaves open may be fixed here; what it fixes may not be opened. */
function fitsSize(declared: number | undefined, size: number): boolean {
  return declared !== undefined && (size < 0 ? declared >= -1 : declared === size);
}

/**
 * Dims with the batch dimension that `max_batch_size` promises in front. Without a max_batch_size they may be with or without
 * it. Undefined where there is no such shape.
 */
function fullShape(
  dims: readonly number[],
  rank: number,
  batchAxis: number,
  maxBatchSize: number | undefined,
): readonly number[] | undefined {
  if (maxBatchSize === 0 || (maxBatchSize === undefined && dims.length === rank)) return dims;
  return batchAxis === 0 ? [-1, ...dims] : undefined;
}

function checkBatching(
  model: ModelConfig,
  description: ModelDescription,
  tensor: TensorDescription,
  side: string,
): void {
  const { config, places } = model;
  const { max_batch_size = 0 } = config;
  if (max_batch_size === 0) return;
  if (!description.batchable) {
    const message = `is ${max_batch_size}, but the model takes one step at a time (${description.whyNotBatchable}); use 0`;
    throw configError(places.of(config, "max_batch_size"), message);
  }
  if (tensor.batchAxis === 0) return;
  const axis = tensor.batchAxis < 0 ? "none" : `axis ${tensor.batchAxis}`;
  const message = `is ${max_batch_size}, which needs the batch in front; ${side} '${tensor.name}' [${tensor.modelShape}] has ${axis}; use 0, steps share runs all the same where max_batch_size is not given`;
  throw configError(places.of(config, "max_batch_size"), message);
}

/** @throws HeadraceError MODEL_INVALID where a declared state's type or shape contradict the model's. */
export function checkStates({ config, places }: ModelConfig, { states }: ModelDescription): void {
  for (const declared of config.sequence_batching?.state ?? []) {
    const { input_name, data_type, dims } = declared;
    const state = states.find(({ name }) => name === input_name);
    if (state === undefined) continue;
    if (data_type !== undefined && datatypeOf(data_type) !== state.datatype) {
      const message = `state '${state.name}' is ${data_type} here, but ${state.datatype} in the model`;
      throw configError(places.of(declared, "data_type"), message);
    }
    if (dims === undefined) continue;
    const full = withBatch(state.rowShape, state.batchAxis);
    const shapes =
      config.max_batch_size === 0
        ? [full]
        : config.max_batch_size === undefined
          ? [full, state.rowShape]
          : [state.rowShape];
    const fits = (shape: readonly number[]): boolean =>
      shape.length === dims.length && shape.every((size, axis) => dims[axis] === size || size < 0 || dims[axis] === -1);
    if (shapes.some(fits)) continue;
    const message = `state '${state.name}' has dims [${dims}] here, but shape [${full}] in the model`;
    throw configError(places.of(declared, "dims"), message);
  }
}

function withBatch(rowShape: readonly number[], batchAxis: number): readonly number[] {
  return batchAxis < 0 ? rowShape : [...rowShape.slice(0, batchAxis), -1, ...rowShape.slice(batchAxis)];
}
