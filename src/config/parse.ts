/** From the text of headrace.yaml to plain values, each with its place, and the environment in them. */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLError,
} from "yaml";
import { type Environment, expand, reread } from "./environment.js";
import { ConfigInvalidError, type ConfigPath, type ConfigProblem, ConfigSource } from "./source.js";

export interface ParsedYaml {
  readonly value: unknown;
  readonly source: ConfigSource;
}

/** Far more than a file has that a person wrote; a few lines of aliases could make billions. */
const MAX_VALUES = 100_000;

/** What to do about what the YAML parser says, where it does not say so itself. */
function advice(error: YAMLError, text: string): string {
  const [from, to] = error.pos;
  const lineStart = text.lastIndexOf("\n", from - 1) + 1;
  switch (error.code) {
    case "DUPLICATE_KEY":
      return `the key '${text.slice(from).match(/^[^\s:]+/)?.[0] ?? ""}' is there already; give it once`;
    case "MULTIPLE_DOCS":
      return "a second document begins here; a file has one, so remove the '---'";
    case "TAB_AS_INDENT":
      return "a tab; indent with spaces";
    case "TAG_RESOLVE_FAILED":
      return `${error.message}; tags have no meaning here, remove it`;
    case "NON_STRING_KEY":
      return "a key that is no string; quote it";
    default: {
      // The braces of a reference are YAML's own within { } and [ ].
      const inFlow = text.slice(lineStart, to).includes("${");
      return `${error.message}${inFlow ? `; within { } and [ ] write "\${NAME}" with quotes, or give it a line of its own` : ""}`;
    }
  }
}

/** Walks a document's nodes once: their values, their places, and what is wrong with them. */
class Reader {
  readonly problems: ConfigProblem[] = [];
  private values = 0;
  /** Anchors on the way to where we are: an alias of one of them would never end. */
  private readonly open = new Set<Node>();

  constructor(
    private readonly document: Document.Parsed,
    private readonly source: ConfigSource,
    private readonly environment: Environment,
  ) {}

  /**
   * @param at Where the value stands: that of an alias is its own, not its anchor's.
   */
  read(node: unknown, path: ConfigPath, at: number, key?: number): unknown {
    this.source.note(path, { key, value: at });
    this.values += 1;
    if (this.values > MAX_VALUES) {
      throw new ConfigInvalidError([this.source.problem(path, `more than ${MAX_VALUES} values; use fewer aliases`)]);
    }
    if (isAlias(node)) return this.alias(node.resolve(this.document), node.source, path, at, key);
    if (isScalar(node)) return this.scalar(node.value, node.type === "PLAIN", path);
    if (isMap(node)) {
      const entries = node.items.flatMap(({ key: name, value }): [string, unknown][] => {
        if (!isScalar(name)) return [];
        const inner = [...path, String(name.value)];
        const from = startOf(name) ?? at;
        if (name.value !== "__proto__") {
          return [[String(name.value), this.read(value, inner, startOf(value) ?? from, from)]];
        }
        this.problems.push(this.source.problemAt(from, inner, "cannot be a name; choose another"));
        return [];
      });
      return Object.fromEntries(entries);
    }
    if (isSeq(node)) return node.items.map((item, i) => this.read(item, [...path, i], startOf(item) ?? at));
    return null;
  }

  private alias(
    target: Node | undefined,
    name: string,
    path: ConfigPath,
    at: number,
    key: number | undefined,
  ): unknown {
    const wrong = (message: string): null => {
      this.problems.push(this.source.problemAt(at, path, message));
      return null;
    };
    if (target === undefined) return wrong(`there is no anchor '&${name}' before this alias`);
    if (this.open.has(target)) return wrong(`the alias '*${name}' is part of what it stands for`);
    this.open.add(target);
    const value = this.read(target, path, at, key);
    this.open.delete(target);
    return value;
  }

  private scalar(value: unknown, isPlain: boolean, path: ConfigPath): unknown {
    if (typeof value !== "string" || !value.includes("${")) return value;
    try {
      const expanded = expand(value, this.environment);
      return isPlain ? reread(expanded) : expanded;
    } catch (error) {
      this.problems.push(this.source.problem(path, (error as Error).message));
      return null;
    }
  }
}

function startOf(node: unknown): number | undefined {
  const range = typeof node === "object" && node !== null && "range" in node ? node.range : undefined;
  return Array.isArray(range) ? Number(range[0]) : undefined;
}

/**
 * @param file The file as the user named it, for the messages.
 * @throws ConfigInvalidError with everything that is wrong.
 */
export function parseYaml(text: string, file: string, environment: Environment): ParsedYaml {
  const lineCounter = new LineCounter();
  const source = new ConfigSource(file, lineCounter);
  const document = parseDocument(text.replace(/^\uFEFF/, ""), { lineCounter, prettyErrors: false, stringKeys: true });
  const errors = [...document.errors, ...document.warnings];
  if (errors.length > 0) {
    // One slip makes the parser stumble several times; what follows the first on its line says nothing new.
    const seen = new Set<number>();
    const problems = errors.map((error) => source.problemAt(error.pos[0], [], advice(error, text)));
    throw new ConfigInvalidError(problems.filter(({ line }) => !seen.has(line) && seen.add(line)));
  }
  const reader = new Reader(document, source, environment);
  const value = reader.read(document.contents, [], startOf(document.contents) ?? 0);
  if (reader.problems.length > 0) throw new ConfigInvalidError(reader.problems);
  return { value, source };
}
