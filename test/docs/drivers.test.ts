/** The programs of docs/drivers.md are complete: they compile against the sources, and run on the built package. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import ts from "typescript";
import { ROOT } from "../support/paths.js";

const page = await readFile(join(ROOT, "docs", "drivers.md"), "utf8");
const programs = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text = ""]) => text);

/** What each prints. */
const prints = [
  /^stopped 150\n\{"front":\{"status":"ended","in":100,"out":100,/,
  /^memory 0 false\nmemory 1 false\nmemory 2 false\n$/,
  /^sum number\nstopped\n$/,
  /^1000 0 true\n$/,
];

/** In the package, so that `headrace` is found by its own name; git does not look here. */
const folder = join(ROOT, ".tap", `docs-${process.pid}`);
await mkdir(folder, { recursive: true });
t.teardown(() => rm(folder, { recursive: true, force: true }));

t.test("the page has the programs that this test knows", async (t) => {
  t.equal(programs.length, prints.length);
});

t.test("they compile against the sources, strictly", async (t) => {
  const files = programs.map((_, i) => join(folder, `program-${i}.mts`));
  await Promise.all(files.map((file, i) => writeFile(file, programs[i] ?? "")));
  const { config } = ts.readConfigFile(join(ROOT, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
  const paths = {
    headrace: ["src/index.ts"],
    "headrace/drivers/*": ["src/drivers/*/index.ts"],
    "headrace/*": ["src/*.ts"],
  };
  const program = ts.createProgram(files, { ...options, noEmit: true, paths, baseUrl: ROOT });
  const wrong = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start ?? 0).line + 1;
    return `${file?.fileName ?? ""}:${line}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
  t.same(wrong, []);
});

const isBuilt = existsSync(join(ROOT, "dist", "drivers", "source-sink", "index.js"));

t.test("they run, and print what they should", { skip: isBuilt ? false : "not built: npm run build:ts" }, async (t) => {
  for (const [i, text] of programs.entries()) {
    const file = join(folder, `program-${i}.mjs`);
    const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true };
    await writeFile(file, ts.transpile(text, options));
    const child = spawn(process.execPath, [file], { env: { PATH: process.env.PATH, HEADRACE_LOG: "warn" } });
    const output = { out: "", err: "" };
    child.stdout.on("data", (chunk: Buffer) => {
      output.out += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      output.err += chunk.toString();
    });
    const [code] = await once(child, "close");
    t.equal(output.err, "");
    t.match(output.out, prints[i] ?? /^$/);
    t.equal(code, 0);
  }
});
