/** The numbers of drivers, which are theirs to name, as metrics. */
import type { DriverMetric, RestrictedInferenceProcess } from "../runtime/index.js";
import { type Labels, labelText, type MetricFamily, type MetricSample } from "./metric-text.js";

/** A family that grows while drivers are gone through. */
interface Growing extends MetricFamily {
  readonly samples: MetricSample[];
  /** The labels that there is a sample of already. */
  readonly known: Set<string>;
}

/**
 * One family for each name that drivers use. Of names, types and labels that do not fit each other the first counts: a mistake
 * in one driver must not cost the metrics of all.
 */
export function driverFamilies(processes: readonly RestrictedInferenceProcess[]): MetricFamily[] {
  const families = new Map<string, Growing>();
  for (const process of processes) {
    for (const { ref, status, metrics } of process.drivers()) {
      const labels = { model: process.name, version: process.version, driver: ref };
      add(families, labels, {
        name: "running",
        type: "gauge",
        help: "1 while the driver runs, else 0.",
        value: status === "running" ? 1 : 0,
      });
      for (const metric of metrics) add(families, labels, metric);
    }
  }
  return [...families.values()].map(({ known, ...family }) => family);
}

function add(families: Map<string, Growing>, labels: Labels, metric: DriverMetric): void {
  const name = `headrace_driver_${word(metric.name)}`;
  const family = families.get(name) ?? { name, type: metric.type, help: metric.help, samples: [], known: new Set() };
  families.set(name, family);
  if (family.type !== metric.type) return;
  const own = Object.entries(metric.labels ?? {}).map(([label, value]) => [word(label), String(value)]);
  const sample = { labels: { ...Object.fromEntries(own), ...labels }, value: metric.value };
  const key = labelText(sample.labels);
  if (family.known.has(key)) return;
  family.known.add(key);
  family.samples.push(sample);
}

function word(text: string): string {
  return text.replace(/[^a-zA-Z0-9_]/g, "_");
}
