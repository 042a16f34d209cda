import type { Datatype, RawTensor } from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";
import { shapeText } from "./shape.js";
import { type AnyValueType, BaseType, type Json } from "./value-type.js";

export const SCALAR_SHAPE: readonly number[] = Object.freeze([1]);

/** @throws InvalidArgumentError unless the V2 tensor is one element of that datatype, of shape `[1]`. */
export function onlyElement(tensor: RawTensor, datatype: Datatype, path: string): unknown {
  if (tensor.datatype !== datatype) {
    throw new InvalidArgumentError(`expected datatype ${datatype}, got ${tensor.datatype}`, { path });
  }
  if (tensor.shape.length !== 1 || tensor.shape[0] !== 1 || tensor.data.length !== 1) {
    const got = `${shapeText(tensor.shape)} with ${tensor.data.length} elements`;
    throw new InvalidArgumentError(`expected shape [1] with one element, got ${got}`, { path });
  }
  return tensor.data[0];
}

/**
 * A single value: V2 carries it as a tensor of shape `[1]`.
 *
 * ```ts
 * const type: ScalarType<number> = Integer();
 * type.toJson(7); // 7
 * type.shape; // [1]
 * ```
 */
export abstract class ScalarType<Out extends Json, In = Out> extends BaseType<Out, In> {
  readonly shape = SCALAR_SHAPE;
  abstract override readonly datatype: Datatype;

  fromTensor(tensor: RawTensor, path: string): Out {
    return this.fromElement(onlyElement(tensor, this.datatype, path), path);
  }

  /** The value of the one element of a V2 tensor of the right datatype. */
  protected abstract fromElement(element: unknown, path: string): Out;

  toJson(value: Out): Json {
    return value;
  }

  accepts(from: AnyValueType): string | undefined {
    return from.kind === this.kind ? undefined : `${from.label} is not ${this.label}`;
  }
}
