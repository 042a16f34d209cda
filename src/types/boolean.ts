import type { RawTensor } from "../datatype.js";
import { expected } from "./describe.js";
import { Random } from "./random.js";
import { ScalarType } from "./scalar.js";
import { type Defaulted, defined, type JsonSchema, type TypeOptions } from "./value-type.js";

/** See `Boolean`. */
export type BooleanOptions = TypeOptions<boolean>;

/**
 * The type that `Boolean()` makes.
 *
 * ```ts
 * import { Boolean } from "headrace";
 *
 * const type = Boolean({ default: false });
 * type.parse(true, "mirror"); // true
 * type.toTensor(true).data; // Uint8Array.of(1)
 * ```
 */
export class BooleanType extends ScalarType<boolean> {
  readonly kind: string = "Boolean";
  readonly datatype = "BOOL";

  parse(value: unknown, path: string): boolean {
    if (typeof value !== "boolean") throw expected("true or false", value, path);
    return value;
  }

  fake(random: Random = new Random()): boolean {
    return random.next() < 0.5;
  }

  toTensor(value: boolean): RawTensor {
    return { datatype: "BOOL", shape: this.shape, data: Uint8Array.of(value ? 1 : 0) };
  }

  protected fromElement(element: number, path: string): boolean {
    if (element !== 0 && element !== 1) throw expected("0 or 1", element, path);
    return element === 1;
  }

  protected contentSchema(): JsonSchema {
    return { type: "boolean" };
  }
}

/**
 * True or false, and nothing that merely counts as such. V2: BOOL `[1]`, one byte, 0 or 1.
 *
 * ```ts
 * import { Boolean } from "headrace";
 *
 * const mirror = Boolean({ default: false, description: "Whether to flip the image" });
 * mirror.parse(1, "mirror"); // throws: mirror: expected true or false, got 1
 * ```
 *
 * @param options `title`, `description` and `default`; a value with a default may be left out.
 * @throws InvalidArgumentError when the default is neither true nor false.
 */
function booleanType(options: BooleanOptions & Defaulted<boolean>): BooleanType & Defaulted<boolean>;
function booleanType(options?: BooleanOptions): BooleanType;
function booleanType(options: BooleanOptions = {}): BooleanType {
  return defined(new BooleanType(options));
}

// The name is taken from the global one only where it is exported to.
export { booleanType as Boolean };
