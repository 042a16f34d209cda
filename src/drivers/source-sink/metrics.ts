/** The part of a SourceSinkDriver in `GET /metrics`: its statistics, by source and sink. */
import type { DriverMetric } from "../../runtime/index.js";
import type { SinkStatistics } from "./sink-runner.js";
import type { SourceStatistics } from "./source-runner.js";

interface Ends {
  readonly sources: Readonly<Record<string, SourceStatistics>>;
  readonly sinks: Readonly<Record<string, SinkStatistics>>;
}

export function sourceSinkMetrics({ sources, sinks }: Ends): DriverMetric[] {
  return [
    ...Object.entries(sources).flatMap(([source, statistics]) => sourceMetrics({ source }, statistics)),
    ...Object.entries(sinks).flatMap(([sink, statistics]) => sinkMetrics({ sink }, statistics)),
  ];
}

type Labels = Readonly<Record<string, string>>;

function sourceMetrics(labels: Labels, statistics: SourceStatistics): DriverMetric[] {
  const { status, in: entered, out, failed, dropped, queued, inFlight, restarts, lagMillis } = statistics;
  const counter = metricsOf("counter", labels);
  const gauge = metricsOf("gauge", labels);
  return [
    gauge("source_running", "1 while the source is read, else 0.", status === "running" ? 1 : 0),
    counter("source_items", "Items that the source gave.", entered),
    counter("source_results", "Results of its items that went to the sinks.", out),
    counter("source_failures", "Predictions of its items that failed.", failed),
    counter("source_dropped", "Its items that were dropped.", dropped),
    counter("source_restarts", "How often it was made anew.", restarts),
    gauge("source_queued", "Its items that wait for their prediction.", queued),
    gauge("source_in_flight", "Its items that are being predicted, or wait for room at a sink.", inFlight),
    gauge("source_lag_seconds", "From the capture of its last item to the prediction.", lagMillis / 1000),
  ];
}

function sinkMetrics(labels: Labels, { status, in: entered, written, retried, dropped, queued }: SinkStatistics) {
  const counter = metricsOf("counter", labels);
  const gauge = metricsOf("gauge", labels);
  return [
    gauge("sink_running", "1 while the sink is written to, else 0.", status === "running" ? 1 : 0),
    counter("sink_items", "Results that the sink was given.", entered),
    counter("sink_written", "Results that it has written.", written),
    counter("sink_retries", "Further attempts to write.", retried),
    counter("sink_dropped", "Results that were dropped.", dropped),
    gauge("sink_queued", "Results that wait, or are being written.", queued),
  ];
}

function metricsOf(type: DriverMetric["type"], labels: Labels) {
  return (name: string, help: string, value: number): DriverMetric => ({ name, type, help, value, labels });
}
