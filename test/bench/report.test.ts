/** The ways to show a result: CSV, the table in the terminal, and the HTML page. */
import t from "tap";
import { mergeHistograms, spectrum } from "../../src/bench/histogram.js";
import { failedRepetition, summaryOf } from "../../src/bench/repetition.js";
import { DARK, LIGHT } from "../../src/bench/report/colours.js";
import { csvReport } from "../../src/bench/report/csv.js";
import { htmlReport } from "../../src/bench/report/html.js";
import { linearScale, logScale, percentileScale } from "../../src/bench/report/scale.js";
import { textReport } from "../../src/bench/report/text.js";
import { warningsOf } from "../../src/bench/report/warnings.js";
import type { BenchCase, BenchResult, CaseSummary, Repetition } from "../../src/bench/result.js";
import { sampleResult } from "./sample.js";

/** Where a pattern is in a text, short enough to print. */
function found(text: string, pattern: RegExp): string | undefined {
  const at = text.search(pattern);
  return at < 0 ? undefined : text.slice(Math.max(0, at - 40), at + 60);
}

const HOSTILE = `</style><script src="http://example.org/x.js"></script>`;

/** The sample with its first case changed. */
function changed(summary: Partial<CaseSummary>, repetition: Partial<Repetition> = {}): BenchResult {
  const result = sampleResult();
  const [first, ...rest] = result.cases;
  if (first === undefined) throw new Error("the sample has cases");
  const repetitions = first.repetitions.map((one) => ({ ...one, ...repetition }));
  return { ...result, cases: [{ ...first, repetitions, summary: { ...first.summary, ...summary } }, ...rest] };
}

t.test("CSV has one line for each repetition and a summary, and quotes what needs it", (t) => {
  const lines = csvReport(changed({ errors: 1 }, { errors: 1, firstError: 'said "no", twice' })).split("\r\n");
  const [head = "", first = ""] = lines;
  t.equal(lines.pop(), "");
  t.equal(lines.length, 1 + 20 * (5 + 1));
  const columns = head.split(",");
  t.ok(first.includes(',"said ""no"", twice",'));
  const cells = first.replace('"said ""no"", twice"', "said").split(",");
  t.equal(cells.length, columns.length);
  const of = (name: string): string | undefined => cells[columns.indexOf(name)];
  const repetition = sampleResult().cases[0]?.repetitions[0];
  t.equal(of("latency_p999_us"), String(repetition?.latency.p999));
  t.equal(of("service_p50_us"), String(repetition?.service.p50));
  t.equal(of("streams"), "", "not measured is empty");
  const whole = (lines[6] ?? "").replace('"said ""no"", twice"', "said").split(",");
  const total = (name: string): string | undefined => whole[columns.indexOf(name)];
  const [measured] = sampleResult().cases;
  t.equal(total("repetition"), "summary");
  t.equal(total("case"), measured?.name);
  t.equal(total("errors"), "5", "of every repetition");
  t.equal(total("rate_per_second"), String(measured?.summary.ratePerSecond.median));
  t.equal(total("latency_p99_us"), String(measured?.summary.latencyMicros.p99));
  t.end();
});

t.test("what is wrong is said first", (t) => {
  const sound = sampleResult();
  t.strictSame(warningsOf(sound), []);
  const cases: [string, BenchResult, RegExp][] = [
    ["errors", changed({ errors: 12 }, { firstError: "reset" }), /12 requests failed, the first: reset/],
    ["unfinished", changed({ unfinished: 99 }), /99 due and not answered/],
    ["saturated", changed({ saturated: true }), /generator was saturated/],
    ["unstable", changed({ stable: false }), /not stable/],
    ["behind", changed({}, { offeredPerSecond: 1e9 }), /rate offered was not reached/],
    ["busy", { ...sound, machine: { ...sound.machine, loadAverage: 1.9 } }, /load average 1.90/],
    ["once", sampleResult({ repetitions: 2 }), /fewer than three repetitions/],
  ];
  for (const [name, result, expected] of cases) {
    t.match(textReport(result).split("\n\n")[0] ?? "", expected, `${name} in the terminal`);
    t.match(htmlReport(result).split("<h2>")[0] ?? "", expected, `${name} in the page`);
    t.equal(warningsOf(result).length, 1, `${name} alone`);
  }
  const closing = changed({ unfinished: 5 });
  t.strictSame(warningsOf(closing), [], "a closed loop ends with its last requests in flight");
  t.end();
});

t.test("the table in the terminal has a line for each case and leaves out what nobody measured", (t) => {
  const result = sampleResult();
  const text = textReport(result);
  t.equal(text.split("\n").filter((line) => line.includes("in flight")).length, result.cases.length);
  t.match(text, /server CPU/);
  const cases = result.cases.map((one) => ({
    ...one,
    repetitions: one.repetitions.map(({ server, ...rest }) => rest),
  }));
  t.equal(found(textReport({ ...result, cases }), /server CPU/), undefined);
  t.match(textReport({ ...result, cases: [] }), /no case was measured/);
  t.end();
});

t.test("without answers there are no latencies", (t) => {
  const { cases, ...rest } = sampleResult({ repetitions: 1 });
  const repetition = failedRepetition("taskset: failed");
  const failed = { repetitions: [repetition], summary: summaryOf([repetition]) };
  const none = { ...rest, cases: cases.map((one) => ({ ...one, ...failed })) };
  for (const report of [textReport, htmlReport, csvReport])
    t.equal(found(report(none), /\b0 [uµ]s|,0,0,0,0,0/), undefined);
  const [good] = cases[0]?.repetitions ?? [];
  if (good === undefined) throw new Error("the sample has repetitions");
  t.equal(
    summaryOf([repetition, good, repetition]).latencyMicros.p99,
    good.latency.p99,
    "medians of those that have one",
  );
  t.end();
});

