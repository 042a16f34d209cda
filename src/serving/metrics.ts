/** What `GET /metrics` tells, whoever serves it: docs/observability.md has the table, and a test holds the two together. */
import { DURATION_BOUNDS_MICROS, type Durations, type NativeStats } from "../engine/surface.js";
import type { RestrictedInferenceProcess } from "../runtime/index.js";
import { VERSION } from "../version.js";
import { driverFamilies } from "./driver-metrics.js";
import type { HistogramValue, Labels, MetricFamily, MetricSample } from "./metric-text.js";

/** A model that a server serves. */
export interface MeasuredModel {
  readonly inference: RestrictedInferenceProcess;
  /** Whether it takes requests now. */
  readonly isReady: boolean;
}

/** An ONNX cell of a model, as its engine counts it. */
interface MeasuredCell {
  readonly labels: Labels;
  readonly stats: NativeStats;
}

/** All families, those without a sample too. */
export function metricFamilies(models: readonly MeasuredModel[]): MetricFamily[] {
  const cells = models.flatMap(cellsOf);
  return [
    ...requestFamilies(models),
    ...stepFamilies(cells),
    ...batchFamilies(cells),
    ...stateFamilies(models, cells),
    ...driverFamilies(models.map(({ inference }) => inference)),
    ...processFamilies(),
  ];
}

export function modelLabels({ name, version }: RestrictedInferenceProcess): Labels {
  return { model: name, version };
}

function cellsOf({ inference }: MeasuredModel): MeasuredCell[] {
  const labels = modelLabels(inference);
  return Object.entries(inference.stats()).map(([cell, stats]) => ({ labels: { ...labels, cell }, stats }));
}

function requestFamilies(models: readonly MeasuredModel[]): MetricFamily[] {
  const measured = models.map(({ inference }) => ({ labels: modelLabels(inference), requests: inference.requests() }));
  return [
    {
      name: "headrace_requests",
      type: "counter",
      help: "Requests that have ended, by the code of their error; OK for those that succeeded.",
      samples: measured.flatMap(({ labels, requests }) =>
        Object.entries(requests.outcomes).map(([code, value]) => ({ labels: { ...labels, code }, value })),
      ),
    },
    {
      name: "headrace_request_duration_microseconds",
      type: "histogram",
      unit: "microseconds",
      help: "End-to-end latency of requests that succeeded: from complete inputs to outputs.",
      samples: measured.map(({ labels, requests }) => ({ labels, value: histogramOf(requests.durations) })),
    },
    {
      name: "headrace_inferences",
      type: "counter",
      help: "Rows of requests that succeeded.",
      samples: measured.map(({ labels, requests }) => ({ labels, value: requests.inferences })),
    },
    {
      name: "headrace_ready",
      type: "gauge",
      help: "1 while the model takes requests and gets on with them, else 0.",
      samples: models.map(({ inference, isReady }) => ({ labels: modelLabels(inference), value: isReady ? 1 : 0 })),
    },
  ];
}

function stepFamilies(cells: readonly MeasuredCell[]): MetricFamily[] {
  const outcomes = (stats: NativeStats): Record<string, bigint> => ({
    succeeded: stats.succeeded,
    failed: stats.failed,
    cancelled: stats.cancelled,
    timed_out: stats.timedOut,
    refused: stats.refused,
  });
  return [
    {
      name: "headrace_steps",
      type: "counter",
      help: "Steps of an ONNX cell, which are rows, by what became of them.",
      samples: cells.flatMap(({ labels, stats }) =>
        Object.entries(outcomes(stats)).map(([outcome, value]) => ({ labels: { ...labels, outcome }, value })),
      ),
    },
    {
      name: "headrace_queue_duration_microseconds",
      type: "histogram",
      unit: "microseconds",
      help: "How long steps waited before their batch ran.",
      samples: cells.map(({ labels, stats }) => ({ labels, value: histogramOf(stats.queue) })),
    },
    gauge("headrace_steps_waiting", "Steps that wait for their batch.", cells, ({ waiting }) => waiting),
    gauge(
      "headrace_stalled_seconds",
      "For how long steps have been in the engine while none of its batches ended; 0 where there are none.",
      cells,
      ({ stalledNanos }) => stalledNanos / 1e9,
      "seconds",
    ),
  ];
}

