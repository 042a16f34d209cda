import { type Datatype, elementCount, type RawTensor, type TypedArray } from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";
import { expected } from "./describe.js";
import { allocate } from "./nested.js";
import { OptionalType } from "./optional.js";
import { Random } from "./random.js";
import { SCALAR_SHAPE } from "./scalar.js";
import { checkTensor } from "./shape.js";
import { jsonFromTensor, jsonToTensor } from "./text.js";
import {
  type AnyValueType,
  assignable,
  BaseType,
  type Defaulted,
  defined,
  type InputOf,
  isValueType,
  type Json,
  type JsonSchema,
  type TypeOptions,
  type ValueOf,
} from "./value-type.js";

/** The value of a `List`. */
export type ListValue<T> = readonly ValueOf<T>[];

/** What a `List` accepts. */
export type ListInput<T> = readonly InputOf<T>[];

/** See `List`. */
export interface ListOptions<T> extends TypeOptions<ListInput<T>> {
  /** The fewest items. Default: 0. */
  readonly minLength?: number;
  /** The most items. Default: any number. */
  readonly maxLength?: number;
}

/**
 * The type that `List()` makes.
 *
 * ```ts
 * const type = List(Integer());
 * type.shape; // [-1]
 * type.toTensor([1, 2, 3]).data; // BigInt64Array.of(1n, 2n, 3n)
 * ```
 */
export class ListType<T extends AnyValueType> extends BaseType<ListValue<T>, ListInput<T>> {
  readonly kind: string = "List";
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** The type of every item. */
  readonly items: T;
  /** The fewest items. */
  readonly minLength: number;
  /** The most items; Infinity for any number. */
  readonly maxLength: number;
  /** Whether V2 has an item after the other in one tensor, and not all of them as JSON text. */
  readonly #isStacked: boolean;

  constructor(items: T, { minLength = 0, maxLength = Number.POSITIVE_INFINITY, ...options }: ListOptions<T>) {
    super(options);
    if (!isValueType(items)) throw expected("a type, such as Integer()", items, "List");
    checkLengths(minLength, maxLength);
    this.items = items;
    this.minLength = minLength;
    this.maxLength = maxLength;
    this.#isStacked = !(items instanceof OptionalType) && !items.shape.includes(-1);
    this.datatype = this.#isStacked ? items.datatype : "BYTES";
    const isOne = items.shape.length === 1 && items.shape[0] === 1;
    this.shape = this.#isStacked ? Object.freeze([-1, ...(isOne ? [] : items.shape)]) : SCALAR_SHAPE;
  }

  override get label(): string {
    return `List(${this.items.label})`;
  }

  parse(value: unknown, path: string): ListValue<T> {
    if (!Array.isArray(value)) throw expected("an array", value, path);
    this.#checkLength(value.length, path);
    return this.arrange(Array.from(value, (item, i) => this.items.parse(item, `${path}[${i}]`) as ValueOf<T>));
  }

  /** The items in the order that the type keeps them in. */
  protected arrange(items: ValueOf<T>[]): ListValue<T> {
    return items;
  }

