import type { Datatype, RawTensor } from "../datatype.js";
import { bug } from "../errors.js";
import { TensorType } from "./tensor.js";
import type { TensorInput, TensorValue } from "./tensor-value.js";
import { type AnyValueType, BaseType, defined, type Json, type JsonSchema } from "./value-type.js";

/**
 * The type of a model's port before the model has been read: some tensor. It stands where a `Tensor` will be, fits every
 * tensor, and can do nothing else; the runtime puts the model's own type in its place when it starts.
 *
 * ```ts
 * const cell = new PipelineFactory({ name: "vad" }).addCell("vad", onnxCell({ name: "vad", model: "vad.onnx" }));
 * cell.input("audio").type.kind; // "ModelTensor"
 * ```
 */
export class ModelTensorType extends BaseType<TensorValue<Datatype>, TensorInput<Datatype>> {
  readonly kind: string = "ModelTensor";

  get datatype(): Datatype {
    throw unread();
  }

  get shape(): readonly number[] {
    throw unread();
  }

  accepts(from: AnyValueType): string | undefined {
    const isTensor = from instanceof ModelTensorType || from instanceof TensorType;
    return isTensor ? undefined : `${from.label} is not a tensor`;
  }

  parse(): TensorValue<Datatype> {
    throw unread();
  }

  fake(): TensorValue<Datatype> {
    throw unread();
  }

  toTensor(): RawTensor {
    throw unread();
  }

  fromTensor(): TensorValue<Datatype> {
    throw unread();
  }

  toJson(): Json {
    throw unread();
  }

  protected contentSchema(): JsonSchema {
    throw unread();
  }
}

function unread() {
  return bug("The type of a model's port was asked for before the model was read");
}

/**
 * The one instance: it has nothing of its own.
 *
 * ```ts
 * assignable(Tensor("FP32", [-1, 4]), MODEL_TENSOR); // undefined
 * assignable(Integer(), MODEL_TENSOR); // "Integer is not a tensor"
 * ```
 */
export const MODEL_TENSOR: ModelTensorType = defined(new ModelTensorType({}));
