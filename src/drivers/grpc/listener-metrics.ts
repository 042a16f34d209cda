/** A port in the metrics of its drivers: what waits there, and what it did not let in. */
import type { DriverMetric } from "../../runtime/index.js";
import type { RefusedClients } from "../../serving/client-gate.js";

/** What a listener counts, of all its models together. */
export interface ListenerCounters {
  /** Open now. */
  readonly connections: number;
  /** Bytes of requests that nobody could take yet; connections with few do not count. */
  readonly incomingBytes: number;
  /** Bytes of answers that their clients have not read; connections with few do not count. */
  readonly unreadBytes: number;
  /** Calls and connections that were refused or given up, by why. */
  readonly refused: RefusedClients & {
    readonly too_many_connections: number;
    readonly too_many_bytes: number;
    readonly too_many_unread: number;
    readonly too_slow: number;
  };
}

export function listenerMetrics({
  connections,
  incomingBytes,
  unreadBytes,
  refused,
}: ListenerCounters): DriverMetric[] {
  const gauge = (name: string, help: string, value: number): DriverMetric => ({ name, type: "gauge", help, value });
  return [
    gauge("grpc_connections", "Connections that are open.", connections),
    gauge("grpc_incoming_bytes", "Bytes of requests that nobody could take yet.", incomingBytes),
    gauge("grpc_unread_bytes", "Bytes of answers that their clients have not read.", unreadBytes),
    ...Object.entries(refused).map(
      ([reason, value]): DriverMetric => ({
        name: "grpc_refused",
        type: "counter",
        help: "Calls and connections that were not let in or were given up, by why.",
        value,
        labels: { reason },
      }),
    ),
  ];
}
