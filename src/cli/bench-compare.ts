/** `headrace bench compare`: a gate for a pull request, or the answer to "did that help?". */
import type { CAC } from "cac";
import { type Comparison, compareResults, METRICS, type Metric } from "../bench/compare.js";
import { comparisonText } from "../bench/report/index.js";
import { readResult } from "../bench/result-file.js";
import { InvalidArgumentError } from "../errors.js";
import { dim, green, redOut } from "./style.js";

/** Exit statuses beside those that every command has. */
const WORSE = 3;
const UNKNOWN = 4;

interface CompareCliOptions {
  threshold: string;
  metric?: string | string[];
  json?: boolean;
}

export function registerBenchCompare(cli: CAC): void {
  cli
    .command("bench compare <before> <after>", "Compare two results of headrace bench, case by case")
    .option("--threshold <percent>", "The change that matters", { default: "5%" })
    .option("--metric <name>", `${METRICS.join(", ")}; may be given several times (default: all)`)
    .option("--json", "Print JSON")
    .example("  headrace bench compare before.json after.json")
    .example("  headrace bench compare main.json branch.json --threshold 3% --metric rate --metric p99")
    .example("  headrace bench compare a.json b.json --json | jq '.cases[] | {name, metrics}'")
    .example("")
    .example(`  Exit status: 0 when nothing is surely worse, ${WORSE} when something is (its whole 95 % interval`)
    .example(`  is past the threshold, or requests fail that did not), ${UNKNOWN} when nothing could be judged.`)
    .action(compare);
}

async function compare(before: string, after: string, options: CompareCliOptions): Promise<void> {
  const settings = { threshold: threshold(options.threshold), metrics: metrics(options.metric) };
  const [old, now] = [await readResult(before), await readResult(after)];
  const comparison = compareResults(old, now, settings);
  process.stdout.write(
    options.json ? `${JSON.stringify(comparison, null, 2)}\n` : comparisonText(comparison, { dim, green, red: redOut }),
  );
  process.exitCode = status(comparison);
}

function status({ worse, unknown }: Comparison): number {
  if (worse) return WORSE;
  return unknown ? UNKNOWN : 0;
}

/** `5`, `5%` and `5 %` are five per cent. */
function threshold(given: string): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+) ?%?$/.exec(given.trim());
  if (match !== null) return Number(match[1]) / 100;
  throw new InvalidArgumentError(`expected 0 per cent or more, e.g. 5%, got '${given}'`, { path: "--threshold" });
}

function metrics(given: string | string[] | undefined): readonly Metric[] {
  if (given === undefined) return METRICS;
  return [given]
    .flat()
    .flatMap((text) => text.split(","))
    .map((name) => {
      const found = METRICS.find((metric) => metric === name.trim());
      if (found !== undefined) return found;
      throw new InvalidArgumentError(`expected one of ${METRICS.join(", ")}, got '${name}'`, { path: "--metric" });
    });
}
