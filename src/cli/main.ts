#!/usr/bin/env node
/** The `headrace` command. One file per subcommand; this one only knows their names. */
import { cac } from "cac";
import { type ErrorCode, HeadraceError } from "../errors.js";
import { VERSION } from "../version.js";
import { registerBench } from "./bench.js";
import { registerBenchCompare } from "./bench-compare.js";
import { registerChecksums } from "./checksums.js";
import { parseTexts } from "./command-line.js";
import { registerInit } from "./init.js";
import { registerInspect } from "./inspect.js";
import { registerPlugins } from "./plugins.js";
import { registerRun } from "./run.js";
import { registerServe } from "./serve.js";
import { red } from "./style.js";
import { registerTune } from "./tune.js";

/** Exit status for what the user got wrong; 1 is for everything else. */
const USAGE = 2;
/** As a shell reports a process that SIGPIPE has ended. */
const BROKEN_PIPE = 128 + 13;

async function main(): Promise<void> {
  const cli = cac("headrace");
  registerServe(cli);
  registerRun(cli);
  registerInspect(cli);
  registerBench(cli);
  registerPlugins(cli);
  registerInit(cli);
  registerBenchCompare(cli);
  registerTune(cli);
  registerChecksums(cli);
  cli
    .command("", "")
    .example("  headrace serve gru.onnx            a model over HTTP and WebSocket")
    .example("  headrace run                       what headrace.yaml says: a pipeline and its drivers")
    .example("  headrace run --check edge.yaml     only whether it could")
    .example("  headrace bench gru.onnx --quick      how fast a model is, in the process and over each protocol")
    .example("  headrace plugins                   which drivers, sources and sinks a headrace.yaml may name")
    .example("  headrace init my-plugin            a package with a cell, a driver and tests, to begin with")
    .action(() => cli.outputHelp());
  cli.help(withoutNegatedDefaults);
  cli.version(VERSION);
  parseTexts(cli, oneWord(process.argv));
  const known = cli.commands.some(({ name }) => name === cli.args[0]);
  if (cli.matchedCommand?.name === "" && cli.args.length > 0 && !known) {
    throw new HeadraceError("INVALID_ARGUMENT", `there is no command '${cli.args[0]}'; see headrace --help`);
  }
  await cli.runMatchedCommand();
}

/** cac prints `true` with `--no-pin`, which is the default of what that switches off. */
function withoutNegatedDefaults(sections: { title?: string; body: string }[]): void {
  for (const section of sections) section.body = section.body.replace(/^( *--no-.*) \(default: true\)$/gm, "$1");
}

/** cac matches one word: `bench compare` becomes one. A model of that name in this folder is `./compare`. */
function oneWord([node = "", script = "", first, second, ...rest]: readonly string[]): string[] {
  const words = [first, second].filter((word) => word !== undefined);
  return [node, script, ...(first === "bench" && second === "compare" ? ["bench compare"] : words), ...rest];
}

/** What cac finds, such as an option that there is not, has no code of its own. */
function codeOf(error: unknown): ErrorCode | undefined {
  if (error instanceof HeadraceError) return error.code;
  return error instanceof Error && error.name === "CACError" ? "INVALID_ARGUMENT" : undefined;
}

// As of other commands in a pipe: when whoever reads has enough, there is nothing to say about it.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(BROKEN_PIPE);
});

main().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  process.stderr.write(`${red("headrace:")} ${code === undefined ? "" : `${code}: `}${message}\n`);
  if (process.env.HEADRACE_LOG === "debug" && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exitCode = code === "INVALID_ARGUMENT" ? USAGE : 1;
});
