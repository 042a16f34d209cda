import type { Datatype, RawTensor } from "../datatype.js";
import type { Random } from "./random.js";
import { copyValue } from "./tensor-value.js";

/** What JSON can carry. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A JSON Schema (draft 2020-12, as in OpenAPI 3.1). Keywords of our own start with `x-`. */
export type JsonSchema = { readonly [keyword: string]: Json };

/** Exists in the type system only: where a type keeps what it accepts, so that `InputOf` can find it. */
declare const accepted: unique symbol;

/**
 * A schema of values: it validates them, describes them, makes fake ones, and knows how V2 and plain JSON carry them.
 * Immutable; one type may serve many ports.
 *
 * @typeParam Out What `parse` gives: what a cell's `call` and the caller of `predict` see.
 * @typeParam In What `parse` accepts, and so does `predict`.
 */
export interface ValueType<Out, In = Out> {
  /** The name of the type's constructor: "Integer", "Tensor", … */
  readonly kind: string;
  /** The type in a message or a drawing: `Integer`, `Tensor FP32[-1,512]`. */
  readonly label: string;
  /** A short name for people. Default: none. */
  readonly title: string | undefined;
  /** What the value means, in which unit. Default: none. */
  readonly description: string | undefined;
  /** The value where none is given. Default: none, then the value is required. */
  readonly default: In | undefined;
  /** The V2 datatype. */
  readonly datatype: Datatype;
  /**
   * The V2 shape: `[1]` for a scalar; -1 is a free dimension. As the first one of several it is a tensor's batch axis; a
   * list's number of items; a raw image's height.
   */
  readonly shape: readonly number[];
  readonly [accepted]?: In;

  /**
   * The value, validated.
   *
   * @param path Where the value is in the user's input, such as `inputs.audio`; messages name the offending part of it.
   * @throws InvalidArgumentError when it does not fit.
   */
  parse(value: unknown, path: string): Out;
  /** A fresh copy of the default that nobody else holds, undefined where there is none. */
  defaultValue(): Out | undefined;
  /** The schema of what plain REST sends and receives. */
  jsonSchema(): JsonSchema;
  /** A value that `parse` accepts; the same for the same seed. Default: a different one each time. */
  fake(random?: Random): Out;
  /**
   * The value as V2 carries it. Tensors are not copied. Null, which only an `Optional` has, is carried by no tensor: see
   * `valuesToTensors`.
   */
  toTensor(value: Out): RawTensor;
  /**
   * The value of a V2 tensor. Tensors are not copied.
   *
   * @throws InvalidArgumentError when datatype, shape, length or content does not fit.
   */
  fromTensor(tensor: RawTensor, path: string): Out;
  /** The value as plain JSON, which `parse` reads back. */
  toJson(value: Out): Json;
  /** Why values of `from` are not values of this type; undefined when they are, or may be. See `assignable`. */
  accepts(from: AnyValueType): string | undefined;
}

/** Any type, whatever its values are: what is known of the types of a cell that somebody else wrote. */
export type AnyValueType = ValueType<unknown, unknown>;

/** What `parse` of a type gives: the value that cells see. */
export type ValueOf<T> = T extends ValueType<infer Out, unknown> ? Out : never;

/** What a type accepts: the value that callers may pass. */
export type InputOf<T> = T extends { readonly [accepted]?: infer In } ? In : never;

/** The mark of a type that has a default, so that its value may be left out. */
export interface Defaulted<In> {
  readonly default: In;
}

/** Whether a type is known to have a default. */
export type HasDefault<T> = T extends { readonly default: infer D } ? (undefined extends D ? false : true) : false;

/** What every type may be given. */
export interface TypeOptions<In> {
  /** A short name for people, shown in OpenAPI. Default: none. */
  readonly title?: string;
  /** What the value means, in which unit. Default: none. */
  readonly description?: string;
  /** The value where none is given. Default: none, then the value is required. */
  readonly default?: In;
}

/**
 * What all types share: their annotations and the default.
 *
 * ```ts
 * const text = (type: BaseType<unknown>) => `${type.label} as ${type.datatype}`;
 * text(Integer()); // "Integer as INT64"
 * ```
 */
export abstract class BaseType<Out, In = Out> implements ValueType<Out, In> {
  declare readonly [accepted]?: In;
  abstract readonly kind: string;
  abstract readonly datatype: Datatype;
  abstract readonly shape: readonly number[];
  readonly title: string | undefined;
  readonly description: string | undefined;
  readonly default: In | undefined;

  constructor(options: TypeOptions<In>) {
    this.title = options.title;
    this.description = options.description;
    this.default = options.default;
  }

  get label(): string {
    return this.kind;
  }

  defaultValue(): Out | undefined {
    // `parse` may give views over the default's own memory, which a state must not write to.
    return this.default === undefined ? undefined : (copyValue(this.parse(this.default, "default")) as Out);
  }

  jsonSchema(): JsonSchema {
    const fallback = this.defaultValue();
    return {
      ...this.contentSchema(),
      ...(this.title === undefined ? {} : { title: this.title }),
      ...(this.description === undefined ? {} : { description: this.description }),
      ...(fallback === undefined ? {} : { default: this.toJson(fallback) }),
    };
  }

  /** The schema without the annotations. */
  protected abstract contentSchema(): JsonSchema;
  abstract parse(value: unknown, path: string): Out;
  abstract fake(random?: Random): Out;
  abstract toTensor(value: Out): RawTensor;
  abstract fromTensor(tensor: RawTensor, path: string): Out;
  abstract toJson(value: Out): Json;
  abstract accepts(from: AnyValueType): string | undefined;
}

/** Whether something is a type, for those that are made of others. */
export function isValueType(value: unknown): value is AnyValueType {
  const type = value as Partial<AnyValueType> | null | undefined;
  return typeof type?.parse === "function" && typeof type.kind === "string";
}

/**
 * A finished type, frozen, its default proven. Called by the constructors' functions and not by the base class, which
 * runs before a subclass knows its own limits.
 *
 * @throws InvalidArgumentError when the default is not a value of the type.
 */
export function defined<T extends AnyValueType>(type: T): T {
  if (type.default !== undefined) type.parse(type.default, `${type.kind}.default`);
  return Object.freeze(type);
}

/**
 * Why a value of type `from` cannot go where `to` is expected, undefined when it can. What only the value can tell, such
 * as the size of a free dimension, is not refused here but when the value is there.
 *
 * ```ts
 * assignable(Integer(), Float()); // undefined
 * assignable(Float(), Integer()); // "Float is not Integer"
 * ```
 */
export function assignable(from: AnyValueType, to: AnyValueType): string | undefined {
  return to.accepts(from);
}
