/** What latency is wanted, as people write it: `p99 < 20 ms`. */
import { InvalidArgumentError } from "../../errors.js";
import type { LatencyMedians } from "../result.js";

export interface Objective {
  readonly percentile: keyof LatencyMedians;
  readonly limitMicros: number;
  /** As it was written. */
  readonly text: string;
}

const PERCENTILES: Readonly<Record<string, keyof LatencyMedians>> = {
  p50: "p50",
  p90: "p90",
  p99: "p99",
  p999: "p999",
  "p99.9": "p999",
  max: "max",
};

const MICROS: Readonly<Record<string, number>> = { us: 1, µs: 1, μs: 1, ms: 1e3, s: 1e6 };

const FORM = /^(\S+?)\s*<=?\s*(\d+(?:\.\d+)?)\s*(\S+)$/;

/** Throws INVALID_ARGUMENT with what is expected. */
export function parseObjective(text: string): Objective {
  const [, name = "", amount = "", unit = ""] = FORM.exec(text.trim()) ?? [];
  const percentile = Object.hasOwn(PERCENTILES, name) ? PERCENTILES[name] : undefined;
  const micros = Object.hasOwn(MICROS, unit) ? MICROS[unit] : undefined;
  const limitMicros = Number(amount) * (micros ?? 0);
  if (percentile !== undefined && limitMicros > 0) return { percentile, limitMicros, text: text.trim() };
  const names = Object.keys(PERCENTILES).join(", ");
  throw new InvalidArgumentError(`expected e.g. "p99 < 20 ms" (${names}; us, ms, s), got '${text}'`, {
    path: "--objective",
  });
}
