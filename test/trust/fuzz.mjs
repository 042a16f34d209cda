/**
 * What reads bytes of clients, files and other processes, against inputs that nobody would send: for each fuzz target no crash, no
 * leak, nothing that its properties forbid and no input that takes longer than a second; and the inputs that are kept reach
 * nearly all of the decoders' lines.
 */
import { availableParallelism } from "node:os";
import { percent } from "../../bench/lib/statistics.mjs";
import { LEAST_COVERAGE } from "../../scripts/fuzz/decoders.mjs";
import { fuzz, shareOf } from "../../scripts/fuzz/report.mjs";
import { trustCheck, wholeNumber } from "./lib/check.mjs";

const SHORT_SECONDS = 5;
const LONG_SECONDS = 1800;
const GOAL = "no crash, no leak, no property broken, no input above 1 s";

await trustCheck({
  name: "fuzz",
  about:
    "Fuzzes the decoders of C++ (native/fuzz) and TypeScript (test/fuzz): each target from its kept inputs on, for 5 seconds in the\n" +
    "short form and for 30 minutes in the long form. Needs clang, llvm and zlib: apt-get install clang-16 llvm-16 zlib1g-dev.",
  own: { jobs: "targets that run at a time (default 1, in the long form the machine's cores)" },
  work,
});

async function work(check) {
  const seconds = check.isLong ? LONG_SECONDS : SHORT_SECONDS;
  const usual = check.isLong ? availableParallelism() : 1;
  const jobs = Math.max(1, wholeNumber("--jobs", check.options.jobs ?? String(usual)));
  const { targets, coverage } = await fuzz({ seconds, jobs, seed: check.seed, progress: check.progress });
  for (const { name, inputs, slowestMillis, findings } of targets) {
    const slowest = slowestMillis < 1 ? "under 1 ms" : `${Math.round(slowestMillis)} ms`;
    const outcome = findings.length === 0 ? `slowest ${slowest}` : `${findings.length} findings`;
    check.holds(`fuzzing ${name}`, GOAL, `${inputs} inputs, ${outcome}`, findings.length === 0 && inputs > 0);
    for (const { file, why } of findings) process.stderr.write(`${why}\n  ${file}\n`);
  }
  const share = shareOf(coverage);
  const goal = `at least ${percent(LEAST_COVERAGE)}`;
  check.holds("lines of the decoders that the inputs reach", goal, percent(share), share >= LEAST_COVERAGE);
  check.figure("seconds for each target", seconds);
  check.figure("targets at a time", jobs);
  check.figure("cores", availableParallelism());
  for (const file of coverage) check.figure(file.file, percent(shareOf([file])));
}
