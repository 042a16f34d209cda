/** The cases of a sweep: each protocol under each load. */
import type { LoadPlan } from "./options.js";
import type { BenchLoad, BenchProtocol } from "./result.js";

export interface CasePlan {
  readonly name: string;
  readonly protocol: BenchProtocol;
  readonly plan: LoadPlan;
}

/** The engine has no clients that come by a schedule: only closed loops are measured of it. */
export function planCases(protocols: readonly BenchProtocol[], loads: readonly LoadPlan[]): CasePlan[] {
  return protocols.flatMap((protocol) =>
    loads
      .filter(({ mode }) => protocol !== "engine" || mode === "closed")
      .map((plan) => ({ name: `${protocol} ${nameOf(plan)}`, protocol, plan })),
  );
}

function nameOf(plan: LoadPlan): string {
  if (plan.mode === "closed") return `closed ${plan.concurrency}`;
  if (plan.mode === "open") return `open ${plan.ratePerSecond}/s ${plan.arrival}`;
  return `streams ${plan.streams} at ${plan.framesPerSecond}/s`;
}

export function loadOf(plan: LoadPlan): BenchLoad {
  const { mode: _, ...load } = plan;
  return load;
}

/** Places for requests in flight. */
export function slotsOf(plan: LoadPlan, maxInFlight: number): number {
  if (plan.mode === "closed") return plan.concurrency;
  return plan.mode === "streams" ? plan.streams : maxInFlight;
}

/** Connections that share so many places. Over HTTP/1.1 each request in flight needs one of its own. */
export function connectionsOf(protocol: BenchProtocol, slots: number, asked: number | undefined): number {
  if (protocol === "http-binary" || protocol === "http-json") return slots;
  return Math.min(slots, asked ?? DEFAULT_CONNECTIONS);
}

const DEFAULT_CONNECTIONS = 16;
