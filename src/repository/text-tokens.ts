/** The tokens of protobuf's text format (protobuf.dev, "Text Format Language Specification"). */
import { shown } from "../shown.js";
import { configError } from "./config-error.js";

export interface Token {
  /** `name`: a field, an enum value, true, inf …; `end`: after the last one. */
  readonly kind: "name" | "number" | "string" | "sign" | "end";
  /** As written; of a string what it stands for. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

const SPACE = /(?:[ \t\r\v\f]|#[^\n]*)+/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /0[xX][0-9A-Fa-f]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fF]?/y;
const SIGNS = "{}[]<>:,;-/.";
const ESCAPE = /\\(?:([abfnrtv?'"\\])|([0-7]{1,3})|[xX]([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))/y;
const PLAIN: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};
const MAX_CODE_POINT = 0x10_ffff;

export class Tokens {
  private at = 0;
  private line = 1;
  /** The token that `next` gives. */
  peeked: Token;

  /** @param file What errors call the text. */
  constructor(
    private readonly text: string,
    private readonly file: string,
  ) {
    this.peeked = this.read();
  }

  /** Takes the next token. */
  next(): Token {
    const token = this.peeked;
    if (token.kind !== "end") this.peeked = this.read();
    return token;
  }

  /** Takes the next token if it is that sign. */
  take(sign: string): boolean {
    const found = this.peeked.kind === "sign" && this.peeked.text === sign;
    if (found) this.next();
    return found;
  }

  place(line: number): string {
    return `${this.file}:${line}`;
  }

  private read(): Token {
    this.skipSpace();
    const { line } = this;
    const char = this.text[this.at];
    if (char === undefined) return { kind: "end", text: "the end of the file", line };
    if (char === '"' || char === "'") return { kind: "string", text: this.string(char), line };
    const name = this.match(NAME);
    if (name !== undefined) return { kind: "name", text: name, line };
    const number = this.match(NUMBER);
    if (number !== undefined) return { kind: "number", text: number, line };
    this.at += 1;
    if (SIGNS.includes(char)) return { kind: "sign", text: char, line };
    throw configError(this.place(line), `${shown(char)} has no meaning here`);
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    this.at += found?.length ?? 0;
    return found;
  }

  private skipSpace(): void {
    for (;;) {
      this.match(SPACE);
      if (this.text[this.at] !== "\n") return;
      this.at += 1;
      this.line += 1;
    }
  }

  private string(quote: string): string {
    const parts: string[] = [];
    this.at += 1;
    for (;;) {
      const char = this.text[this.at];
      if (char === quote) break;
      if (char === undefined || char === "\n") {
        throw configError(this.place(this.line), `the string that ends here lacks its closing ${quote}`);
      }
      if (char === "\\") {
        parts.push(this.escape());
      } else {
        parts.push(char);
        this.at += 1;
      }
    }
    this.at += 1;
    return parts.join("");
  }

  /** Bytes above 127 are taken for code points: names in a configuration are text. */
  private escape(): string {
    ESCAPE.lastIndex = this.at;
    const match = ESCAPE.exec(this.text);
    if (match === null) {
      throw configError(this.place(this.line), `${shown(this.text.slice(this.at, this.at + 2))} is no escape`);
    }
    this.at += match[0].length;
    const [, plain, octal, ...hex] = match;
    if (plain !== undefined) return PLAIN[plain] ?? plain;
    const code = octal === undefined ? Number.parseInt(hex.join(""), 16) : Number.parseInt(octal, 8);
    if (code <= MAX_CODE_POINT) return globalThis.String.fromCodePoint(code);
    throw configError(this.place(this.line), `${match[0]} is no character`);
  }
}
