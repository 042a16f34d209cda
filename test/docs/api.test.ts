/** The API reference builds without a warning, every class, function and constant has an example, and the examples are true. */
import { join } from "node:path";
import { inspect, isDeepStrictEqual } from "node:util";
import t from "tap";
import { Application, type Comment, type DeclarationReflection, LogLevel, ReflectionKind } from "typedoc";
import ts from "typescript";
import * as stress from "../../src/drivers/stress/index.js";
import * as headrace from "../../src/index.js";
import { ROOT } from "../support/paths.js";

const app = await Application.bootstrapWithPlugins({ options: join(ROOT, "typedoc.json"), emit: "none" });
const logged: string[] = [];
app.logger.level = LogLevel.Warn;
app.logger.log = (message, level) => {
  if (level >= LogLevel.Warn) logged.push(message);
};
const project = await app.convert();
if (project !== undefined) app.validate(project);

/** Everything that an entry point exports, by its module's name and its own. */
const exported = (project?.children ?? []).flatMap((entry) =>
  (entry.children ?? []).map((symbol) => ({ name: `${entry.name}.${symbol.name}`, symbol })),
);

function commentsOf({ comment, signatures = [] }: DeclarationReflection): Comment[] {
  return [comment, ...signatures.map((signature) => signature.comment)].filter((found) => found !== undefined);
}

/** The blocks of TypeScript in a comment; TypeDoc makes one of an `@example` without a fence. */
function examplesOf({ summary, blockTags }: Comment): string[] {
  const texts = [summary, ...blockTags.map(({ content }) => content)].map((parts) =>
    parts.map(({ text }) => text).join(""),
  );
  return texts.flatMap((text) => [...text.matchAll(/^```ts\n(.*?)\n```$/gms)].map(([, code = ""]) => code));
}

t.test("it builds without a warning", async (t) => {
  t.ok(project);
  t.same(logged, []);
  // Nothing is checked where the entry points are not found.
  for (const name of ["index.init", "client.HeadraceClient", "drivers/http.HttpDriver", "sources/file.FileSource"]) {
    t.ok(
      exported.some((found) => found.name === name),
      name,
    );
  }
});

t.test("every class, function and constant has an example", async (t) => {
  const shown = ReflectionKind.Class | ReflectionKind.Function | ReflectionKind.Variable;
  const without = exported
    .filter(({ symbol }) => symbol.kindOf(shown))
    .filter(({ symbol }) => commentsOf(symbol).flatMap(examplesOf).length === 0);
  t.same(
    without.map(({ name }) => name),
    [],
  );
});

/** What examples use without making it, as the page around them would have it. */
const SETTING = {
  runtime: "Runtime",
  pipeline: "Pipeline",
  proc: "InferenceProcess",
  web: "DriverProcess<HttpParameters>",
  client: "HeadraceClient",
  factory: "PipelineFactory",
  Add: "FunctionCell<{ a: FloatType; b: FloatType }, { sum: FloatType }>",
  inputs: "{ photo: Uint8Array }",
  pixels: "RawImage",
  signal: "AbortSignal",
  MyTaskStore: "new () => TaskStore",
};

/** Where a name is imported from that an example uses. */
const modules = new Map([
  ...[...exported].reverse().map(({ name, symbol }): [string, string] => {
    const entry = name.slice(0, -symbol.name.length - 1);
    return [symbol.name, entry === "index" ? "headrace" : `headrace/${entry}`];
  }),
  ["once", "node:events"],
  ["readFile", "node:fs/promises"],
  ["writeFile", "node:fs/promises"],
] as const);

const VALUES: Readonly<Record<string, unknown>> = { ...stress, ...headrace };

/** Whether a text uses a name, and not as a property, a key or in a string. */
function uses(text: string, name: string): boolean {
  return new RegExp(`(?<![.\\w$"])${name}(?![\\w$":])`).test(text);
}

function declares(text: string, name: string): boolean {
  return new RegExp(`\\b(const|class) ${name}\\b|\\bconst [{[][^=}\\]]*\\b${name}\\b`).test(text);
}

interface Example {
  readonly owner: string;
  readonly imports: readonly string[];
  /** The lines after the imports. */
  readonly text: string;
  /** The names of its setting. */
  readonly setting: readonly string[];
  /** The names that it leaves out to import. */
  readonly brought: readonly string[];
}

