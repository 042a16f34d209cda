/** Numbers as people read them. */
import type { BenchCase, BenchLoad } from "../result.js";

/** Three digits that matter, thousands apart: 0.123, 12.3, 1,230; 8.10 too when `zeros` are kept. */
export function digits(value: number, zeros = false): string {
  if (value === 0) return "0";
  const decimals = Math.min(3, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))));
  return value.toLocaleString("en-GB", {
    maximumFractionDigits: decimals,
    ...(zeros ? { minimumFractionDigits: decimals } : {}),
  });
}

/** Whole, thousands apart. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString("en-GB");
}

/** Microseconds in the unit that suits them: `12.3 us`, `4.50 ms`, `1.20 s`. */
export function duration(micros: number, micro = "us"): string {
  return inUnit(micros, micro, true);
}

/** The same for axes, whose values are round: `5 ms`. */
export function roundDuration(micros: number): string {
  return inUnit(micros, "µs", false);
}

function inUnit(micros: number, micro: string, zeros: boolean): string {
  if (micros < 1000) return `${digits(micros, zeros)} ${micro}`;
  return micros < 1e6 ? `${digits(micros / 1000, zeros)} ms` : `${digits(micros / 1e6, zeros)} s`;
}

/** For axes: `152k`, `1.5M`. */
export function short(value: number): string {
  if (value >= 1e6) return `${digits(value / 1e6)}M`;
  return value >= 1000 ? `${digits(value / 1000)}k` : digits(value);
}

export function percent(fraction: number, decimals = 0): string {
  return `${(fraction * 100).toFixed(decimals)} %`;
}

/** With its sign, for differences: `+1.2 %`. */
export function change(fraction: number): string {
  const text = (fraction * 100).toFixed(1);
  // -0.04 must not become -0.0.
  return Number(text) === 0 ? "0.0 %" : `${fraction > 0 ? "+" : ""}${text} %`;
}

export function bytes(count: number): string {
  return count < 2 ** 30 ? `${digits(count / 2 ** 20)} MiB` : `${digits(count / 2 ** 30)} GiB`;
}

/** The load of a case in a few words: `64 in flight`, `5,000/s poisson`, `200 streams x 31.25/s`. */
export function loadText({ mode, load }: Pick<BenchCase, "mode" | "load">): string {
  if (mode === "closed") return `${load.concurrency ?? "?"} in flight`;
  if (mode === "streams") return `${load.streams ?? "?"} streams x ${digits(load.framesPerSecond ?? 0)}/s`;
  return `${whole(load.ratePerSecond ?? 0)}/s ${load.arrival ?? ""}`.trim();
}

/** The number that a sweep varies. */
export function loadSize({ concurrency, streams, ratePerSecond }: BenchLoad): number {
  return concurrency ?? streams ?? ratePerSecond ?? 0;
}
