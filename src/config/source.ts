/** Where in a configuration file something stands, and the errors that say so. */
import type { LineCounter } from "yaml";
import { type ErrorCode, HeadraceError, InvalidArgumentError, isErrorCode } from "../errors.js";

/** Keys and indices from the top of the file to a value. */
export type ConfigPath = readonly (string | number)[];

/** Something that is wrong with a configuration file. Lines and columns count from 1. */
export interface ConfigProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The value's path, e.g. `drivers.web.options.port`; empty for the file as a whole. */
  readonly path: string;
  /** What is wrong and what to do, without the place. */
  readonly message: string;
}

function text({ file, line, column, path, message }: ConfigProblem): string {
  return `${file}:${line}:${column}: ${path === "" ? "" : `${path}: `}${message}`;
}

/**
 * A configuration file cannot be used. The message has all that is wrong, each with its place.
 *
 * ```ts
 * try {
 *   await loadConfig("headrace.yaml");
 * } catch (error) {
 *   if (!(error instanceof ConfigInvalidError)) throw error;
 *   for (const { line, path, message } of error.problems) console.error(line, path, message);
 * }
 * ```
 */
export class ConfigInvalidError extends InvalidArgumentError {
  constructor(
    readonly problems: readonly ConfigProblem[],
    options?: { cause?: unknown },
  ) {
    const [first, ...others] = problems.map(text);
    super(
      others.length === 0 ? (first ?? "") : [`${problems.length} problems`, first, ...others].join("\n  "),
      options,
    );
  }
}

/** A path as people write it: `a.b[0]["odd key"]`. */
export function pathText(path: ConfigPath): string {
  return path.reduce<string>((whole, part) => {
    if (typeof part === "number") return `${whole}[${part}]`;
    if (/^[\w-]+$/.test(part)) return whole === "" ? part : `${whole}.${part}`;
    return `${whole}[${JSON.stringify(part)}]`;
  }, "");
}

/** The keys of a path in an error's text. Of a key with dots or brackets only the beginning is found, which is near enough. */
function pathOf(text: string): ConfigPath {
  return [...text.matchAll(/[^.[\]]+/g)].map(([part]) => (/^\d+$/.test(part) ? Number(part) : part));
}

/** Code, message and path of an error. Not by `instanceof`: a plugin may have a Headrace of its own. */
function reported(error: unknown, otherwise: ErrorCode): { code: ErrorCode; message: string; path?: string } {
  if (!(error instanceof Error)) return { code: otherwise, message: String(error) };
  const { message, code, path } = error as Error & { code?: unknown; path?: unknown };
  if (typeof code !== "string" || !isErrorCode(code)) return { code: otherwise, message };
  return typeof path === "string" ? { code, message, path } : { code, message };
}

interface Place {
  /** Offset of the key; undefined in a list and at the top. */
  readonly key: number | undefined;
  readonly value: number;
}

/** A configuration file's text: finds the places of its values. */
export class ConfigSource {
  private readonly places = new Map<string, Place>();

  constructor(
    /** The file as the user named it. */
    readonly file: string,
    private readonly lines: LineCounter,
  ) {}

  /** For the parser: notes where a value stands. */
  note(path: ConfigPath, place: Place): void {
    this.places.set(JSON.stringify(path), place);
  }

  problemAt(offset: number, path: ConfigPath, message: string): ConfigProblem {
    const { line, col } = this.lines.linePos(offset);
    // An empty file has no lines.
    return { file: this.file, line: Math.max(1, line), column: Math.max(1, col), path: pathText(path), message };
  }

  /** A problem of the value at a path, or where there is none of the nearest one around it. */
  problem(path: ConfigPath, message: string, end: "key" | "value" = "value"): ConfigProblem {
    for (let length = path.length; length >= 0; length--) {
      const place = this.places.get(JSON.stringify(path.slice(0, length)));
      if (place === undefined) continue;
      // Of a value that is missing, the key it is missing under.
      const offset = end === "key" || length < path.length ? (place.key ?? place.value) : place.value;
      return this.problemAt(offset, path, message);
    }
    return this.problemAt(0, path, message);
  }

  /**
   * An error with the place of the value that caused it.
   * @param path The value that was being used.
   * @param error What it led to. Its own path is taken to begin there, where the file has such a value.
   * @param prefix What its path begins with besides, such as the name of a cell.
   * @param otherwise The code of what is no error of ours.
   */
  located(path: ConfigPath, error: unknown, prefix = "", otherwise: ErrorCode = "INTERNAL"): HeadraceError {
    if (error instanceof ConfigInvalidError) return error;
    const { code, message, path: own = "" } = reported(error, otherwise);
    const inner = pathOf(own.startsWith(prefix) ? own.slice(prefix.length) : own);
    const isHere = inner.length > 0 && this.places.has(JSON.stringify([...path, ...inner.slice(0, 1)]));
    const problem = isHere
      ? this.problem([...path, ...inner], message.startsWith(`${own}: `) ? message.slice(own.length + 2) : message)
      : this.problem(path, message);
    if (code === "INVALID_ARGUMENT") return new ConfigInvalidError([problem], { cause: error });
    return new HeadraceError(code, text(problem), { cause: error });
  }
}
