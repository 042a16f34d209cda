import type { Datatype, RawTensor } from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";
import { expected, isRecord, isWellFormed, pathTo } from "./describe.js";
import { Random } from "./random.js";
import {
  fakeValues,
  type InputsOf,
  parseValues,
  type Types,
  type ValuesOf,
  valuesSchema,
  valuesToJson,
} from "./record.js";
import { SCALAR_SHAPE } from "./scalar.js";
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

/** See `Dict`. */
export type DictOptions<In> = TypeOptions<In>;

/** The value of a `Dict` of any keys. */
export type DictValue<T> = Readonly<Record<string, ValueOf<T>>>;

/** What a `Dict` of any keys accepts. */
export type DictInput<T> = Readonly<Record<string, InputOf<T>>>;

/**
 * The type that `Dict()` makes of a type for all values.
 *
 * ```ts
 * const type = Dict(Integer());
 * type.parse({ apples: 3 }, "stock"); // { apples: 3 }
 * type.values.kind; // "Integer"
 * ```
 */
export class DictType<T extends AnyValueType> extends BaseType<DictValue<T>, DictInput<T>> {
  readonly kind: string = "Dict";
  readonly datatype = "BYTES";
  readonly shape = SCALAR_SHAPE;
  /** The type of every value. */
  readonly values: T;

  constructor(values: T, options: DictOptions<DictInput<T>>) {
    super(options);
    this.values = values;
  }

  override get label(): string {
    return `Dict(${this.values.label})`;
  }

  parse(value: unknown, path: string): DictValue<T> {
    if (!isRecord(value)) throw expected("an object", value, path);
    const given = Object.entries(value).filter(([, item]) => item !== undefined);
    for (const [key] of given) checkKey(key, path);
    return Object.fromEntries(
      given.map(([key, item]) => [key, this.values.parse(item, pathTo(path, key))]),
    ) as DictValue<T>;
  }

  fake(random: Random = new Random()): DictValue<T> {
    const keys = Array.from({ length: random.integer(0, 3) }, () => random.word(random.integer(1, 8)));
    return Object.fromEntries(keys.map((key) => [key, this.values.fake(random)])) as DictValue<T>;
  }

  toTensor(value: DictValue<T>): RawTensor {
    return jsonToTensor(this.toJson(value));
  }

  fromTensor(tensor: RawTensor, path: string): DictValue<T> {
    return this.parse(jsonFromTensor(tensor, path), path);
  }

  toJson(value: DictValue<T>): Json {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.values.toJson(item)]));
  }

  accepts(from: AnyValueType): string | undefined {
    if (from instanceof DictType) return assignable(from.values, this.values);
    if (!(from instanceof RecordType)) return `${from.label} is not ${this.label}`;
    return firstReason(Object.entries(from.fields), (type) => assignable(type, this.values));
  }

  protected contentSchema(): JsonSchema {
    return { type: "object", additionalProperties: this.values.jsonSchema() };
  }
}

/**
 * The type that `Dict()` makes of a record of types, and the base of those whose fields are fixed.
 *
 * ```ts
 * const type = Dict({ x: Float(), y: Float({ default: 0 }) });
 * type.parse({ x: 1 }, "at"); // { x: 1, y: 0 }
 * type.label; // "Dict {x, y}"
 * ```
 */
export class RecordType<Out, In = Out> extends BaseType<Out, In> {
  readonly kind: string = "Dict";
  readonly datatype: Datatype = "BYTES";
  readonly shape: readonly number[] = SCALAR_SHAPE;
  /** The type of each field. */
  readonly fields: Types;

  constructor(fields: Types, options: TypeOptions<In>) {
    super(options);
    this.fields = Object.freeze({ ...fields });
  }

  override get label(): string {
    return `${this.kind} {${Object.keys(this.fields).join(", ")}}`;
  }

  parse(value: unknown, path: string): Out {
    return parseValues(this.fields, value, path) as Out;
  }

  fake(random: Random = new Random()): Out {
    return fakeValues(this.fields, random) as Out;
  }

