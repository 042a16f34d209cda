import type { RawTensor } from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";
import { expected, isRecord, pathTo } from "./describe.js";
import { Random } from "./random.js";
import type { AnyValueType, HasDefault, InputOf, Json, JsonSchema, ValueOf } from "./value-type.js";

/** Named types: the inputs, outputs, parameters or state of something. */
export type Types = Readonly<Record<string, AnyValueType>>;

/** No names at all. */
export type NoTypes = Readonly<Record<never, AnyValueType>>;

/** The values of named types, as cells see them. */
export type ValuesOf<T> = { readonly [K in keyof T]: ValueOf<T[K]> };

/** The values that named types accept; those with a default may be left out. */
export type InputsOf<T> = {
  readonly [K in keyof T as HasDefault<T[K]> extends true ? never : K]: InputOf<T[K]>;
} & { readonly [K in keyof T as HasDefault<T[K]> extends true ? K : never]?: InputOf<T[K]> };

/**
 * The values of named types, validated, defaults filled in. A name given as undefined counts as left out.
 *
 * ```ts
 * const types = { id: Integer(), age: Integer({ default: 0 }) };
 * parseValues(types, { id: 7 }, "inputs"); // { id: 7, age: 0 }
 * parseValues(types, { age: 3 }, "inputs"); // throws: inputs.id: is missing; expected Integer
 * ```
 *
 * @param path What the values are in the user's input, e.g. `inputs`; messages name the offending part of it.
 * @throws InvalidArgumentError for a missing, an unknown or an invalid value.
 */
export function parseValues<T extends Types>(types: T, values: unknown, path: string): ValuesOf<T> {
  if (!isRecord(values)) throw expected("an object of named values", values, path);
  for (const name of Object.keys(values)) {
    if (!Object.hasOwn(types, name)) throw unknownName(name, types, path);
  }
  const parsed: Record<string, unknown> = {};
  for (const { name, type, step } of fieldsOf(types)) {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    const at = path === "" ? name : path + step;
    parsed[name] = value === undefined ? missing(type, at) : type.parse(value, at);
  }
  return parsed as ValuesOf<T>;
}

/** One of some named types. */
interface Field {
  readonly name: string;
  readonly type: AnyValueType;
  /** What the path of its values has after the path of the whole. */
  readonly step: string;
}

const known = new WeakMap<Types, readonly Field[]>();

/** Named types as a list, made once: with every step they are walked through several times. */
function fieldsOf(types: Types): readonly Field[] {
  const made = known.get(types);
  if (made !== undefined) return made;
  const fields = Object.entries(types).map(([name, type]) => ({ name, type, step: pathTo("x", name).slice(1) }));
  known.set(types, fields);
  return fields;
}

function missing(type: AnyValueType, path: string): unknown {
  const fallback = type.defaultValue();
  if (fallback === undefined) throw new InvalidArgumentError(`is missing; expected ${type.label}`, { path });
  return fallback;
}

function unknownName(name: string, types: Types, path: string): InvalidArgumentError {
  const names = Object.keys(types).join(", ") || "none";
  return new InvalidArgumentError(`is not a known name; known: ${names}`, { path: pathTo(path, name) });
}

/**
 * The values as plain JSON, which `parseValues` reads back.
 *
 * ```ts
 * valuesToJson({ frame: Bytes() }, { frame: Uint8Array.of(1, 2) }); // { frame: "AQI=" }
 * ```
 */
export function valuesToJson<T extends Types>(types: T, values: ValuesOf<T>): { readonly [name: string]: Json } {
  const named: Readonly<Record<string, unknown>> = values;
  const json: Record<string, Json> = {};
  for (const { name, type } of fieldsOf(types)) json[name] = type.toJson(named[name]);
  return json;
}

/**
 * The values that named types have where none is given; undefined where a type has no default.
 *
 * ```ts
 * defaultValues({ id: Integer(), age: Integer({ default: 0 }) }).age; // 0
 * ```
 */
export function defaultValues(types: Types): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const { name, type } of fieldsOf(types)) values[name] = type.defaultValue();
  return values;
}

/**
 * The values as V2 carries them. A null is left out, as V2 clients leave out inputs that they have no value for: only an
 * `Optional` has one.
 *
 * ```ts
 * const tensors = valuesToTensors({ count: Integer(), age: Optional(Integer()) }, { count: 3, age: null });
 * tensors.map(({ name }) => name); // ["count"]
 * ```
 */
export function valuesToTensors<T extends Types>(
  types: T,
  values: ValuesOf<T>,
): ({ readonly name: string } & RawTensor)[] {
  const named: Readonly<Record<string, unknown>> = values;
  return Object.entries(types)
    .filter(([name]) => named[name] !== null)
    .map(([name, type]) => ({ name, ...type.toTensor(named[name]) }));
}

/**
 * The JSON Schema of what `parseValues` accepts.
 *
 * ```ts
 * valuesSchema({ id: Integer(), age: Integer({ default: 0 }) }).required; // ["id"]
 * ```
 */
export function valuesSchema(types: Types): JsonSchema {
  const entries = Object.entries(types);
  return {
    type: "object",
    properties: Object.fromEntries(entries.map(([name, type]) => [name, type.jsonSchema()])),
    required: entries.filter(([, type]) => type.default === undefined).map(([name]) => name),
    additionalProperties: false,
  };
}

/**
 * A fake value for each name; the same ones for the same seed.
 *
 * ```ts
 * const inputs = fakeValues(proc.inputs, new Random(7));
 * await proc.predict(inputs);
 * ```
 */
export function fakeValues<T extends Types>(types: T, random: Random = new Random()): ValuesOf<T> {
  const values = Object.entries(types).map(([name, type]) => [name, type.fake(random)]);
  return Object.fromEntries(values) as ValuesOf<T>;
}
