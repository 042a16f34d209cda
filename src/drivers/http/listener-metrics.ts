/** The part of a port in `GET /metrics`: its connections, and what it did not let in. */
import type { RefusedClients } from "../../serving/client-gate.js";
import type { MetricFamily } from "../../serving/metric-text.js";

/** What a listener counts, of all its models together. */
export interface ListenerCounters {
  /** Open now. */
  readonly connections: number;
  /** Bytes of requests and messages that are not done with; small ones do not count. */
  readonly incomingBytes: number;
  /** Bytes of answers that clients do not read; small ones do not count. */
  readonly unreadBytes: number;
  /** Requests, connections and frames that were refused, and connections that were given up, by why. */
  readonly refused: RefusedClients & {
    readonly too_many_connections: number;
    readonly too_many_bytes: number;
    readonly too_many_unread: number;
  };
  /** Clients whose rate is remembered now. */
  readonly rateLimitedClients: number;
}

export function listenerFamilies(counters: ListenerCounters): MetricFamily[] {
  const { connections, incomingBytes, unreadBytes, refused, rateLimitedClients } = counters;
  return [
    {
      name: "headrace_listener_connections",
      type: "gauge",
      help: "Connections that are open, WebSockets included.",
      samples: [{ labels: {}, value: connections }],
    },
    {
      name: "headrace_listener_incoming_bytes",
      type: "gauge",
      unit: "bytes",
      help: "Bytes of requests and messages above 64 KiB that are not done with.",
      samples: [{ labels: {}, value: incomingBytes }],
    },
    {
      name: "headrace_listener_unread_bytes",
      type: "gauge",
      unit: "bytes",
      help: "Bytes of answers that clients do not read, where more than 64 KiB wait for one.",
      samples: [{ labels: {}, value: unreadBytes }],
    },
    {
      name: "headrace_listener_refused",
      type: "counter",
      help: "Requests, frames and connections that were not let in, and connections that were given up, by why.",
      samples: Object.entries(refused).map(([reason, value]) => ({ labels: { reason }, value })),
    },
    {
      name: "headrace_listener_limited_clients",
      type: "gauge",
      help: "Clients whose rate is watched now.",
      samples: [{ labels: {}, value: rateLimitedClients }],
    },
  ];
}
