import type { RawTensor } from "../datatype.js";
import { RecordType } from "./dict.js";
import { FloatRange } from "./range.js";
import type { Types } from "./record.js";
import { checkTensor } from "./shape.js";
import type { TypeOptions } from "./value-type.js";

/** Any finite number. */
export const FINITE = FloatRange({ min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY });

/**
 * A record of numbers: V2 carries it as one FP64 tensor, its fields in their order, so that clients need no JSON.
 *
 * ```ts
 * const type = Point();
 * type.toTensor({ x: 1, y: 2 }).data; // Float64Array.of(1, 2)
 * ```
 */
export class FloatRecordType<Out> extends RecordType<Out> {
  override readonly datatype = "FP64";
  override readonly shape: readonly number[];

  constructor(fields: Types, options: TypeOptions<Out>) {
    super(fields, options);
    this.shape = Object.freeze([Object.keys(fields).length]);
  }

  override get label(): string {
    return this.kind;
  }

  override toTensor(value: Out): RawTensor {
    const named = value as Readonly<Record<string, number>>;
    const data = Float64Array.from(Object.keys(this.fields), (name) => named[name] ?? Number.NaN);
    return { datatype: "FP64", shape: this.shape, data };
  }

  override fromTensor(tensor: RawTensor, path: string): Out {
    checkTensor(tensor, "FP64", this.shape, path);
    return this.parse(Object.fromEntries(Object.keys(this.fields).map((name, i) => [name, tensor.data[i]])), path);
  }
}
