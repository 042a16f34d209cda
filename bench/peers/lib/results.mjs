// From attempts to figures: medians, and ratios to Headrace.

import { median, summarise } from "../../lib/statistics.mjs";

/**
 * @typedef {object} Figure
 * @property {string} peer    its id
 * @property {string} title
 * @property {"headrace" | "node" | "python"} runtime
 * @property {string} form
 * @property {"json" | "http-binary" | "websocket" | "grpc"} kind
 * @property {string} [error]  it could not be measured; then nothing below is there
 * @property {import("../../lib/statistics.mjs").Summary} [rate]  steps per second
 * @property {number} [p50Micros]
 * @property {number} [p99Micros]
 * @property {number} [serverCpuFraction]  of all the server's processes; 1 is one core
 * @property {boolean} [saturated]  the generator was the limit at least once
 * @property {number} [ofSameKind]  how many times Headrace's figure of this kind is as high
 * @property {number} [ofBest]      how many times Headrace's highest figure is as high
 * @property {object[]} runs
 */

/**
 * @param {import("./measure.mjs").Attempt[]} attempts
 * @returns {Figure[]}
 */
export function figuresOf(attempts) {
  const figures = attempts.map(figureOf);
  const ours = figures.filter(({ runtime, rate }) => runtime === "headrace" && rate !== undefined);
  const best = Math.max(...ours.map(({ rate }) => rate.median));
  return figures.map((figure) => {
    if (figure.rate === undefined || ours.length === 0) return figure;
    const same = ours.find(({ kind }) => kind === figure.kind);
    return {
      ...figure,
      ...(same === undefined ? {} : { ofSameKind: same.rate.median / figure.rate.median }),
      ofBest: best / figure.rate.median,
    };
  });
}

/** Each server's highest figure, the highest first. */
export function bestOf(figures) {
  const byPeer = new Map();
  for (const figure of figures) {
    if (figure.rate === undefined) continue;
    const known = byPeer.get(figure.peer);
    if (known === undefined || known.rate.median < figure.rate.median) byPeer.set(figure.peer, figure);
  }
  return [...byPeer.values()].sort((a, b) => b.rate.median - a.rate.median);
}

/** @returns {Figure} */
function figureOf({ peer: { id, title, runtime }, form: { name, kind }, runs, error }) {
  const figure = { peer: id, title, runtime, form: name, kind, runs };
  if (error !== undefined) return { ...figure, error };
  return {
    ...figure,
    rate: summarise(runs.map(({ rate }) => rate)),
    p50Micros: median(runs.map(({ latency_us: { p50 } }) => p50)),
    p99Micros: median(runs.map(({ latency_us: { p99 } }) => p99)),
    serverCpuFraction: median(runs.map(({ server_cpu_fraction: fraction }) => fraction)),
    saturated: runs.some(({ saturated }) => saturated),
  };
}
