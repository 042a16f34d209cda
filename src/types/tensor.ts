import { DATATYPES, type Datatype, elementCount, isDatatype, type RawTensor, type TypedArray } from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";
import { expected, typedArrayName } from "./describe.js";
import { ELEMENTS, type Stored } from "./element.js";
import { allocate, arrayNameOf, nest, nestedSchema, parseNested } from "./nested.js";
import { Random } from "./random.js";
import { checkTensor, compatible, declaredShape, inferShape, matches, shapeText } from "./shape.js";
import { attachShape, carriedShape, type TensorInput, type TensorValue, withShape } from "./tensor-value.js";
import {
  type AnyValueType,
  BaseType,
  type Defaulted,
  defined,
  type Json,
  type JsonSchema,
  type TypeOptions,
} from "./value-type.js";

/** See `Tensor`. */
export type TensorOptions<D extends Datatype> = TypeOptions<TensorInput<D>>;

type Elements = TypedArray | readonly Uint8Array[];

/**
 * The type that `Tensor()` makes.
 *
 * ```ts
 * const type = Tensor("FP32", [-1, 3]);
 * type.parse([[1, 2, 3]], "rows").shape; // [1, 3]
 * type.label; // "Tensor FP32[-1,3]"
 * ```
 */
export class TensorType<D extends Datatype> extends BaseType<TensorValue<D>, TensorInput<D>> {
  readonly kind: string = "Tensor";
  readonly datatype: D;
  readonly shape: readonly number[];
  readonly #arrayName: string | undefined;
  /** The last inferred shape: a stream sends the same size step after step, and the frozen shape can be shared. */
  #lastShape: readonly number[] = [];
  #lastCount = -1;

  constructor(datatype: D, shape: readonly number[], options: TensorOptions<D>) {
    super(options);
    if (!isDatatype(datatype)) {
      const known = `${Object.keys(DATATYPES).join(", ")} or BYTES`;
      throw new InvalidArgumentError(`expected ${known}, got ${String(datatype)}`, { path: "Tensor.datatype" });
    }
    this.datatype = datatype;
    this.shape = declaredShape(shape, "Tensor.shape");
    this.#arrayName = arrayNameOf(datatype);
  }

  override get label(): string {
    return `${this.kind} ${this.datatype}${shapeText(this.shape)}`;
  }

  parse(value: unknown, path: string): TensorValue<D> {
    const name = typedArrayName(value);
    if (name !== undefined) {
      if (name === this.#arrayName) return this.#parseElements(value as TypedArray, path);
      if (this.datatype !== "BYTES" || name !== "Uint8Array") throw expected(this.#wanted, value, path);
    }
    if (this.datatype === "BYTES" && Array.isArray(value) && carriedShape(value) !== undefined) {
      return this.#parseElements(this.#byteStrings(value, path), path);
    }
    return parseNested(value, this.datatype, this.shape, path);
  }

  /** Elements as they will be used: only length and shape are looked at, and nothing is copied. */
  #parseElements(data: Elements, path: string): TensorValue<D> {
    const carried = carriedShape(data);
    if (carried === undefined) {
      const shape = this.#shapeOf(data.length);
      if (shape !== undefined) return withShape(data, shape) as TensorValue<D>;
    } else if (elementCount(carried) === data.length) {
      if (matches(carried, this.shape)) return data as TensorValue<D>;
      const isRow = this.shape[0] === -1 && matches(carried, this.shape.slice(1));
      if (isRow) return withShape(data, [1, ...carried]) as TensorValue<D>;
    }
    const got = carried === undefined ? `${data.length} elements` : `${data.length} elements as ${shapeText(carried)}`;
    const ambiguous = carried === undefined && this.shape.filter((dimension) => dimension === -1).length > 1;
    const hint = ambiguous ? "; more than one dimension is free: say which with tensor(data, shape)" : "";
    throw new InvalidArgumentError(`expected the shape ${shapeText(this.shape)}, got ${got}${hint}`, { path });
  }

  #shapeOf(count: number): readonly number[] | undefined {
    if (count === this.#lastCount) return this.#lastShape;
    const shape = inferShape(this.shape, count);
    if (shape === undefined) return undefined;
    this.#lastCount = count;
    this.#lastShape = shape;
    return shape;
  }

  #byteStrings(value: readonly unknown[], path: string): readonly Uint8Array[] {
    value.forEach((element, i) => {
      if (!(element instanceof Uint8Array)) throw expected("a Uint8Array", element, `${path}[${i}]`);
    });
    return value as readonly Uint8Array[];
  }

