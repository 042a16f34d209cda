/**
 * JSON whose integers survive. `JSON.parse` rounds every integer above 2^53, and V2 has many: sequence ids, INT64
 * data, nanosecond counters. Here such an integer comes out as a `bigint`; everything else as `JSON.parse` has it.
 */
import { InvalidArgumentError } from "../errors.js";
import { checkDepth } from "./depth.js";

/** Only an integer of 16 digits or more can be unsafe. A match inside a string merely costs the slower reading. */
const LONG_INTEGER = /[[,:\s]-?\d{16,}[\s\],}]/;

/** Longer integers fit no V2 datatype, and turning megabytes of digits into a bigint would take seconds. */
const MAX_INTEGER_DIGITS = 20;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of UTF-8 bytes; malformed ones are refused, never replaced. `path` names them in the error. */
export function utf8Text(bytes: Uint8Array, path: string): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new InvalidArgumentError("not UTF-8", { path, cause });
  }
}

/** Parses `text`; `path` names it in the error. Throws InvalidArgumentError only. */
export function parseJson(text: string, path: string): unknown {
  checkDepth(text, path);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InvalidArgumentError(`not JSON${hint(text, cause)}`, { path, cause });
  }
  return LONG_INTEGER.test(text) ? new ExactReader(text).read() : value;
}

function hint(text: string, cause: unknown): string {
  if (/[[,:\s](?:NaN|-?Infinity)[\s\],}]/.test(text)) {
    return `: JSON has no NaN and no Infinity; write the strings "NaN", "Infinity", "-Infinity", or send binary data`;
  }
  return cause instanceof Error ? ` (${cause.message})` : "";
}

/** A string, which is left alone, or a token that Triton writes and reads, though JSON has none such. */
const STRING_OR_NONFINITE = /"[^"\\]*(?:\\.[^"\\]*)*"|(-?)(?:(NaN)|Inf(?:inity)?)/g;

/** As `parseJson`, but numbers may be NaN and infinite: they are read as the strings "NaN", "Infinity" and "-Infinity". */
export function parseTensorJson(text: string, path: string): unknown {
  try {
    return parseJson(text, path);
  } catch (error) {
    const strict = text.replace(STRING_OR_NONFINITE, (match, minus: string | undefined, nan: string | undefined) => {
      if (match.startsWith('"')) return match;
      return nan === undefined ? `"${minus}Infinity"` : '"NaN"';
    });
    if (strict === text) throw error;
    return parseJson(strict, path);
  }
}

/** Reads text that `JSON.parse` has already accepted and whose depth was checked, so it need check neither again. */
class ExactReader {
  readonly #text: string;
  readonly #number = /(-?)(\d+)((?:\.\d+)?(?:[eE][+-]?\d+)?)/y;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): unknown {
    return this.#value();
  }

  #value(): unknown {
    switch (this.#peek()) {
      case "{":
        return this.#object();
      case "[":
        return this.#array();
      case '"':
        return this.#string();
      case "t":
        return this.#skip(4, true);
      case "f":
        return this.#skip(5, false);
      case "n":
        return this.#skip(4, null);
      default:
        return this.#numeral();
    }
  }

  #object(): unknown {
    const entries: [string, unknown][] = [];
    this.#at += 1;
    while (this.#peek() !== "}") {
      if (this.#peek() === ",") this.#at += 1;
      this.#peek();
      const key = this.#string();
      this.#peek();
      this.#at += 1;
      entries.push([key, this.#value()]);
    }
    this.#at += 1;
    // fromEntries defines own properties, so a key "__proto__" stays a mere key, and the last of two equal keys wins.
    return Object.fromEntries(entries);
  }

  #array(): unknown[] {
    const values: unknown[] = [];
    this.#at += 1;
    while (this.#peek() !== "]") {
      if (this.#peek() === ",") this.#at += 1;
      values.push(this.#value());
    }
    this.#at += 1;
    return values;
  }

  #string(): string {
    const start = this.#at;
    let end = start + 1;
    for (let char = this.#text.charCodeAt(end); char !== QUOTE; char = this.#text.charCodeAt(end)) {
      end += char === BACKSLASH ? 2 : 1;
    }
    this.#at = end + 1;
    return JSON.parse(this.#text.slice(start, end + 1)) as string;
  }

  #numeral(): number | bigint {
    this.#number.lastIndex = this.#at;
    const match = this.#number.exec(this.#text);
    const literal = match?.[0] ?? "";
    this.#at += literal.length;
    const value = Number(literal);
    const isInteger = match?.[3] === "" && (match[2]?.length ?? 0) <= MAX_INTEGER_DIGITS;
    return isInteger && !Number.isSafeInteger(value) ? BigInt(literal) : value;
  }

  #skip<V>(length: number, value: V): V {
    this.#at += length;
    return value;
  }

  /** The next character that is no white space. */
  #peek(): string {
    let char = this.#text[this.#at] ?? "";
    while (char === " " || char === "\n" || char === "\r" || char === "\t") char = this.#text[++this.#at] ?? "";
    return char;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
