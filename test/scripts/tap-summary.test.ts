/** What `npm test` says of a TAP stream. */
import t from "tap";

interface Summary {
  readonly passed: number;
  readonly failed: number;
  readonly failures: readonly { readonly place: string; readonly diagnosis: readonly string[] }[];
  line(line: string): void;
}
const { TapSummary } = (await import("../../scripts/tap-summary.mjs" as string)) as {
  TapSummary: new (onFile?: (line: string) => void) => Summary;
};

const STREAM = `TAP version 14
1..4
# Subtest: a.test.ts
    # Subtest: outer
        ok 1 - fine
        # Subtest: inner
            not ok 1 - it is so
              ---
              diff: |
                -not ok 1 - what looks like a line
              ...
            1..1
        not ok 2 - inner # time=1ms
        1..2
    not ok 1 - outer # time=2ms
    not ok 2 - not yet # TODO
    1..2
not ok 1 - a.test.ts # time=3ms
  ---
  exitCode: 1
  ...
# Subtest: b.test.ts
    ok 1 - fine
    1..1
not ok 2 - b.test.ts # time=4ms
  ---
  signal: SIGSEGV
  ...
ok 3 - c.test.ts # time=5ms
not ok 4 - timeout!
# { total: 6, pass: 2, fail: 3, todo: 1 }`;

t.test("failures by their place with their diagnosis, files as they end, and the counts", async (t) => {
  const files: string[] = [];
  const summary = new TapSummary((line) => files.push(line));
  for (const line of STREAM.split("\n")) summary.line(line);
  t.same([summary.passed, summary.failed], [2, 3]);
  t.same(
    summary.failures.map(({ place }) => place),
    ["a.test.ts > outer > inner > it is so", "b.test.ts", "timeout!"],
  );
  t.match(summary.failures[0]?.diagnosis.join("\n"), "-not ok 1 - what looks like a line");
  t.match(summary.failures[1]?.diagnosis.join("\n"), "SIGSEGV");
  t.same(
    files.map((line) => line.replace(/ #.*/, "")),
    ["not ok 1 - a.test.ts", "not ok 2 - b.test.ts", "ok 3 - c.test.ts", "not ok 4 - timeout!"],
  );
  const text = String(summary);
  t.match(text, /^FAILED: a\.test\.ts > outer > inner > it is so$/m);
  t.notMatch(text, /not yet/);
});
