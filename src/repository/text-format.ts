/**
 * Protobuf's text format, as config.pbtxt is written in, read without a schema: what a field may hold is decided by whoever
 * reads the tree (config-reader.ts). Extensions and `Any` are refused: no model configuration has them.
 */
import { configError } from "./config-error.js";
import { type Token, Tokens } from "./text-tokens.js";

/** A value, and the file and line (or, of JSON, the path) where it stands. */
export type ConfigNode = { readonly where: string } & (
  | { readonly kind: "message"; readonly fields: readonly ConfigField[] }
  | { readonly kind: "list"; readonly items: readonly ConfigNode[] }
  | { readonly kind: "string"; readonly text: string }
  /** A literal, with its minus. */
  | { readonly kind: "number"; readonly text: string }
  /** An enum's value, true, false … */
  | { readonly kind: "word"; readonly text: string }
);

export interface ConfigField {
  readonly name: string;
  readonly where: string;
  readonly value: ConfigNode;
}

export type MessageNode = Extract<ConfigNode, { kind: "message" }>;

/** Deeper than any model configuration; low enough for any stack. */
export const MAX_CONFIG_DEPTH = 32;

/**
 * @param file What errors call the text; they have the line as well.
 * @throws HeadraceError MODEL_INVALID, whatever the text is.
 */
export function parseTextFormat(text: string, file: string): MessageNode {
  const parser = new Parser(new Tokens(text, file));
  return parser.document();
}

class Parser {
  constructor(private readonly tokens: Tokens) {}

  document(): MessageNode {
    const fields = this.fields(undefined, 0, 1);
    return { kind: "message", where: this.tokens.place(1), fields };
  }

  /** The fields up to the closing sign, which is taken too; undefined: up to the end. */
  private fields(closing: string | undefined, depth: number, opened: number): ConfigField[] {
    const { tokens } = this;
    if (depth > MAX_CONFIG_DEPTH) {
      throw configError(tokens.place(opened), `messages are nested deeper than ${MAX_CONFIG_DEPTH}`);
    }
    const fields: ConfigField[] = [];
    for (;;) {
      if (closing !== undefined && tokens.take(closing)) return fields;
      const { kind, line } = tokens.peeked;
      if (kind === "end") {
        if (closing === undefined) return fields;
        throw configError(tokens.place(line), `the message that begins in line ${opened} lacks its '${closing}'`);
      }
      fields.push(this.field(depth));
      if (!tokens.take(",")) tokens.take(";");
    }
  }

  private field(depth: number): ConfigField {
    const { tokens } = this;
    const name = tokens.next();
    if (name.kind !== "name") throw this.unexpected(name, "the name of a field");
    const where = tokens.place(name.line);
    const isColon = tokens.take(":");
    const { kind, text } = tokens.peeked;
    const isNested = kind === "sign" && ["{", "<", "["].includes(text);
    // Only messages, and lists of them, may go without the colon.
    if (!isColon && !isNested) throw this.unexpected(tokens.peeked, `':' or '{' after ${name.text}`);
    const value = this.value(depth);
    const items = value.kind === "list" ? value.items : [value];
    if (!isColon && items.some((item) => item.kind !== "message"))
      throw configError(where, `needs ':' before its value`);
    return { name: name.text, where, value };
  }

  private value(depth: number): ConfigNode {
    const { tokens } = this;
    const where = tokens.place(tokens.peeked.line);
    if (!tokens.take("[")) return this.single(depth);
    const items: ConfigNode[] = [];
    if (tokens.take("]")) return { kind: "list", where, items };
    do items.push(this.single(depth));
    while (tokens.take(","));
    if (!tokens.take("]")) throw this.unexpected(tokens.peeked, "',' or ']'");
    return { kind: "list", where, items };
  }

  private single(depth: number): ConfigNode {
    const { tokens } = this;
    const { line } = tokens.peeked;
    const where = tokens.place(line);
    if (tokens.take("{")) return { kind: "message", where, fields: this.fields("}", depth + 1, line) };
    if (tokens.take("<")) return { kind: "message", where, fields: this.fields(">", depth + 1, line) };
    const minus = tokens.take("-") ? "-" : "";
    const token = tokens.next();
    if (token.kind === "number") return { kind: "number", where, text: minus + token.text };
    if (token.kind === "name" && minus === "") return { kind: "word", where, text: token.text };
    // -inf and -nan
    if (token.kind === "name") return { kind: "number", where, text: minus + token.text };
    if (token.kind === "string" && minus === "") return { kind: "string", where, text: this.joined(token) };
    throw this.unexpected(token, "a value");
  }

  /** Strings that stand side by side are one. */
  private joined(first: Token): string {
    let { text } = first;
    while (this.tokens.peeked.kind === "string") text += this.tokens.next().text;
    return text;
  }

  private unexpected({ kind, text, line }: Token, expected: string): Error {
    const got = kind === "end" ? text : kind === "string" ? "a string" : `'${text}'`;
    return configError(this.tokens.place(line), `expected ${expected}, got ${got}`);
  }
}
