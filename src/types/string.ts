import type { RawTensor } from "../datatype.js";
import { InvalidArgumentError } from "../errors.js";
import { expected } from "./describe.js";
import { toUtf8 } from "./element.js";
import { Random } from "./random.js";
import { ScalarType } from "./scalar.js";
import { textOf } from "./text.js";
import { type AnyValueType, type Defaulted, defined, type JsonSchema, type TypeOptions } from "./value-type.js";

/** See `String`. */
export type StringOptions = TypeOptions<string>;

/** With the `u` flag a surrogate matches only where it has no partner. */
const LONE_SURROGATE = /[\uD800-\uDFFF]/u;

/**
 * The type that `String()` makes.
 *
 * ```ts
 * import { String } from "headrace";
 *
 * const type = String();
 * type.parse("hello", "text"); // "hello"
 * type.datatype; // "BYTES"
 * ```
 */
export class StringType extends ScalarType<string> {
  readonly kind: string = "String";
  readonly datatype = "BYTES";

  parse(value: unknown, path: string): string {
    if (typeof value !== "string") throw expected("a string", value, path);
    if (LONE_SURROGATE.test(value)) {
      throw new InvalidArgumentError("has half of a surrogate pair, which UTF-8 cannot carry", { path });
    }
    return value;
  }

  fake(random: Random = new Random()): string {
    return random.word(random.integer(3, 10));
  }

  toTensor(value: string): RawTensor {
    return { datatype: "BYTES", shape: this.shape, data: [toUtf8(value)] };
  }

  protected fromElement(element: Uint8Array, path: string): string {
    return this.parse(textOf(element, path), path);
  }

  override accepts(from: AnyValueType): string | undefined {
    return from.kind === "Enum" ? undefined : super.accepts(from);
  }

  protected contentSchema(): JsonSchema {
    return { type: "string" };
  }
}

/**
 * Text. V2: BYTES `[1]`, UTF-8. What UTF-8 cannot carry (half of a surrogate pair), and bytes that are not UTF-8, are
 * refused instead of replaced.
 *
 * ```ts
 * import { String } from "headrace";
 *
 * const prompt = String({ description: "What to say", default: "hello" });
 * prompt.parse(7, "prompt"); // throws: prompt: expected a string, got 7
 * ```
 *
 * @param options `title`, `description` and `default`; a value with a default may be left out.
 * @throws InvalidArgumentError when the default is no such string.
 */
function stringType(options: StringOptions & Defaulted<string>): StringType & Defaulted<string>;
function stringType(options?: StringOptions): StringType;
function stringType(options: StringOptions = {}): StringType {
  return defined(new StringType(options));
}

// The name is taken from the global one only where it is exported to.
export { stringType as String };
