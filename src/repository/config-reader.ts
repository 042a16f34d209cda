/** A tree of fields as the message that a schema describes: names, types and numbers checked, each error with its place. */
import { suggestion } from "../plugins/nearest.js";
import { shown } from "../shown.js";
import { configError } from "./config-error.js";
import { type FieldSpec, type MessageSpec, type MessageValue, ONE_OF, type ScalarKind } from "./config-schema.js";
import type { ConfigField, ConfigNode, MessageNode } from "./text-format.js";

const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  // What a number holds exactly: no configuration has a use for more.
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
};

export interface ReadOptions {
  /** JSON's way with protobuf: camelCase names too, integers and enums as strings, maps as objects, null for absent. */
  readonly isJson: boolean;
  /** Told of each field that changes nothing. */
  readonly ignored: (where: string, field: string, why: string) => void;
}

/** Where the fields of messages stand, for those who find something wrong with them later. */
export class Places {
  private readonly fields = new WeakMap<object, ReadonlyMap<string, string>>();
  private readonly messages = new WeakMap<object, string>();

  note(message: object, where: string, fields: ReadonlyMap<string, string>): void {
    this.fields.set(message, fields);
    this.messages.set(message, where);
  }

  /** The place of a field, or of the message where the field is not in it. */
  of(message: object, field?: string): string {
    const own = field === undefined ? undefined : this.fields.get(message)?.get(field);
    return own ?? this.messages.get(message) ?? "config";
  }
}

export interface ReadMessage<M extends MessageSpec> {
  readonly value: MessageValue<M>;
  readonly places: Places;
}

/** @throws HeadraceError MODEL_INVALID with the place of what does not fit. */
export function readMessage<M extends MessageSpec>(node: MessageNode, spec: M, options: ReadOptions): ReadMessage<M> {
  const reader = new Reader(options);
  return { value: reader.message(node, spec) as MessageValue<M>, places: reader.places };
}

class Reader {
  readonly places = new Places();

  constructor(private readonly options: ReadOptions) {}

  message(node: ConfigNode, spec: MessageSpec): Readonly<Record<string, unknown>> {
    if (node.kind !== "message") throw configError(node.where, `expected a message in { }, got ${described(node)}`);
    const values = new Map<string, unknown>();
    const places = new Map<string, string>();
    for (const field of node.fields) {
      const name = this.nameOf(field.name, spec);
      const known = Object.hasOwn(spec, name) ? spec[name] : undefined;
      if (known === undefined) {
        throw configError(
          field.where,
          `there is no field '${field.name}' here; ${suggestion(name, Object.keys(spec))}`,
        );
      }
      if (isEmpty(field.value) && ("ignored" in known || "refused" in known)) continue;
      if ("refused" in known) throw configError(field.where, `${name} is not supported: ${known.refused}`);
      if ("ignored" in known) {
        this.options.ignored(field.where, name, known.ignored);
        continue;
      }
      this.put(values, name, field, known);
      if (!places.has(name)) places.set(name, field.where);
    }
    refuseTwoOf(places);
    const message = Object.fromEntries(values);
    this.places.note(message, node.where, places);
    return message;
  }

  private nameOf(name: string, spec: MessageSpec): string {
    if (!this.options.isJson || Object.hasOwn(spec, name)) return name;
    return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  }

  private put(values: Map<string, unknown>, name: string, { value, where }: ConfigField, spec: FieldSpec): void {
    if (spec.map) {
      values.set(name, { ...(values.get(name) as object | undefined), ...this.entries(value, spec) });
      return;
    }
    if (spec.repeated) {
      // A list, or one of its values: the field may be there again and again.
      const items = value.kind === "list" ? value.items : [value];
      const before = (values.get(name) ?? []) as readonly unknown[];
      values.set(name, [...before, ...items.map((item) => this.one(item, name, spec))]);
      return;
    }
    if (value.kind === "list") throw configError(where, `${name} is one value, not a list`);
    if (values.has(name)) throw configError(where, `${name} is there already`);
    values.set(name, this.one(value, name, spec));
  }