  /** What to pass instead of a typed array of another class. */
  get #wanted(): string {
    if (this.#arrayName === undefined) return "an array of strings or Uint8Arrays";
    const isBits = this.datatype === "FP16" || this.datatype === "BF16";
    return isBits
      ? `a ${this.#arrayName} of ${this.datatype} bits or a plain array of numbers`
      : `a ${this.#arrayName}`;
  }

  /** Free dimensions become 1 where they are the batch axis, else 1 to 8. */
  fake(random: Random = new Random()): TensorValue<D> {
    const shape = this.shape.map((size, axis) => (size !== -1 ? size : axis === 0 ? 1 : random.integer(1, 8)));
    const value = allocate(this.datatype, shape);
    const sink = value as unknown as { [index: number]: Stored };
    for (let i = 0; i < value.length; i++) sink[i] = ELEMENTS[this.datatype].fake(random);
    return value;
  }

  toTensor(value: TensorValue<D>): RawTensor {
    return { datatype: this.datatype, shape: value.shape, data: value } as unknown as RawTensor;
  }

  fromTensor(tensor: RawTensor, path: string): TensorValue<D> {
    checkTensor(tensor, this.datatype, this.shape, path);
    return (carriedShape(tensor.data) === undefined && Object.isExtensible(tensor.data)
      ? attachShape(tensor.data, tensor.shape)
      : withShape(tensor.data, tensor.shape)) as unknown as TensorValue<D>;
  }

  toJson(value: TensorValue<D>): Json {
    return nest(value, this.datatype);
  }

  accepts(from: AnyValueType): string | undefined {
    if (from.kind === "ModelTensor") return undefined;
    if (!(from instanceof TensorType)) return `${from.label} is not a tensor`;
    if (from.datatype !== this.datatype) return `${String(from.datatype)} is not ${this.datatype}`;
    if (compatible(from.shape, this.shape)) return undefined;
    return `the shape ${shapeText(from.shape)} is not ${shapeText(this.shape)}`;
  }

  protected contentSchema(): JsonSchema {
    const annotations = { "x-datatype": this.datatype as Datatype, "x-shape": this.shape };
    return { ...nestedSchema(this.datatype, this.shape), ...annotations };
  }
}

/**
 * A tensor: row-major elements of one datatype with a shape. In JavaScript it is the typed array of the datatype with a
 * read-only `shape`; in plain JSON, arrays nested by shape. A typed array of the right class is taken as it is, without
 * copying and without looking at its elements. One that carries no shape gets it from its length, when that leaves no
 * choice; with a leading -1 (the batch axis) the elements of one row are one row. Numbers are rounded as IEEE 754 says
 * (FP16 and BF16 too, which a Uint16Array carries as bits); integers out of range are refused, and floats that would become
 * infinite. 64-bit integers are bigints, in JSON decimal strings beyond ±(2^53 - 1); NaN and the infinities are strings in
 * JSON.
 *
 * ```ts
 * const features = Tensor("FP32", [-1, 3]);
 * features.parse(Float32Array.of(1, 2, 3), "features").shape; // [1, 3]
 * features.parse(Float32Array.of(1, 2), "features"); // throws: features: expected the shape [-1,3], got 2 elements
 * ```
 *
 * @param datatype A V2 datatype: "FP32", "INT64", "BYTES", …
 * @param shape The dimensions, outermost first; -1 is free, and as the first one of several the batch axis.
 * @param options `title`, `description` and `default`; a value with a default may be left out.
 * @throws InvalidArgumentError when datatype, shape or default is none.
 */
export function Tensor<D extends Datatype>(
  datatype: D,
  shape: readonly number[],
  options: TensorOptions<D> & Defaulted<TensorInput<D>>,
): TensorType<D> & Defaulted<TensorInput<D>>;
export function Tensor<D extends Datatype>(
  datatype: D,
  shape: readonly number[],
  options?: TensorOptions<D>,
): TensorType<D>;
export function Tensor<D extends Datatype>(
  datatype: D,
  shape: readonly number[],
  options: TensorOptions<D> = {},
): TensorType<D> {
  return defined(new TensorType(datatype, shape, options));
}
