/** The two text formats, and which of them is meant. */
import fc from "fast-check";
import t from "tap";
import { METRIC_TYPES, type MetricFamily, metricFormat, metricText } from "../../src/serving/metric-text.js";
import { parseMetrics } from "../support/metrics.js";

const FAMILIES: readonly MetricFamily[] = [
  {
    name: "headrace_things",
    type: "counter",
    help: 'Things\nthat "are" \\ counted.',
    samples: [{ labels: { model: 'a "b"\\\n', version: "1" }, value: 2n ** 60n + 1n }],
  },
  { name: "headrace_nothing", type: "gauge", help: "Has no samples.", samples: [] },
  { name: "headrace_load_bytes", type: "gauge", unit: "bytes", help: "Now.", samples: [{ labels: {}, value: 0.5 }] },
  {
    name: "headrace_wait_microseconds",
    type: "histogram",
    unit: "microseconds",
    help: "Waits.",
    samples: [{ labels: { cell: "x" }, value: { bounds: [1, 2.5], counts: [1n, 0n, 2n], sum: "7.125" } }],
  },
];

t.test("OpenMetrics", async (t) => {
  t.equal(
    metricText(FAMILIES, "openmetrics"),
    `# HELP headrace_things Things\\nthat \\"are\\" \\\\ counted.
# TYPE headrace_things counter
headrace_things_total{model="a \\"b\\"\\\\\\n",version="1"} 1152921504606846977
# HELP headrace_load_bytes Now.
# TYPE headrace_load_bytes gauge
# UNIT headrace_load_bytes bytes
headrace_load_bytes 0.5
# HELP headrace_wait_microseconds Waits.
# TYPE headrace_wait_microseconds histogram
# UNIT headrace_wait_microseconds microseconds
headrace_wait_microseconds_bucket{cell="x",le="1.0"} 1
headrace_wait_microseconds_bucket{cell="x",le="2.5"} 1
headrace_wait_microseconds_bucket{cell="x",le="+Inf"} 3
headrace_wait_microseconds_count{cell="x"} 3
headrace_wait_microseconds_sum{cell="x"} 7.125
# EOF
`,
  );
});

t.test("Prometheus' own format: counters keep _total, there are no units and no end", async (t) => {
  const text = metricText(FAMILIES, "prometheus");
  t.match(
    text,
    '# HELP headrace_things_total Things\\nthat "are" \\\\ counted.\n# TYPE headrace_things_total counter\n',
  );
  t.notMatch(text, /# (UNIT|EOF)/);
  const samples = (format: "openmetrics" | "prometheus") => metricText(FAMILIES, format).match(/^[^#\n].*$/gm);
  t.same(samples("prometheus"), samples("openmetrics"), "the samples are the same");
});

t.test("which format an Accept header means", async (t) => {
  const openMetrics = [
    "application/openmetrics-text",
    "Application/OpenMetrics-Text; version=1.0.0",
    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
    "text/html, application/openmetrics-text; q=0.001",
  ];
  for (const accept of openMetrics) t.equal(metricFormat(accept), "openmetrics", accept);
  for (const accept of ["", "*/*", "text/plain", "application/openmetrics-text;q=0", "application/openmetrics"]) {
    t.equal(metricFormat(accept), "prometheus", accept);
  }
  t.match(METRIC_TYPES.openmetrics, /^application\/openmetrics-text; version=1\.0\.0/);
});

t.test("any label value comes back as it was, and any histogram adds up", async () => {
  const label = fc.string({ unit: "binary" });
  const counts = fc.array(fc.bigInt({ min: 0n, max: 2n ** 40n }), { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(label, counts, (value, buckets) => {
      const histogram = { bounds: [1, 2, 4], counts: buckets, sum: "1.5" };
      const samples = [{ labels: { a: value, b: "c" }, value: histogram }];
      const family: MetricFamily = { name: "h", type: "histogram", help: "H.", samples };
      for (const format of ["openmetrics", "prometheus"] as const) {
        const lines = parseMetrics(metricText([family], format));
        if (!lines.every(({ labels }) => labels.a === value && labels.b === "c")) return false;
        const cumulative = lines.filter(({ name }) => name === "h_bucket").map((line) => line.value);
        if (cumulative.some((count, index) => count < (cumulative[index - 1] ?? 0))) return false;
        const total = Number(buckets.reduce((sum, count) => sum + count, 0n));
        if (cumulative.at(-1) !== total || lines.find(({ name }) => name === "h_count")?.value !== total) return false;
      }
      return true;
    }),
  );
});