  #checkLength(length: number, path: string): void {
    if (length >= this.minLength && length <= this.maxLength) return;
    const { minLength, maxLength } = this;
    const wanted = length < minLength ? `at least ${minLength}` : `at most ${maxLength}`;
    throw new InvalidArgumentError(`expected ${wanted} items, got ${length}`, { path });
  }

  fake(random: Random = new Random()): ListValue<T> {
    const length = random.integer(this.minLength, Math.min(this.maxLength, this.minLength + 3));
    return this.arrange(Array.from({ length }, () => this.items.fake(random) as ValueOf<T>));
  }

  toTensor(value: ListValue<T>): RawTensor {
    if (!this.#isStacked) return jsonToTensor(this.toJson(value));
    const shape = [value.length, ...this.shape.slice(1)];
    const rows = value.map((item) => this.items.toTensor(item));
    if (this.datatype === "BYTES") {
      return { datatype: "BYTES", shape, data: rows.flatMap(({ data }) => data as readonly Uint8Array[]) };
    }
    const data = allocate(this.datatype, shape);
    const size = elementCount(this.items.shape);
    // All of one class, which their union cannot say.
    for (const [i, row] of rows.entries()) data.set(row.data as TypedArray & never, i * size);
    return { datatype: this.datatype, shape, data };
  }

  fromTensor(tensor: RawTensor, path: string): ListValue<T> {
    if (!this.#isStacked) return this.parse(jsonFromTensor(tensor, path), path);
    checkTensor(tensor, this.datatype, this.shape, path);
    const length = tensor.shape[0] ?? 0;
    this.#checkLength(length, path);
    const size = elementCount(this.items.shape);
    return this.arrange(
      Array.from({ length }, (_, i) => {
        const [from, to] = [i * size, (i + 1) * size];
        const data = tensor.datatype === "BYTES" ? tensor.data.slice(from, to) : tensor.data.subarray(from, to);
        const row = { datatype: this.datatype, shape: this.items.shape, data } as RawTensor;
        return this.items.fromTensor(row, `${path}[${i}]`) as ValueOf<T>;
      }),
    );
  }

  toJson(value: ListValue<T>): Json {
    return value.map((item) => this.items.toJson(item));
  }

  accepts(from: AnyValueType): string | undefined {
    if (!(from instanceof ListType)) return `${from.label} is not ${this.label}`;
    if (from.minLength > this.maxLength || from.maxLength < this.minLength) return "no length fits both";
    const reason = assignable(from.items, this.items);
    return reason === undefined ? undefined : `its items: ${reason}`;
  }

  protected contentSchema(): JsonSchema {
    return {
      type: "array",
      items: this.items.jsonSchema(),
      ...(this.minLength === 0 ? {} : { minItems: this.minLength }),
      ...(Number.isFinite(this.maxLength) ? { maxItems: this.maxLength } : {}),
    };
  }
}

function checkLengths(minLength: number, maxLength: number): void {
  for (const [name, value] of Object.entries({ minLength, maxLength })) {
    const isCount = (Number.isSafeInteger(value) && value >= 0) || (name === "maxLength" && value === Infinity);
    if (!isCount) throw expected("a number of items", value, `List.${name}`);
  }
  if (maxLength >= minLength) return;
  const message = `is ${maxLength}, below minLength, which is ${minLength}`;
  throw new InvalidArgumentError(message, { path: "List.maxLength" });
}

/**
 * Values of one type, in order: `List(BoundingBox())`. JSON: an array. V2: where the items are of fixed shape, one tensor
 * with the number of items in front, so that a list of integers is INT64 `[-1]`, one of boxes FP64 `[-1, 4]`, and one of
 * strings or dicts BYTES `[-1]`; else, and for optional items, BYTES `[1]`, the array as JSON text.
 *
 * ```ts
 * const faces = List(BoundingBox(), { maxLength: 10 });
 * faces.parse([{ x: 0, y: 0, width: 8, height: 8 }], "faces").length; // 1
 * faces.parse({}, "faces"); // throws: faces: expected an array, got an object
 * ```
 *
 * @param items The type of every item.
 * @param options `minLength` and `maxLength`; `title`, `description` and `default`.
 * @throws InvalidArgumentError when the type, a length or the default is none.
 */
export function List<T extends AnyValueType>(
  items: T,
  options: ListOptions<T> & Defaulted<ListInput<T>>,
): ListType<T> & Defaulted<ListInput<T>>;
export function List<T extends AnyValueType>(items: T, options?: ListOptions<T>): ListType<T>;
export function List<T extends AnyValueType>(items: T, options: ListOptions<T> = {}): ListType<T> {
  return defined(new ListType(items, options));
}