  /** A map: in JSON an object, in the text format messages with `key` and `value`. */
  private entries(node: ConfigNode, spec: FieldSpec): Readonly<Record<string, unknown>> {
    if (this.options.isJson) {
      if (node.kind !== "message") throw configError(node.where, `expected an object, got ${described(node)}`);
      return Object.fromEntries(node.fields.map(({ name, value }) => [name, this.one(value, name, spec)]));
    }
    const items = node.kind === "list" ? node.items : [node];
    return Object.fromEntries(
      items.map((item) => {
        const fields = item.kind === "message" ? item.fields : [];
        const key = fields.find(({ name }) => name === "key")?.value;
        const value = fields.find(({ name }) => name === "value")?.value;
        if (key?.kind === "string" && value !== undefined && fields.length === 2) {
          return [key.text, this.one(value, key.text, spec)];
        }
        throw configError(item.where, `expected { key: "…" value { … } }, got ${described(item)}`);
      }),
    );
  }

  private one(node: ConfigNode, name: string, { type }: FieldSpec): unknown {
    if (typeof type !== "object") return this.scalar(node, name, type);
    return "message" in type ? this.message(node, type.message) : this.choice(node, name, type.choices);
  }

  private choice(node: ConfigNode, name: string, choices: readonly string[]): string {
    const isName = node.kind === "word" || (this.options.isJson && node.kind === "string");
    if (isName && choices.includes(node.text)) return node.text;
    const numbered = node.kind === "number" && /^\d+$/.test(node.text) ? choices[Number(node.text)] : undefined;
    if (numbered !== undefined) return numbered;
    const hint = node.kind === "string" && choices.includes(node.text) ? "; without quotes" : "";
    throw configError(node.where, `${name}: expected one of ${choices.join(", ")}, got ${described(node)}${hint}`);
  }

  private scalar(node: ConfigNode, name: string, kind: ScalarKind): unknown {
    const { isJson } = this.options;
    if (kind === "string" && node.kind === "string") return node.text;
    if (kind === "bool") {
      const known = booleanOf(node, isJson);
      if (known !== undefined) return known;
    }
    const isNumeral = node.kind === "number" || (isJson && node.kind === "string");
    if (kind === "float" && (isNumeral || node.kind === "word")) {
      const number = floatOf(node.text);
      if (number !== undefined) return number;
    }
    const range = RANGES[kind];
    if (range !== undefined && isNumeral) {
      const number = integerOf(node.text);
      if (number !== undefined && number >= range[0] && number <= range[1]) return number;
    }
    const expected =
      kind === "string" ? "a string in quotes" : kind === "bool" ? "true or false" : `a number (${kind})`;
    throw configError(node.where, `${name}: expected ${expected}, got ${described(node)}`);
  }
}

/** What protobuf writes for a field that says nothing. */
function isEmpty(node: ConfigNode): boolean {
  if (node.kind === "message") return node.fields.length === 0;
  if (node.kind === "list") return node.items.length === 0;
  return node.kind === "string" ? node.text === "" : node.text === "false" || node.text === "0";
}

function refuseTwoOf(places: ReadonlyMap<string, string>): void {
  for (const names of ONE_OF) {
    const [first, second] = names.filter((name) => places.has(name));
    if (first === undefined || second === undefined) continue;
    throw configError(places.get(second) ?? "", `${second} excludes ${first}, which is there already`);
  }
}

function booleanOf({ kind, ...node }: ConfigNode, isJson: boolean): boolean | undefined {
  const text = "text" in node && (kind === "word" || (kind === "number" && !isJson)) ? node.text : "";
  if (["true", "True", "t", "1"].includes(text)) return true;
  return ["false", "False", "f", "0"].includes(text) ? false : undefined;
}

function integerOf(text: string): number | undefined {
  const digits = text.replace("-", "");
  const isOctal = /^0[0-7]+$/.test(digits);
  if (!isOctal && !/^(?:0x[0-9a-f]+|0|[1-9]\d*)$/i.test(digits)) return undefined;
  const value = isOctal ? Number.parseInt(digits, 8) : Number(digits);
  return text.startsWith("-") ? 0 - value : value;
}

function floatOf(text: string): number | undefined {
  const word = text.toLowerCase().replace("-", "");
  const sign = text.startsWith("-") ? -1 : 1;
  if (word === "inf" || word === "infinity") return sign * Number.POSITIVE_INFINITY;
  if (word === "nan") return Number.NaN;
  const value = /^[\d.][\d.e+-]*f?$/.test(word) ? Number(text.toLowerCase().replace(/f$/, "")) : Number.NaN;
  return Number.isNaN(value) ? undefined : value;
}

function described(node: ConfigNode): string {
  if (node.kind === "message") return "a message";
  if (node.kind === "list") return `a list of ${node.items.length}`;
  return node.kind === "string" ? shown(node.text) : node.text;
}