function example(owner: string, code: string): Example {
  const imports = code.match(/^import .*$/gm) ?? [];
  const text = code.replaceAll(/^import .*$/gm, "").trim();
  const lacks = (name: string): boolean => uses(text, name) && !declares(text, name);
  const setting = Object.keys(SETTING).filter(lacks);
  const needs = [text, ...setting.map((name) => SETTING[name as keyof typeof SETTING])].join("\n");
  const brought = [...modules.keys()].filter((name) => uses(needs, name) && !declares(text, name));
  return {
    owner,
    imports,
    text,
    setting,
    brought: brought.filter((name) => !imports.some((line) => uses(line, name))),
  };
}

function examplesIn(owner: string, symbol: DeclarationReflection): Example[] {
  const own = commentsOf(symbol).flatMap(examplesOf);
  const members = (symbol.children ?? []).filter(({ inheritedFrom }) => inheritedFrom === undefined);
  return [
    ...own.map((code) => example(owner, code)),
    ...members.flatMap((member) => examplesIn(`${owner}.${member.name}`, member)),
  ];
}

const examples = exported.flatMap(({ name, symbol }) => examplesIn(name, symbol));

/** An example as a module of its own, its lines in a function, for some return. */
function moduleOf({ imports, text, setting, brought }: Example): string {
  const lines = brought.map((name) => `import { ${name} } from ${JSON.stringify(modules.get(name))};`);
  const declared = setting.map((name) => `declare const ${name}: ${SETTING[name as keyof typeof SETTING]};`);
  return [...imports, ...lines, ...declared, `export async function example() {\n${text}\n}`].join("\n");
}

t.test("the examples compile", async (t) => {
  t.ok(examples.length > 100, `${examples.length} examples`);
  const files = new Map(
    examples.map((shown, i) => {
      return [join(ROOT, "examples", `${shown.owner.replaceAll("/", "-")}-${i}.mts`), moduleOf(shown)];
    }),
  );
  const { config } = ts.readConfigFile(join(ROOT, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
  const settings: ts.CompilerOptions = {
    ...options,
    noEmit: true,
    noUnusedLocals: false,
    verbatimModuleSyntax: false,
    baseUrl: ROOT,
    paths: {
      headrace: ["src/index.ts"],
      "headrace/client": ["src/client/index.ts"],
      "headrace/drivers/*": ["src/drivers/*/index.ts"],
      "headrace/repository": ["src/repository/index.ts"],
      "headrace/*": ["src/*.ts"],
    },
  };
  const host = ts.createCompilerHost(settings);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.getSourceFile = (path, version, ...others) => {
    const text = files.get(path);
    return text === undefined ? getSourceFile(path, version, ...others) : ts.createSourceFile(path, text, version);
  };
  const program = ts.createProgram([...files.keys()], settings, host);
  const wrong = [...files.keys()].flatMap((path) =>
    [
      ...program.getSyntacticDiagnostics(program.getSourceFile(path)),
      ...program.getSemanticDiagnostics(program.getSourceFile(path)),
    ].map(({ messageText }) => `${path.slice(ROOT.length)}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`),
  );
  t.same(wrong, []);
});

/** A line that ends in what it gives: `expression; // value`, or `// throws: message`. What is cut short has an ellipsis. */
const GIVES = /^(?!const |throw |return |console)(.+?); \/\/ (throws: )?(.+)$/gm;

/** The line as a call of `check`, or of `refused`. */
function checked(line: string, expression: string, throws: string | undefined, value: string): string {
  if (throws !== undefined) return `refused(() => ${expression}, ${JSON.stringify(value)});`;
  return value.includes("…") ? line : `check(() => ${expression}, () => (${value}), ${JSON.stringify(line)});`;
}

t.test("they give what they say", async (t) => {
  let count = 0;
  const check = (given: () => unknown, wanted: () => unknown, line: string): void => {
    count += 1;
    t.ok(isDeepStrictEqual(given(), wanted()), `${line} gives ${inspect(given())}`);
  };
  const refused = (work: () => unknown, message: string): void => {
    count += 1;
    const [start = ""] = message.split("…");
    t.throws(work, { message: new RegExp(`^${start.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}`) }, message);
  };
  for (const { owner, text, imports, setting, brought } of examples) {
    const names = [...brought, ...imports.flatMap((line) => [...modules.keys()].filter((name) => uses(line, name)))];
    const values = names.map((name) => VALUES[name]);
    const lines = text.replaceAll(GIVES, checked);
    // What needs a process, a server or a file is for other tests.
    if (lines === text || setting.length > 0 || /\bawait\b/.test(text) || values.includes(undefined)) continue;
    const run = new Function("check", "refused", ...names, ts.transpile(lines, { target: ts.ScriptTarget.ES2022 }));
    t.doesNotThrow(() => run(check, refused, ...values), owner);
  }
  t.ok(count > 80, `${count} lines`);
});
