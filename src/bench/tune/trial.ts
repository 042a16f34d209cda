/** One measurement of one configuration, and how two of them compare. */
import type { BenchCase, CaseSummary } from "../result.js";
import type { TuneConfiguration } from "./configuration.js";
import type { Objective } from "./objective.js";

/** A load as a case of a result has it. */
export type TuneLoad = Pick<BenchCase, "mode" | "load">;

/** What the search wants to know of a measurement. */
export interface Measured extends Pick<CaseSummary, "latencyMicros" | "errors" | "unfinished" | "saturated"> {
  readonly ratePerSecond: number;
  /** What the schedule asked for; missing in a closed loop. */
  readonly offeredPerSecond?: number;
  /** Of one core. */
  readonly cpuFraction?: number;
  /** Steps in a run of the model. */
  readonly meanBatch?: number;
  readonly firstError?: string;
}

export interface Trial {
  readonly configuration: TuneConfiguration;
  readonly load: TuneLoad;
  readonly measured: Measured;
  /** Why the objective is not met; missing when it is. */
  readonly failure?: string;
}

/** Below this share of the schedule a server has not kept up: its latency only grows. */
const KEPT = 0.98;

/** Smaller differences are noise: the simpler configuration, which was tried first, keeps its place. */
export const NOISE = 0.03;

/** Why a measurement does not meet the objective; undefined when it does. */
export function failureOf(measured: Measured, { percentile, limitMicros }: Objective): string | undefined {
  const { errors, firstError, ratePerSecond, offeredPerSecond, latencyMicros } = measured;
  if (errors > 0) return `${errors} errors${firstError === undefined ? "" : `, the first: ${firstError}`}`;
  if (ratePerSecond === 0) return "nothing was answered";
  if (offeredPerSecond !== undefined && ratePerSecond < offeredPerSecond * KEPT) {
    return `did not keep up: ${Math.round(ratePerSecond)}/s of ${Math.round(offeredPerSecond)}/s`;
  }
  const value = latencyMicros[percentile];
  return value < limitMicros ? undefined : `${percentile} is ${(value / limitMicros).toFixed(2)} times the limit`;
}

/** Of all trials of one configuration the one that speaks for it. */
export function bestOf(trials: readonly Trial[], objective: Objective): Trial | undefined {
  return trials.reduce<Trial | undefined>(
    (best, one) => (best === undefined || isBetter(one, best, objective, 0) ? one : best),
    undefined,
  );
}

/**
 * Whether a trial is better by more than `noise`. Meeting the objective comes first. Then, in a closed loop, the higher
 * rate; at a given load, where every rate is the same, the lower use of the processor, and where that is alike the lower
 * latency. Of two that do not meet it, the one that is closer.
 */
export function isBetter(a: Trial, b: Trial, { percentile }: Objective, noise = NOISE): boolean {
  const meets = [a.failure === undefined, b.failure === undefined];
  if (meets[0] !== meets[1]) return meets[0] === true;
  const latency = a.measured.latencyMicros[percentile] < b.measured.latencyMicros[percentile] * (1 - noise);
  if (!meets[0]) return closer(a, b, latency);
  if (a.load.mode === "closed") return a.measured.ratePerSecond > b.measured.ratePerSecond * (1 + noise);
  const [used, other] = [a.measured.cpuFraction, b.measured.cpuFraction];
  if (used === undefined || other === undefined) return latency;
  if (used < other * (1 - noise)) return true;
  return used <= other * (1 + noise) && latency;
}

/** What answers more of what it is asked is closer; where both answer alike, what is quicker. */
function closer(a: Trial, b: Trial, latency: boolean): boolean {
  const kept = ({ measured }: Trial): number =>
    measured.errors > 0
      ? 0
      : Math.min(1, measured.ratePerSecond / (measured.offeredPerSecond ?? measured.ratePerSecond));
  const [one, other] = [kept(a) || 0, kept(b) || 0];
  if (Math.abs(one - other) > NOISE) return one > other;
  return latency;
}
