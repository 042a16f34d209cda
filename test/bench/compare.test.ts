/** Comparing two results, as a library and as the command. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { changeInterval, seededRandom } from "../../src/bench/bootstrap.js";
import { compareResults } from "../../src/bench/compare.js";
import type { BenchResult } from "../../src/bench/result.js";
import { headrace } from "../support/cli.js";
import { sampleResult } from "./sample.js";

const before = sampleResult();
const slower = sampleResult({ seed: 2, speed: 0.85 });

function verdicts(after: BenchResult, threshold = 0.05): Set<string> {
  const { cases } = compareResults(before, after, { threshold });
  return new Set(cases.flatMap(({ metrics }) => metrics.map(({ verdict }) => verdict)));
}

t.test("a server that is slower than the threshold is worse, a faster one better, the same one the same", (t) => {
  t.strictSame(verdicts(slower), new Set(["worse"]));
  t.strictSame(verdicts(sampleResult({ seed: 2, speed: 1.2 })), new Set(["better"]));
  t.strictSame(verdicts(before), new Set(["same"]));
  t.strictSame(verdicts(slower, 0.5), new Set(["same"]), "below a threshold of half");
  t.ok(verdicts(sampleResult({ seed: 2, speed: 0.95 })).has("unclear"), "at the threshold nobody can tell");
  t.end();
});

t.test("an interval holds the change, and is the same for the same seed", (t) => {
  const [base, other] = [
    [100, 101, 99, 102, 98],
    [110, 112, 108, 111, 109],
  ];
  const interval = changeInterval(base, other, 7);
  const [low = 0, high = 0] = interval ?? [];
  t.ok(low > 0.05 && low < 0.1 && high > 0.1 && high < 0.15, `${low} to ${high}`);
  t.strictSame(changeInterval(base, other, 7), interval);
  t.equal(changeInterval(base.slice(0, 4), other, 7), undefined, "four are too few");
  t.equal(changeInterval([0, 0, 0, 0, 0], other, 7), undefined, "nothing to be relative to");
  t.end();
});

t.test("95 % intervals of measurements without a change hold 0 about as often as they say", (t) => {
  const random = seededRandom(11);
  const sample = (): number[] =>
    Array.from({ length: 9 }, () => 100 * (1 + (random() + random() + random() - 1.5) * 0.1));
  const rounds = 300;
  let held = 0;
  for (let i = 0; i < rounds; i += 1) {
    const [low = 0, high = 0] = changeInterval(sample(), sample(), i) ?? [];
    if (low <= 0 && high >= 0) held += 1;
  }
  t.ok(held / rounds > 0.92 && held / rounds < 1, `${held} of ${rounds}`);
  t.end();
});

t.test("too few repetitions are said, and nothing is called worse", (t) => {
  const few = compareResults(before, sampleResult({ seed: 3, speed: 0.5, repetitions: 3 }));
  t.equal(few.worse, false);
  t.equal(few.unknown, true);
  t.match(few.cases[0]?.doubts, ["3 repetitions after, an interval needs 5"]);
  t.end();
});

t.test("requests that fail now are worse, whatever the figures", (t) => {
  const cases = before.cases.map((one, i) => (i === 0 ? { ...one, summary: { ...one.summary, errors: 3 } } : one));
  t.equal(compareResults(before, { ...before, cases }).worse, true);
  t.equal(compareResults({ ...before, cases }, before).worse, false, "that fail no more are not");
  t.end();
});

t.test("what else is not the same is listed", (t) => {
  const other = {
    ...before,
    machine: { ...before.machine, cpu: "Another", loadAverage: 1 },
    cases: [...before.cases.slice(1), { ...before.cases[0], name: "new" }] as BenchResult["cases"],
  };
  const comparison = compareResults(before, other);
  t.strictSame(comparison.differences, [{ path: "machine.cpu", before: "Example CPU at 3 GHz", after: "Another" }]);
  t.strictSame(comparison.onlyBefore, ["engine closed 1"]);
  t.strictSame(comparison.onlyAfter, ["new"]);
  t.end();
});

t.test("the command", async (t) => {
  const folder = t.testdir();
  const file = async (name: string, result: BenchResult): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, JSON.stringify(result));
    return path;
  };
  const [a, b] = [await file("a.json", before), await file("b.json", slower)];
  const few = await file("few.json", sampleResult({ repetitions: 2 }));

  const same = await headrace(t, "bench", "compare", a, a);
  t.equal(same.code, 0, same.stderr);
  t.match(same.stdout, /no figure is surely worse by more than 5.0 %/);

  const worse = await headrace(t, "bench", "compare", a, b, "--metric", "rate");
  t.equal(worse.code, 3);
  t.match(worse.stdout, /20 figures are worse by more than 5.0 %/);
  t.match(worse.stdout, /engine closed 1 +rate .* worse/);
  t.notMatch(worse.stdout, /p99/);
  t.equal((await headrace(t, "bench", "compare", a, b, "--threshold", "40%")).code, 0);

  const unknown = await headrace(t, "bench", "compare", a, few);
  t.equal(unknown.code, 4);
  t.match(unknown.stdout, /nothing could be judged: too few repetitions/);

  const json = await headrace(t, "bench", "compare", a, b, "--json");
  t.equal(json.code, 3);
  t.match(JSON.parse(json.stdout), { worse: true, threshold: 0.05 });

  for (const [arguments_, expected] of [
    [
      ["bench", "compare", a, b, "--threshold", "fast"],
      /--threshold: expected 0 per cent or more, e\.g\. 5%, got 'fast'/,
    ],
    [["bench", "compare", a, b, "--metric", "p42"], /--metric: expected one of rate, p50, p99, got 'p42'/],
    [["bench", "compare", a], /missing required args/],
  ] as const) {
    const refused = await headrace(t, ...arguments_);
    t.equal(refused.code, 2);
    t.match(refused.stderr, expected);
  }
});
