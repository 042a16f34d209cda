import type { Datatype, RawTensor } from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";
import { expected } from "./describe.js";
import { Random } from "./random.js";
import {
  type AnyValueType,
  assignable,
  BaseType,
  defined,
  type InputOf,
  isValueType,
  type Json,
  type JsonSchema,
  type TypeOptions,
  type ValueOf,
} from "./value-type.js";

/** See `Optional`. */
export interface OptionalOptions<T> extends TypeOptions<InputOf<T> | null> {
  /** The value where none is given. Default: null, whatever default the type itself has. */
  readonly default?: InputOf<T> | null;
}

/**
 * The type that `Optional()` makes.
 *
 * ```ts
 * const type = Optional(Integer());
 * type.parse(undefined, "age"); // null
 * type.type.kind; // "Integer"
 * ```
 */
export class OptionalType<T extends AnyValueType> extends BaseType<ValueOf<T> | null, InputOf<T> | null> {
  readonly kind: string = "Optional";
  /** The value where none is given: an optional value may always be left out. */
  declare readonly default: InputOf<T> | null;
  /** The type of a value that is there. */
  readonly type: T;

  constructor(type: T, options: OptionalOptions<T>) {
    super({ ...options, default: options.default === undefined ? null : options.default });
    if (!isValueType(type)) throw expected("a type, such as Integer()", type, "Optional");
    this.type = type;
  }

  override get label(): string {
    return `Optional(${this.type.label})`;
  }

  get datatype(): Datatype {
    return this.type.datatype;
  }

  get shape(): readonly number[] {
    return this.type.shape;
  }

  parse(value: unknown, path: string): ValueOf<T> | null {
    return value === null || value === undefined ? null : (this.type.parse(value, path) as ValueOf<T>);
  }

  fake(random: Random = new Random()): ValueOf<T> | null {
    return random.next() < 0.25 ? null : (this.type.fake(random) as ValueOf<T>);
  }

  toTensor(value: ValueOf<T> | null): RawTensor {
    if (value !== null) return this.type.toTensor(value);
    throw new InvalidArgumentError("null has no tensor: V2 leaves it out", { path: this.label });
  }

  fromTensor(tensor: RawTensor, path: string): ValueOf<T> {
    return this.type.fromTensor(tensor, path) as ValueOf<T>;
  }

  toJson(value: ValueOf<T> | null): Json {
    return value === null ? null : this.type.toJson(value);
  }

  accepts(from: AnyValueType): string | undefined {
    return assignable(from instanceof OptionalType ? from.type : from, this.type);
  }

  protected contentSchema(): JsonSchema {
    return { anyOf: [this.type.jsonSchema(), { type: "null" }] };
  }
}

/**
 * A value or null: `Optional(Integer())`. It may be left out wherever values have names, and is null then. JSON: the value
 * or null. V2: datatype and shape of the type itself; an input without a value is left out of the request, an output that
 * is null out of the answer.
 *
 * ```ts
 * const types = { id: Integer(), age: Optional(Integer()) };
 * parseValues(types, { id: 7 }, "person"); // { id: 7, age: null }
 * ```
 *
 * @param type The type of a value that is there.
 * @param options `title`, `description` and `default`.
 * @throws InvalidArgumentError when the type or the default is none.
 */
export function Optional<T extends AnyValueType>(type: T, options: OptionalOptions<T> = {}): OptionalType<T> {
  return defined(new OptionalType(type, options));
}
