/** `headrace bench`: measures a model, or any V2 server, under load. */
import { writeFile } from "node:fs/promises";
import type { CAC } from "cac";
import type { BenchProgress } from "../bench/options.js";
import { csvReport, htmlReport, textReport } from "../bench/report/index.js";
import type { BenchResult } from "../bench/result.js";
import { runBench } from "../bench/run.js";
import { InvalidArgumentError } from "../errors.js";
import { fileError } from "../file-error.js";
import { addBenchOptions, type BenchCliOptions, benchOptions } from "./bench-options.js";
import { bold, dim, redOut } from "./style.js";

export function registerBench(cli: CAC): void {
  addBenchOptions(cli.command("bench [target]", "Measure a model, or a V2 server at a URL, under load"))
    .example("  headrace bench gru.onnx                              every protocol, 1, 16 and 256 requests in flight")
    .example("  headrace bench gru.onnx --quick                      is everything in working order?")
    .example("  headrace bench vad.mjs --protocol ws-raw --streams 100,200 --frame-rate 31.25")
    .example("  headrace bench silero.onnx --constant sr=16000 --context input=64 --html silero.html")
    .example("  headrace bench http://127.0.0.1:8000 --model resnet --concurrency 1,8,64 --rows 4")
    .example("  headrace bench wss://models.example.com --streams 100 --frame-rate 31.25")
    .example("  headrace bench grpc://triton:8001 --model gru --rate 500,1000 --arrival poisson --json triton.json")
    .action(bench);
}

async function bench(target: string | undefined, cli: BenchCliOptions): Promise<void> {
  if (target === undefined) {
    throw new InvalidArgumentError("expected a model file, a module or a URL; see headrace bench --help");
  }
  const options = benchOptions(target, cli, ["headrace", ...withoutSecrets(process.argv.slice(2))]);
  exitOnSignals();
  const progress = progressLine(process.stderr);
  let result: BenchResult;
  try {
    result = await runBench(options, progress);
  } finally {
    progress.clear();
  }
  await publish(result, cli);
  if (result.cases.some(({ summary }) => summary.errors > 0 || summary.unfinished > 0)) process.exitCode = 1;
}

/** By `exit`, which takes the servers and generators with it. */
function exitOnSignals(): void {
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
}

/** The table goes to standard output, unless something else was asked to. */
async function publish(result: BenchResult, cli: BenchCliOptions): Promise<void> {
  const files = [
    [cli.json, () => `${JSON.stringify(result, null, 2)}\n`],
    [cli.csv, () => csvReport(result)],
    [cli.html, () => htmlReport(result)],
  ] as const;
  let isTaken = false;
  for (const [file, text] of files) {
    if (file === undefined) continue;
    if (file === "-") {
      isTaken = true;
      process.stdout.write(text());
      continue;
    }
    await writeFile(file, text()).catch((error: unknown) => {
      throw fileError(file, error);
    });
    process.stderr.write(`headrace: wrote ${file}\n`);
  }
  if (!isTaken) process.stdout.write(textReport(result, { bold, dim, red: redOut }));
}

interface ProgressLine extends BenchProgress {
  clear(): void;
}

/** One line that changes, where a person looks; nothing elsewhere. */
function progressLine(stream: NodeJS.WriteStream): ProgressLine {
  const started = Date.now();
  let what = "";
  const show = (text: string): void => {
    if (stream.isTTY) stream.write(`\r\u001b[K${text.slice(0, stream.columns - 1)}`);
  };
  return {
    begin({ name, index, total }) {
      what = `${index + 1} of ${total}: ${name}`;
      if (index > 0) {
        const left = ((Date.now() - started) / 1000 / index) * (total - index);
        what += `, about ${Math.ceil(left)} s left`;
      }
      show(what);
    },
    window(rate, p99) {
      show(`${what}: ${Math.round(rate).toLocaleString("en-GB")} steps/s, p99 ${(p99 / 1000).toFixed(2)} ms`);
    },
    clear: () => show(""),
  };
}

/** The command as others may read it: a header may well be a token. */
function withoutSecrets(args: readonly string[]): string[] {
  return args.map((arg, index) => {
    const isHeader = args[index - 1] === "--header";
    if (isHeader) return arg.replace(/:.*/s, ": ***");
    return arg.replace(/^(--header=[^:]*):.*/s, "$1: ***");
  });
}
