/** A result as `headrace bench` could have written it: made up, the same for the same seed. */
import type { BenchCase, BenchProtocol, BenchResult, LatencySummary, Repetition } from "../../src/bench/result.js";

/** Numbers in [0, 1), the same for the same seed (Lehmer's generator). */
export function numbers(seed: number): () => number {
  let state = (seed % 2147483646) + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return (state - 1) / 2147483646;
  };
}

export interface SampleOptions {
  readonly seed?: number;
  /** Rates are multiplied by it, latencies divided. */
  readonly speed?: number;
  readonly repetitions?: number;
}

const RATES: Readonly<Partial<Record<BenchProtocol, number>>> = {
  engine: 240_000,
  "ws-raw": 170_000,
  "http-binary": 45_000,
  "http-json": 22_000,
};
const CONCURRENCIES = [1, 4, 16, 64, 256];

export function sampleResult({ seed = 1, speed = 1, repetitions = 5 }: SampleOptions = {}): BenchResult {
  const next = numbers(seed);
  const cases = Object.entries(RATES).flatMap(([protocol, rate]) =>
    CONCURRENCIES.map((concurrency) =>
      sampleCase(protocol as BenchProtocol, concurrency, rate * speed, repetitions, next),
    ),
  );
  return {
    schemaVersion: 1,
    tool: { name: "headrace", version: "0.1.0" },
    startedAt: "2026-11-25T22:41:30.272Z",
    machine: {
      cpu: "Example CPU at 3 GHz",
      cores: 2,
      memoryBytes: 8 * 2 ** 30,
      os: "Linux 6.1.0 x64",
      node: "v20.20.2",
      onnxruntime: "1.29.0",
      loadAverage: 0.12,
    },
    target: { kind: "model", name: "bench/models/gru512.onnx", model: "gru512", stateful: true },
    command: ["headrace", "bench", "bench/models/gru512.onnx", "--concurrency", "1,4,16,64,256"],
    method: { repetitions, minSeconds: 2, warmupSeconds: 0.7, seed, arrival: ["closed"], serverCore: 0 },
    cases,
  };
}

function sampleCase(
  protocol: BenchProtocol,
  concurrency: number,
  limit: number,
  count: number,
  next: () => number,
): BenchCase {
  const repetitions = Array.from({ length: count }, () => sampleRepetition(concurrency, limit, next));
  const of = (pick: (one: Repetition) => number): number => {
    const sorted = repetitions.map(pick).sort((a, b) => a - b);
    return ((sorted[Math.floor((count - 1) / 2)] ?? 0) + (sorted[Math.ceil((count - 1) / 2)] ?? 0)) / 2;
  };
  const rates = repetitions.map(({ ratePerSecond }) => ratePerSecond);
  return {
    name: `${protocol} closed ${concurrency}`,
    protocol,
    mode: "closed",
    load: { concurrency },
    repetitions,
    summary: {
      ratePerSecond: {
        median: of(({ ratePerSecond }) => ratePerSecond),
        min: Math.min(...rates),
        max: Math.max(...rates),
      },
      latencyMicros: {
        p50: of(({ latency }) => latency.p50),
        p90: of(({ latency }) => latency.p90),
        p99: of(({ latency }) => latency.p99),
        p999: of(({ latency }) => latency.p999),
        max: of(({ latency }) => latency.max),
      },
      errors: 0,
      unfinished: 0,
      stable: repetitions.every(({ stable }) => stable),
      saturated: false,
    },
  };
}

function sampleRepetition(concurrency: number, limit: number, next: () => number): Repetition {
  // A server of one core: at first each caller waits only for itself, later all wait for the core.
  const alone = limit / 12;
  const rate = (1 / (1 / (alone * concurrency) + 1 / limit)) * (1 + (next() - 0.5) * 0.04);
  const middle = (concurrency / rate) * 1e6;
  const rows = Math.max(1, Math.round(Math.min(64, concurrency / 2)));
  return {
    seconds: 2,
    requests: Math.round(rate * 2),
    errors: 0,
    unfinished: 0,
    ratePerSecond: rate,
    stable: true,
    windows: [0, 1, 2].map(() => ({ ratePerSecond: rate * (1 + (next() - 0.5) * 0.02), p99Micros: middle * 2.2 })),
    generator: { busyFraction: Math.min(0.95, rate / 250_000), saturated: false },
    server: { cpuFraction: Math.min(1, rate / limit + 0.05) },
    latency: sampleLatency(middle, rate * 2, next),
    service: sampleLatency(middle * 0.94, rate * 2, next),
    phases: { queue: middle * 0.4, gather: 0.4, run: 12 + rows * 3.2, scatter: 0.3 },
    batchSizes: Array.from({ length: rows }, (_, i) => [
      i + 1,
      Math.round(20 + 2000 * Math.exp(-(((i - rows * 0.7) / 6) ** 2))),
    ]),
  };
}

/** Log-normal in shape, in buckets an eighth of an octave wide. */
function sampleLatency(middle: number, total: number, next: () => number): LatencySummary {
  const sigma = 0.32 + next() * 0.03;
  const histogram: [number, number][] = [];
  let count = 0;
  for (let step = -24; step <= 40; step += 1) {
    const upper = middle * 2 ** (step / 8);
    const z = Math.log(upper / middle) / sigma;
    const here = Math.round((total * 0.0866 * Math.exp((-z * z) / 2)) / (sigma * 2.5066)) + (step === 36 ? 3 : 0);
    if (here === 0) continue;
    histogram.push([upper, here]);
    count += here;
  }
  const at = (share: number): number => {
    let seen = 0;
    for (const [upper, here] of histogram) {
      seen += here;
      if (seen >= share * count) return upper;
    }
    return 0;
  };
  return {
    count,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    p999: at(0.999),
    max: at(1),
    mean: middle * 1.06,
    histogram,
  };
}