  toTensor(value: Out): RawTensor {
    return jsonToTensor(this.toJson(value));
  }

  fromTensor(tensor: RawTensor, path: string): Out {
    return this.parse(jsonFromTensor(tensor, path), path);
  }

  toJson(value: Out): Json {
    return valuesToJson(this.fields, value as ValuesOf<Types>);
  }

  accepts(from: AnyValueType): string | undefined {
    const fields = Object.entries(this.fields);
    if (from instanceof DictType) return firstReason(fields, (type) => assignable(from.values, type));
    if (!(from instanceof RecordType)) return `${from.label} is not ${this.label}`;
    const unknown = Object.keys(from.fields).find((name) => !Object.hasOwn(this.fields, name));
    if (unknown !== undefined) return `${this.label} has no field "${unknown}"`;
    return firstReason(fields, (type, name) => {
      const given = Object.hasOwn(from.fields, name) ? from.fields[name] : undefined;
      if (given !== undefined) return assignable(given, type);
      return type.default === undefined ? `${from.label} does not have it` : undefined;
    });
  }

  protected contentSchema(): JsonSchema {
    return valuesSchema(this.fields);
  }
}

function firstReason(
  fields: readonly (readonly [string, AnyValueType])[],
  reasonOf: (type: AnyValueType, name: string) => string | undefined,
): string | undefined {
  for (const [name, type] of fields) {
    const reason = reasonOf(type, name);
    if (reason !== undefined) return `field "${name}": ${reason}`;
  }
  return undefined;
}

/** @throws InvalidArgumentError for a key that JavaScript objects treat in their own way, or that UTF-8 cannot carry. */
function checkKey(key: string, path: string): void {
  if (key !== "__proto__" && isWellFormed(key)) return;
  throw new InvalidArgumentError("is not a usable key", { path: pathTo(path, key) });
}

function checkFields(fields: unknown): void {
  if (!isRecord(fields)) throw expected("a type, or an object of types, such as { name: String() }", fields, "Dict");
  for (const [name, type] of Object.entries(fields)) {
    checkKey(name, "Dict");
    if (!isValueType(type)) throw expected("a type, such as Integer()", type, pathTo("Dict", name));
  }
}

/**
 * An object. `Dict(Integer())` has any keys and values of one type; `Dict({ name: String(), age: Integer() })` has exactly
 * these fields, each of its own type. A field that is an `Optional` or has a default may be left out. JSON: an object. V2:
 * BYTES `[1]`, the object as JSON text.
 *
 * ```ts
 * const stock = Dict(Integer());
 * stock.parse({ apples: 3, pears: 0 }, "stock"); // { apples: 3, pears: 0 }
 * const person = Dict({ id: Integer(), age: Optional(Integer()) });
 * person.parse({ id: 7 }, "person"); // { id: 7, age: null }
 * ```
 *
 * @param values The type of all values, or the type of each field.
 * @param options `title`, `description` and `default`.
 * @throws InvalidArgumentError when a type or the default is none.
 */
export function Dict<T extends AnyValueType>(
  values: T,
  options: DictOptions<DictInput<T>> & Defaulted<DictInput<T>>,
): DictType<T> & Defaulted<DictInput<T>>;
export function Dict<T extends AnyValueType>(values: T, options?: DictOptions<DictInput<T>>): DictType<T>;
export function Dict<T extends Types>(
  fields: T,
  options: DictOptions<InputsOf<T>> & Defaulted<InputsOf<T>>,
): RecordType<ValuesOf<T>, InputsOf<T>> & Defaulted<InputsOf<T>>;
export function Dict<T extends Types>(
  fields: T,
  options?: DictOptions<InputsOf<T>>,
): RecordType<ValuesOf<T>, InputsOf<T>>;
export function Dict(types: AnyValueType | Types, options: DictOptions<unknown> = {}): unknown {
  if (isValueType(types)) return defined(new DictType(types, options as DictOptions<DictInput<AnyValueType>>));
  checkFields(types);
  return defined(new RecordType<unknown, unknown>(types, options));
}
