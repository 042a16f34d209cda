/** The part of an HTTP driver in `GET /metrics`. */
import { ERROR_CODES } from "../../errors.js";
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

/** Answers by status: those given here, and those of the listener's threads. */
function answersOf({ statuses, native }: ModelEndpoint): Map<number, number> {
  const answers = new Map(statuses.entries());
  for (const [code, count] of native?.inferCounts.answers ?? []) {
    const status = code === "OK" ? 200 : ERROR_CODES[code].http;
    answers.set(status, (answers.get(status) ?? 0) + count);
  }
  return answers;
}

export function endpointMetrics(endpoint: ModelEndpoint): DriverMetric[] {
  const { counters, streams, tasks } = endpoint;
  const { pending, waiting, kept, ...ended } = tasks.stats();
  const { requests, underWay } = endpoint.native?.inferCounts ?? { requests: 0, underWay: 0 };
  return [
    counter("http_requests", "HTTP requests for the model that came.", counters.requests + requests),
    ...[...answersOf(endpoint)].map(([status, value]) =>
      counter("http_responses", "Answers to HTTP requests for the model, by status.", value, {
        status: String(status),
      }),
    ),
    gauge(
      "http_requests_in_flight",
      "HTTP requests for the model that are being answered.",
      endpoint.underWay + underWay,
    ),
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
