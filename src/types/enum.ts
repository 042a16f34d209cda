import type { RawTensor } from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";
import { expected, isWellFormed } from "./describe.js";
import { toUtf8 } from "./element.js";
import { Random } from "./random.js";
import { ScalarType } from "./scalar.js";
import { textOf } from "./text.js";
import { type AnyValueType, type Defaulted, defined, type JsonSchema, type TypeOptions } from "./value-type.js";

/** See `Enum`. */
export type EnumOptions<S extends string> = TypeOptions<S>;

/** More are not listed in messages. */
const SHOWN = 10;

/**
 * The type that `Enum()` makes.
 *
 * ```ts
 * const type = Enum(["left", "right"]);
 * type.values; // ["left", "right"]
 * type.label; // 'Enum "left" | "right"'
 * ```
 */
export class EnumType<S extends string> extends ScalarType<S> {
  readonly kind: string = "Enum";
  readonly datatype = "BYTES";
  /** The strings allowed. */
  readonly values: readonly S[];

  constructor(values: readonly S[], options: EnumOptions<S>) {
    super(options);
    this.values = distinct(values, "Enum.values");
  }

  override get label(): string {
    return `Enum ${list(this.values, " | ")}`;
  }

  parse(value: unknown, path: string): S {
    const known: readonly unknown[] = this.values;
    if (!known.includes(value)) throw expected(`one of ${list(this.values, ", ")}`, value, path);
    return value as S;
  }

  fake(random: Random = new Random()): S {
    return this.values[random.integer(0, this.values.length - 1)] as S;
  }

  toTensor(value: S): RawTensor {
    return { datatype: "BYTES", shape: this.shape, data: [toUtf8(value)] };
  }

  protected fromElement(element: Uint8Array, path: string): S {
    return this.parse(textOf(element, path), path);
  }

  override accepts(from: AnyValueType): string | undefined {
    if (from.kind === "String") return undefined;
    if (!(from instanceof EnumType)) return super.accepts(from);
    const known: readonly string[] = this.values;
    return from.values.some((value) => known.includes(value)) ? undefined : "they have no value in common";
  }

  protected contentSchema(): JsonSchema {
    return { type: "string", enum: [...this.values] };
  }
}

/** @throws InvalidArgumentError unless these are one or more strings, each there once. */
function distinct<S extends string>(values: readonly S[], path: string): readonly S[] {
  if (!Array.isArray(values) || values.length === 0) throw expected("an array of one or more strings", values, path);
  for (const [i, value] of values.entries()) {
    if (typeof value !== "string" || !isWellFormed(value)) throw expected("a string", value, `${path}[${i}]`);
    if (values.indexOf(value) === i) continue;
    throw new InvalidArgumentError(`${JSON.stringify(value)} is there twice`, { path: `${path}[${i}]` });
  }
  return Object.freeze([...values]);
}

function list(values: readonly string[], separator: string): string {
  const shown = values.slice(0, SHOWN).map((value) => JSON.stringify(value));
  return [...shown, ...(values.length > SHOWN ? [`… (${values.length} in all)`] : [])].join(separator);
}

/**
 * One of some strings, in TypeScript a union of them: `Enum(["left", "right"])`. V2: BYTES `[1]`, UTF-8. A String may feed
 * one: the value decides.
 *
 * ```ts
 * const side = Enum(["left", "right"], { default: "left" });
 * side.parse("right", "side"); // "right"
 * side.parse("up", "side"); // throws: side: expected one of "left", "right", got "up"
 * ```
 *
 * @param values The strings allowed, each once.
 * @param options `title`, `description` and `default`; a value with a default may be left out.
 * @throws InvalidArgumentError when there are no strings, one is there twice, or the default is none of them.
 */
export function Enum<const S extends string>(
  values: readonly S[],
  options: EnumOptions<NoInfer<S>> & Defaulted<NoInfer<S>>,
): EnumType<S> & Defaulted<S>;
export function Enum<const S extends string>(values: readonly S[], options?: EnumOptions<NoInfer<S>>): EnumType<S>;
export function Enum<const S extends string>(values: readonly S[], options: EnumOptions<NoInfer<S>> = {}): EnumType<S> {
  return defined(new EnumType<S>(values, options));
}
