/** What a server's GET /metrics says, for tests that look at its counters. */

export interface MetricLine {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Scrape {
  readonly lines: readonly MetricLine[];
  /** The sum of the samples of that name whose labels are, among others, these. */
  value(name: string, labels?: Readonly<Record<string, string>>): number;
}

/** The samples of either text format. Throws for a line that is none. */
export function parseMetrics(text: string): MetricLine[] {
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, name = "", labelText = "", value = ""] = /^([a-z_]\w*)(\{.*\})? (\S+)$/s.exec(line) ?? [];
      if (name === "" || Number.isNaN(Number(value.replace("Inf", "Infinity")))) throw new Error(`no sample: ${line}`);
      const labels: Record<string, string> = {};
      for (const [, label = "", quoted = ""] of labelText.matchAll(/([a-z_]\w*)="((?:[^"\\]|\\.)*)"/gs)) {
        labels[label] = quoted.replace(/\\(.)/g, (_, char) => (char === "n" ? "\n" : char));
      }
      return { name, labels, value: Number(value.replace("Inf", "Infinity")) };
    });
}

export async function scrape(url: string, headers: Record<string, string> = {}): Promise<Scrape> {
  const response = await fetch(`${url}/metrics`, { headers });
  if (response.status !== 200) throw new Error(`GET /metrics: ${response.status}`);
  const lines = parseMetrics(await response.text());
  return {
    lines,
    value: (name, labels = {}) =>
      lines
        .filter(
          (line) => line.name === name && Object.entries(labels).every(([key, text]) => line.labels[key] === text),
        )
        .reduce((sum, { value }) => sum + value, 0),
  };
}

/** Steps that the server's models have taken: those that wait, the batches that run, and what has succeeded. */
export async function stepsTaken(url: string): Promise<number> {
  const { value } = await scrape(url);
  return (
    value("headrace_steps_waiting") +
    value("headrace_batches_running") +
    value("headrace_steps_total", { outcome: "succeeded" })
  );
}

/** The tasks of a server: how many there are of each kind now, and what happened to them so far. */
export async function taskCounts(url: string): Promise<Record<string, number>> {
  const { lines } = await scrape(url);
  const counts: Record<string, number> = {};
  for (const { name, labels, value } of lines) {
    const [, now] = /^headrace_driver_tasks_(pending|waiting|kept)$/.exec(name) ?? [];
    if (now !== undefined) counts[now] = value;
    if (name === "headrace_driver_tasks_total") counts[labels.event ?? ""] = value;
  }
  return counts;
}