t.test("the page loads nothing, runs nothing, and takes no markup from a result", (t) => {
  const result = changed({ errors: 1 }, { firstError: HOSTILE });
  const target = { ...result.target, model: HOSTILE, name: HOSTILE };
  const page = htmlReport({ ...result, target, command: ["headrace", HOSTILE], method: { [HOSTILE]: HOSTILE } });
  t.equal(found(page, /<script|<link|<img|<iframe|@import|url\(|\ssrc="|\shref=/i), undefined);
  t.match(page, /&lt;script src=&quot;http/);
  t.match(page, /default-src 'none'/);
  t.end();
});

t.test("the page has every plot, and leaves out those without figures", (t) => {
  const result = sampleResult();
  const page = htmlReport(result);
  for (const title of ["Latency against throughput", "Percentiles", "Batch sizes", "Where the time of a step goes"]) {
    t.ok(page.includes(`<h2>${title}</h2>`), title);
  }
  t.equal(page.match(/<svg viewBox[^>]*role="img" aria-label="[^"]+"/g)?.length, 1 + 4 + 1 + 1);
  t.equal(found(page, /NaN|undefined|Infinity/), undefined);
  const cases = result.cases.map(
    (one): BenchCase => ({
      ...one,
      repetitions: one.repetitions.map(({ batchSizes, phases, ...rest }) => rest),
    }),
  );
  const bare = htmlReport({ ...result, cases });
  t.equal(found(bare, /Batch sizes|Where the time of a step goes/), undefined);
  t.match(htmlReport({ ...result, cases: [] }), /No case was measured/);
  t.end();
});

t.test("a case in which nothing was answered can be shown", (t) => {
  const none = { count: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0, mean: 0, histogram: [] };
  const zero = { median: 0, min: 0, max: 0 };
  const result = changed(
    { ratePerSecond: zero, latencyMicros: none, errors: 7 },
    {
      latency: none,
      service: none,
      ratePerSecond: 0,
      phases: { queue: 0, gather: 0, run: 0, scatter: 0 },
      batchSizes: [],
    },
  );
  for (const cases of [result.cases, result.cases.slice(0, 1)]) {
    const page = htmlReport({ ...result, cases });
    t.equal(found(page, /NaN|undefined|Infinity/), undefined);
    t.match(page, /7 requests failed/);
    t.equal(found(textReport({ ...result, cases }), /NaN|undefined|Infinity/), undefined);
  }
  t.end();
});

t.test("a spectrum ends with the slowest step", (t) => {
  const merged = mergeHistograms([
    [
      [10, 5],
      [30, 1],
    ],
    [
      [10, 3],
      [20, 1],
    ],
  ]);
  t.strictSame(merged, [
    [10, 8],
    [20, 1],
    [30, 1],
  ]);
  const points = spectrum(merged, 10);
  t.strictSame(points[0], { oneIn: 1, micros: 10 });
  t.strictSame(points.at(-1), { oneIn: 10, micros: 30 });
  // One in five takes longer than the eighth of ten.
  t.equal(points.findLast(({ oneIn }) => oneIn <= 5)?.micros, 10);
  t.equal(points.find(({ oneIn }) => oneIn > 5)?.micros, 20);
  t.strictSame(spectrum([]), []);
  t.end();
});

t.test("axes end at round values and hold all that is shown", (t) => {
  const linear = linearScale(230, [0, 100]);
  t.strictSame(
    linear.ticks.map(({ label }) => label),
    ["0", "50", "100", "150", "200", "250"],
  );
  t.equal(linear.at(125), 50);
  const log = logScale([3, 700], [0, 100]);
  t.strictSame(log.domain, [2, 1000]);
  t.equal(log.at(2), 0);
  t.equal(log.at(1000), 100);
  t.ok(logScale([], [0, 100]).ticks.length > 1, "without values there are still axes");
  t.strictSame(
    percentileScale(5000, [0, 1]).ticks.map(({ label }) => label),
    ["0%", "50%", "90%", "99%", "99.9%"],
  );
  t.end();
});

/** The relative luminance of WCAG 2. */
function luminance(colour: string): number {
  const channels = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
  const linear = channels.map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
  const [red = 0, green = 0, blue = 0] = linear;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: string, b: string): number {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

t.test("text and lines have the contrast that WCAG 2 AA wants, light and dark", (t) => {
  for (const theme of [LIGHT, DARK]) {
    for (const text of [theme.text, theme.muted, theme.bad]) {
      t.ok(contrast(text, theme.background) >= 4.5, `${text} on the background`);
      t.ok(contrast(text, theme.panel) >= 4.5, `${text} on a panel`);
    }
    t.ok(contrast(theme.bad, theme.badPanel) >= 4.5, "a warning");
    t.ok(contrast(theme.doubt, theme.doubtPanel) >= 4.5, "a doubt");
    for (const colour of theme.series) {
      t.ok(contrast(colour, theme.background) >= 4.5, `${colour} on the background`);
      t.ok(contrast(theme.inside, colour) >= 4.5, `text on ${colour}`);
    }
  }
  t.end();
});

t.test("options of the method read as words, not as JSON", (t) => {
  const method = { loads: [{ mode: "closed", concurrency: 1 }], window: 0.6 / 3, inputFiles: {}, serveArguments: [] };
  const page = htmlReport({ ...sampleResult(), method });
  t.match(page, "<dt>loads</dt><dd>mode closed, concurrency 1</dd>");
  t.match(page, "<dt>window</dt><dd>0.2</dd>", "without the noise of the last bits");
  t.match(page, "<dt>inputFiles</dt><dd>none</dd>");
  t.match(page, "<dt>serveArguments</dt><dd>none</dd>");
  t.end();
});
