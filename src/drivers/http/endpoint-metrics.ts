/** The part of an HTTP driver in `GET /metrics`. */
import type { DriverMetric } from "../../runtime/index.js";
import type { ModelEndpoint } from "./model-endpoint.js";

/** Statuses above this are nobody's. */
const MAX_STATUS = 600;

/** Counts answers by their status: an addition each. */
export class StatusCounter {
  private readonly counts = new Float64Array(MAX_STATUS);

  add(status: number): void {
    this.counts[status] = (this.counts[status] ?? 0) + 1;
  }

  /** Those that occurred. */
  *entries(): Generator<readonly [status: number, count: number]> {
    for (const [status, count] of this.counts.entries()) if (count > 0) yield [status, count];
  }
}

export function endpointMetrics({ counters, statuses, underWay, streams, tasks }: ModelEndpoint): DriverMetric[] {
  const { pending, waiting, kept, ...ended } = tasks.stats();
  return [
    counter("http_requests", "HTTP requests for the model that came.", counters.requests),
    ...[...statuses.entries()].map(([status, value]) =>
      counter("http_responses", "Answers to HTTP requests for the model, by status.", value, {
        status: String(status),
      }),
    ),
    gauge("http_requests_in_flight", "HTTP requests for the model that are being answered.", underWay),
    counter("streams_opened", "WebSocket connections that were opened.", counters.streamsOpened),
    counter("streams_refused", "WebSocket connections that were closed for what they did.", counters.streamsRefused),
    gauge("streams", "WebSocket connections that are open, subscriptions among them.", streams.size),
    counter("subscriptions_opened", "Subscriptions to results that were opened.", counters.subscriptionsOpened),
    counter("results_dropped", "Results that subscribers were too slow for.", counters.resultsDropped),
    gauge("tasks_pending", "Tasks under way.", pending),
    gauge("tasks_waiting", "HTTP requests that wait for a task.", waiting),
    gauge("tasks_kept", "Finished tasks whose outcome is kept.", kept),
    ...Object.entries(ended).map(([event, value]) =>
      counter("tasks", "Tasks, by what happened to them: submitted, done, failed, expired and so on.", value, {
        event,
      }),
    ),
  ];
}

function counter(name: string, help: string, value = 0, labels: Record<string, string> = {}): DriverMetric {
  return { name, type: "counter", help, value, labels };
}

function gauge(name: string, help: string, value = 0): DriverMetric {
  return { name, type: "gauge", help, value };
}
