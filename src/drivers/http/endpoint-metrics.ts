/** The part of an HTTP driver in `GET /metrics`. */
import { NATIVE_CODES } from "../../engine/surface.js";
import { ERROR_CODES, isErrorCode } from "../../errors.js";
import type { DriverMetric } from "../../runtime/index.js";
import type { InferCounts } from "../../transport/index.js";
import type { ModelEndpoint } from "./model-endpoint.js";

/** Statuses above this are nobody's. */
const MAX_STATUS = 600;

/** Counts answers by their status: an addition each. */
export class StatusCounter {
  private readonly counts = new Float64Array(MAX_STATUS);

  add(status: number): void {
    this.counts[status] = (this.counts[status] ?? 0) + 1;
  }

  /** Those that occurred, by status, with what threads answered by themselves. */
  with(byCode: readonly number[]): Map<number, number> {
    const sums = new Map<number, number>();
    const add = (status: number, count: number) =>
      count > 0 ? sums.set(status, (sums.get(status) ?? 0) + count) : sums;
    for (const [status, count] of this.counts.entries()) add(status, count);
    for (const [index, count] of byCode.entries()) add(statusOf(NATIVE_CODES[index]), count);
    return new Map([...sums].sort(([a], [b]) => a - b));
  }
}

function statusOf(code = "INTERNAL"): number {
  return isErrorCode(code) ? ERROR_CODES[code].http : 200;
}

const NONE: InferCounts = { requests: 0, underWay: 0, byCode: [] };

export function endpointMetrics(endpoint: ModelEndpoint): DriverMetric[] {
  const { counters, statuses, underWay, streams, tasks, native } = endpoint;
  const { pending, waiting, kept, ...ended } = tasks.stats();
  const infer = native?.model.inferCounts ?? NONE;
  return [
    counter("http_requests", "HTTP requests for the model that came.", counters.requests + infer.requests),
    ...[...statuses.with(infer.byCode)].map(([status, value]) =>
      counter("http_responses", "Answers to HTTP requests for the model, by status.", value, {
        status: String(status),
      }),
    ),
    gauge("http_requests_in_flight", "HTTP requests for the model that are being answered.", underWay + infer.underWay),
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