function batchFamilies(cells: readonly MeasuredCell[]): MetricFamily[] {
  const phases = ({ gather, run, scatter }: NativeStats) => ({ input: gather, infer: run, output: scatter });
  const reasons = (stats: NativeStats): Record<string, bigint> => ({
    full: stats.dispatchedFull,
    idle: stats.dispatchedIdle,
    delay: stats.dispatchedDelay,
  });
  return [
    {
      name: "headrace_compute_duration_microseconds",
      type: "histogram",
      unit: "microseconds",
      help: "How long batches took in each phase: input (states and inputs in place), infer (the model), output (states kept).",
      samples: cells.flatMap(({ labels, stats }) =>
        Object.entries(phases(stats)).map(([phase, durations]) => ({
          labels: { ...labels, phase },
          value: histogramOf(durations),
        })),
      ),
    },
    {
      name: "headrace_batch_rows",
      type: "histogram",
      help: "Rows of the batches that ran.",
      samples: cells.map(({ labels, stats }) => ({ labels, value: rowsHistogram(stats.batchSizes) })),
    },
    {
      name: "headrace_batches",
      type: "counter",
      help: "Batches that ran, by why they did not wait longer: full, a lane was idle, or the delay was over.",
      samples: cells.flatMap(({ labels, stats }) =>
        Object.entries(reasons(stats)).map(([reason, value]) => ({ labels: { ...labels, reason }, value })),
      ),
    },
    {
      name: "headrace_batch_splits",
      type: "counter",
      help: "Batches of several rows that the model refused, and whose halves were run again.",
      samples: cells.map(({ labels, stats }) => ({ labels, value: stats.splits })),
    },
    gauge("headrace_batches_running", "Batches that run now.", cells, ({ running }) => running),
  ];
}

/** States of function cells go under an empty `cell`: they are of all function cells together. */
function stateFamilies(models: readonly MeasuredModel[], cells: readonly MeasuredCell[]): MetricFamily[] {
  const functions = models.map(({ inference }) => ({
    labels: { ...modelLabels(inference), cell: "" },
    ...inference.functionStates(),
  }));
  return [
    {
      name: "headrace_states",
      type: "gauge",
      help: "States that are kept now.",
      samples: [
        ...cells.map(({ labels, stats }) => ({ labels, value: stats.liveStates })),
        ...functions.map(({ labels, live }) => ({ labels, value: live })),
      ],
    },
    {
      name: "headrace_states_evicted",
      type: "counter",
      help: "States that were dropped unasked: unused for too long, or to make room.",
      samples: [
        ...cells.map(({ labels, stats }) => ({ labels, value: stats.evictedStates })),
        ...functions.map(({ labels, evicted }) => ({ labels, value: evicted })),
      ],
    },
    gauge("headrace_state_bytes", "Memory for states.", cells, ({ stateBytes }) => stateBytes, "bytes"),
  ];
}

function processFamilies(): MetricFamily[] {
  const { user, system } = process.cpuUsage();
  const single = (
    name: string,
    type: "counter" | "gauge",
    unit: string,
    help: string,
    value: number,
  ): MetricFamily => ({ name, type, unit, help, samples: [{ labels: {}, value }] });
  return [
    single("process_cpu_seconds", "counter", "seconds", "Processor time of the process.", (user + system) / 1e6),
    single("process_resident_memory_bytes", "gauge", "bytes", "Memory of the process.", process.memoryUsage.rss()),
    single(
      "process_start_time_seconds",
      "gauge",
      "seconds",
      "When the process started, in seconds since 1970.",
      Math.round(performance.timeOrigin) / 1000,
    ),
    {
      name: "headrace_build_info",
      type: "gauge",
      help: "Always 1; the labels say what runs.",
      samples: [{ labels: { version: VERSION, node: process.version }, value: 1 }],
    },
  ];
}

function gauge(
  name: string,
  help: string,
  cells: readonly MeasuredCell[],
  value: (stats: NativeStats) => number,
  unit?: string,
): MetricFamily {
  const samples: MetricSample[] = cells.map(({ labels, stats }) => ({ labels, value: value(stats) }));
  return unit === undefined ? { name, type: "gauge", help, samples } : { name, type: "gauge", help, unit, samples };
}

function histogramOf({ counts, nanos }: Durations): HistogramValue {
  return { bounds: DURATION_BOUNDS_MICROS, counts, sum: micros(nanos) };
}

/** Batches by the powers of two that their rows do not pass. */
function rowsHistogram(batchSizes: readonly bigint[]): HistogramValue {
  const largest = batchSizes.length - 1;
  const bounds = Array.from({ length: Math.ceil(Math.log2(Math.max(largest, 1))) + 1 }, (_, power) => 2 ** power);
  const counts = Array.from({ length: bounds.length + 1 }, () => 0n);
  let sum = 0n;
  for (const [rows, count] of batchSizes.entries()) {
    const bucket = bounds.findIndex((bound) => rows <= bound);
    counts[bucket] = (counts[bucket] ?? 0n) + count;
    sum += BigInt(rows) * count;
  }
  return { bounds, counts, sum };
}

/** Nanoseconds as microseconds, every digit of them. */
function micros(nanos: bigint): string {
  return `${nanos / 1000n}.${String(nanos % 1000n).padStart(3, "0")}`;
}
