import { RecordType } from "./dict.js";
import { Enum } from "./enum.js";
import { ListType } from "./list.js";
import { FloatRange } from "./range.js";
import { String as Text } from "./string.js";
import { type Defaulted, defined, type TypeOptions } from "./value-type.js";

/** The value of a `Class`. */
export interface ClassValue<L extends string = string> {
  /** The name of the class. */
  readonly label: L;
  /** How likely it is, from 0 to 1. */
  readonly score: number;
}

/** See `Class`. */
export interface ClassOptions<L extends string = string> extends TypeOptions<ClassValue<NoInfer<L>>> {
  /** The labels that there are. Default: any string. */
  readonly labels?: readonly L[];
}

/** See `Classes`. */
export interface ClassesOptions<L extends string = string> extends TypeOptions<readonly ClassValue<NoInfer<L>>[]> {
  /** The labels that there are. Default: any string. */
  readonly labels?: readonly L[];
  /** The fewest classes. Default: 0. */
  readonly minLength?: number;
  /** The most classes. Default: any number. */
  readonly maxLength?: number;
}

/**
 * The type that `Class()` makes.
 *
 * ```ts
 * const type = Class({ labels: ["cat", "dog"] });
 * type.labels; // ["cat", "dog"]
 * ```
 */
export class ClassType<L extends string = string> extends RecordType<ClassValue<L>> {
  override readonly kind: string = "Class";
  /** The labels that there are, undefined where any string is one. */
  readonly labels: readonly L[] | undefined;

  constructor({ labels, ...options }: ClassOptions<L>) {
    const label = labels === undefined ? undefined : Enum(labels);
    super({ label: label ?? Text(), score: FloatRange({ min: 0, max: 1 }) }, options);
    this.labels = label?.values;
  }

  override get label(): string {
    return this.kind;
  }
}

/**
 * The type that `Classes()` makes.
 *
 * ```ts
 * const type = Classes();
 * type.parse([{ label: "cat", score: 0.2 }, { label: "dog", score: 0.7 }], "animals")[0]; // { label: "dog", score: 0.7 }
 * ```
 */
export class ClassesType<L extends string = string> extends ListType<ClassType<L>> {
  override readonly kind: string = "Classes";

  override get label(): string {
    return this.kind;
  }

  protected override arrange(items: ClassValue<L>[]): readonly ClassValue<L>[] {
    return items.sort((a, b) => b.score - a.score);
  }
}

/**
 * What something was recognised as: `{ label, score }`. V2: BYTES `[1]`, the object as JSON text.
 *
 * ```ts
 * const animal = Class({ labels: ["cat", "dog"] });
 * animal.parse({ label: "cat", score: 0.9 }, "animal"); // { label: "cat", score: 0.9 }
 * animal.parse({ label: "cow", score: 0.9 }, "animal"); // throws: animal.label: …
 * ```
 *
 * @param options `labels`; `title`, `description` and `default`.
 * @throws InvalidArgumentError when a label or the default is none.
 */
export function Class<const L extends string = string>(
  options: ClassOptions<L> & Defaulted<ClassValue<NoInfer<L>>>,
): ClassType<L> & Defaulted<ClassValue<L>>;
export function Class<const L extends string = string>(options?: ClassOptions<L>): ClassType<L>;
export function Class<const L extends string = string>(options: ClassOptions<L> = {}): ClassType<L> {
  return defined(new ClassType<L>(options));
}

/**
 * What something may be, the most likely first: a list of `{ label, score }` that is put in order of falling score, equal
 * ones as they came. V2: BYTES `[-1]`, each class as JSON text.
 *
 * ```ts
 * const animals = Classes({ labels: ["cat", "dog"], maxLength: 2 });
 * animals.parse([{ label: "cat", score: 0.1 }, { label: "dog", score: 0.9 }], "animals")[0]?.label; // "dog"
 * ```
 *
 * @param options `labels`, `minLength` and `maxLength`; `title`, `description` and `default`.
 * @throws InvalidArgumentError when a label, a length or the default is none.
 */
export function Classes<const L extends string = string>(
  options: ClassesOptions<L> & Defaulted<readonly ClassValue<NoInfer<L>>[]>,
): ClassesType<L> & Defaulted<readonly ClassValue<L>[]>;
export function Classes<const L extends string = string>(options?: ClassesOptions<L>): ClassesType<L>;
export function Classes<const L extends string = string>({
  labels,
  ...options
}: ClassesOptions<L> = {}): ClassesType<L> {
  return defined(new ClassesType<L>(Class<L>(labels === undefined ? {} : { labels }), options));
}
