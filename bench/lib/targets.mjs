// What the project promises, and whether this run kept it. Ratios are of medians.

import { percent } from "./statistics.mjs";

/**
 * @typedef {object} Judged
 * @property {string} id
 * @property {string} title
 * @property {string} goal
 * @property {string} [value]  missing when a figure that it needs was not measured or failed
 * @property {number} [number]
 * @property {boolean} [met]
 */

const times = (value) => `${value.toFixed(1)}x`;
const micros = (value) => `${value.toFixed(1)} us`;

const ratioOf = (of, to) => ({
  needs: [of, to],
  compute: (figures) => figures[of].value.median / figures[to].value.median,
});

const TARGETS = [
  {
    id: "ws-gru-of-bare",
    title: "raw WebSocket GRU, share of the bare loop at batch 64",
    ...ratioOf("headrace-ws-gru", "bare-gru-b64"),
    atLeast: 0.75,
    format: percent,
  },
  {
    id: "ws-gru-over-fastify",
    title: "raw WebSocket GRU over Fastify JSON",
    ...ratioOf("headrace-ws-gru", "fastify-gru"),
    atLeast: 55,
    format: times,
  },
  {
    id: "ws-silero-of-bare",
    title: "raw WebSocket Silero VAD, share of the bare loop at batch 64",
    ...ratioOf("headrace-ws-silero", "bare-silero-b64"),
    atLeast: 0.95,
    format: percent,
  },
  {
    // No promise for a batch of 64 where there are only 16 streams to put into it.
    id: "ws-gru-16-of-bare",
    title: "the same GRU with 16 streams, share of the bare loop at batch 16",
    ...ratioOf("headrace-ws-gru-16", "bare-gru-b16"),
    format: percent,
  },
  {
    id: "ws-silero-16-of-bare",
    title: "the same Silero VAD with 16 streams, share of the bare loop at batch 16",
    ...ratioOf("headrace-ws-silero-16", "bare-silero-b16"),
    format: percent,
  },
  {
    id: "http-gru-over-fastify",
    title: "HTTP binary GRU over Fastify JSON",
    ...ratioOf("headrace-http-gru", "fastify-gru"),
    atLeast: 14,
    format: times,
  },
  {
    id: "grpc-gru-over-grpc-js",
    title: "gRPC GRU over grpc-js",
    ...ratioOf("headrace-grpc-gru", "grpc-js-gru"),
    atLeast: 3,
    format: times,
  },
  {
    id: "http-json-over-fastify",
    title: "HTTP JSON GRU over Fastify JSON",
    ...ratioOf("headrace-http-json", "fastify-gru"),
    atLeast: 7,
    format: times,
  },
  {
    id: "predict-of-echo",
    title: "POST /predict of a function cell, share of a bare JSON echo",
    ...ratioOf("headrace-predict", "echo-json"),
    atLeast: 0.5,
    format: percent,
  },
  {
    id: "latency-added",
    title: "p50 of one step, beyond the echo and the model alone",
    needs: ["latency-headrace", "latency-echo", "bare-gru-b1"],
    compute: (figures) =>
      figures["latency-headrace"].value.median -
      figures["latency-echo"].value.median -
      figures["bare-gru-b1"].latencyP50Us.median,
    atMost: 60,
    format: micros,
  },
  {
    // No promise, and so with the next one: what a transport that visits JavaScript leaves, for reading the targets above.
    id: "ws-gru-attainable",
    title: "uWebSockets.js and the model at batch 64 and nothing else, share of the bare loop",
    needs: ["floor-ws", "bare-gru-b64"],
    compute: (figures) => {
      const floor = figures["floor-ws"].value.median;
      return floor / (floor + figures["bare-gru-b64"].value.median);
    },
    format: percent,
  },
  {
    id: "http-gru-attainable",
    title: "HTTP of uWebSockets.js without any model over Fastify JSON",
    ...ratioOf("floor-http", "fastify-gru"),
    format: times,
  },
];

/**
 * @param {import("./measure.mjs").Figure[]} figures
 * @returns {Judged[]}
 */
export function judgeTargets(figures) {
  const byId = Object.fromEntries(figures.map((figure) => [figure.id, figure]));
  return TARGETS.map((target) => judge(target, byId));
}

function judge({ id, title, needs, compute, atLeast, atMost, format }, figures) {
  const goal = atLeast !== undefined ? `>= ${format(atLeast)}` : atMost !== undefined ? `<= ${format(atMost)}` : "";
  if (needs.some((name) => figures[name]?.value === undefined)) return { id, title, goal };
  const number = compute(figures);
  const judged = { id, title, goal, value: format(number), number };
  if (goal === "") return judged;
  return { ...judged, met: atLeast !== undefined ? number >= atLeast : number <= atMost };
}
