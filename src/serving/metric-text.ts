/**
 * Metrics as text: OpenMetrics 1.0, or the older Prometheus format, which differ in what a counter is called, in units and in
 * how they end. Numbers are read from counters when somebody asks, so nothing is registered and nothing is kept
 * (docs/decisions/0009-metrics-are-read-when-asked-for.md).
 */

/** The time series of one name. */
export interface MetricFamily {
  /** Without the `_total` of counters; ends with the unit where there is one. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** A sentence. */
  readonly help: string;
  readonly unit?: string;
  readonly samples: readonly MetricSample[];
}

export type Labels = Readonly<Record<string, string>>;

/** A number or, in a histogram, how many there were of what size. */
export interface MetricSample {
  readonly labels: Labels;
  /** A decimal number in a string is written as it is: sums of 64 bits with a fraction. */
  readonly value: number | bigint | string | HistogramValue;
}

export interface HistogramValue {
  /** Upper bounds, inclusive, smallest first, without the last one, which is infinite. */
  readonly bounds: readonly number[];
  /** By bucket, one more than there are bounds; not cumulative. */
  readonly counts: readonly bigint[];
  readonly sum: bigint | string;
}

export type MetricFormat = "openmetrics" | "prometheus";

export const METRIC_TYPES: Readonly<Record<MetricFormat, string>> = {
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
};

const OPENMETRICS_TYPE = "application/openmetrics-text";

/** The format that an Accept header asks for: OpenMetrics where it is named, and not for 0 of its quality. */
export function metricFormat(accept: string): MetricFormat {
  for (const part of accept.toLowerCase().split(",")) {
    const [type, ...parameters] = part.split(";").map((text) => text.trim());
    if (type !== OPENMETRICS_TYPE) continue;
    const quality = parameters.find((text) => text.startsWith("q="));
    if (quality === undefined || Number(quality.slice(2)) > 0) return "openmetrics";
  }
  return "prometheus";
}

/** The text of all families that have samples, in the order given. */
export function metricText(families: readonly MetricFamily[], format: MetricFormat): string {
  const lines: string[] = [];
  for (const family of families) if (family.samples.length > 0) writeFamily(lines, family, format);
  if (format === "openmetrics") lines.push("# EOF");
  return `${lines.join("\n")}\n`;
}

function writeFamily(lines: string[], family: MetricFamily, format: MetricFormat): void {
  const { name, type, help, unit, samples } = family;
  const sampled = type === "counter" ? `${name}_total` : name;
  const described = format === "openmetrics" ? name : sampled;
  lines.push(`# HELP ${described} ${format === "openmetrics" ? escaped(help) : escapedHelp(help)}`);
  lines.push(`# TYPE ${described} ${type}`);
  if (format === "openmetrics" && unit !== undefined) lines.push(`# UNIT ${described} ${unit}`);
  for (const { labels, value } of samples) {
    if (typeof value === "object") writeHistogram(lines, name, labels, value);
    else lines.push(`${sampled}${labelText(labels)} ${numberText(value)}`);
  }
}

function writeHistogram(lines: string[], name: string, labels: Labels, { bounds, counts, sum }: HistogramValue): void {
  let total = 0n;
  for (const [bucket, count] of counts.entries()) {
    total += count;
    const bound = bounds[bucket];
    lines.push(
      `${name}_bucket${labelText({ ...labels, le: bound === undefined ? "+Inf" : boundText(bound) })} ${total}`,
    );
  }
  lines.push(`${name}_count${labelText(labels)} ${total}`);
  lines.push(`${name}_sum${labelText(labels)} ${sum}`);
}

/** With a fraction, as OpenMetrics has them: a bound is a label, and one text for it in both formats is one series. */
function boundText(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : String(bound);
}

function numberText(value: number | bigint | string): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}

/** `{a="x",b="y"}`, or nothing. */
export function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(text: string): string {
  return escapedHelp(text).replace(/"/g, '\\"');
}

function escapedHelp(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n");
}
