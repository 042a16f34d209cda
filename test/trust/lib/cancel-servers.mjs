// Servers in which a step stays at a stage for as long as a test wants, so that it can be cancelled there and nowhere else.

import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { HttpDriver } from "../../../dist/drivers/http/index.js";
import { defineCell, Inference, Integer, init, onnxCell, PipelineFactory, Tensor } from "../../../dist/index.js";
import { GRU, gruInference, OUTPUTS } from "./gru.mjs";

const PLODDER = fileURLToPath(new URL("../models/plodder.onnx", import.meta.url));
/** Longer than the check takes: a batch that is not full waits. */
const NEVER_MICROS = 600e6;
/** Of steps that are cancelled by time: long enough to reach a stage, and short enough to pass in it. */
const TIMEOUT_MS = 3;
/** Of those that run for tens of milliseconds, and of those that stay where they are for as long as it takes. */
const LONG_TIMEOUT_MS = 10;
const GATE_TIMEOUT_MS = 30;
/** An answer that is not read stays until its client goes: the server is not to close the connection before. */
const UNREAD_BYTES = 64 << 20;
const LIMIT_MILLIS = 10_000;

/**
 * Resolves as soon as it is so; rejects where it is not within seconds. The event loop turns meanwhile, as the engine and the
 * I/O threads tell nobody what stage a step is at.
 * @param {() => boolean} isSo @param {string} what
 */
export async function until(isSo, what) {
  const limit = performance.now() + LIMIT_MILLIS;
  while (!isSo()) {
    if (performance.now() > limit) throw new Error(`waited ${LIMIT_MILLIS / 1000} s for ${what}`);
    await turn();
  }
}

/** The same while this thread does nothing else, so that it hears of nothing. */
export function spinUntil(isSo, what) {
  const limit = performance.now() + LIMIT_MILLIS;
  while (!isSo()) if (performance.now() > limit) throw new Error(`spun ${LIMIT_MILLIS / 1000} s for ${what}`);
}

/** @param {Inference} inference @param {Partial<Record<string, unknown>>} [more] */
async function serve(inference, more = {}) {
  const runtime = await init("local");
  const proc = await runtime.startInference(inference);
  const http = await proc.addDriver("http", HttpDriver, { port: 0, maxBackpressureBytes: UNREAD_BYTES });
  return {
    proc,
    model: proc.name,
    port: http.getService("http").taggedAddresses.lan.port,
    others: 0n,
    timeoutMs: TIMEOUT_MS,
    stats: () => Object.values(proc.stats())[0],
    close: () => runtime.stop({ timeoutMs: 1 }),
    ...more,
  };
}

const lane = { execution: "lanes", lanes: 1, stateTtlSeconds: 3600 };

/** Steps wait: a batch of two is never full by itself. */
export const waitingServer = () =>
  serve(gruInference({ ...lane, batching: { maxSize: 2, maxDelayMicros: NEVER_MICROS } }));

/** Steps wait until there are two, which then run for long. `others`: requests that run with the one that is cancelled. */
export function longServer() {
  const factory = new PipelineFactory({ name: "plodder" });
  const batching = { maxSize: 2, maxDelayMicros: NEVER_MICROS };
  const handle = factory.addCell("plodder", onnxCell({ name: "plodder", model: PLODDER, ...lane, batching }));
  factory.declareInput("input", handle.input("input")).declareOutput("output", handle.output("output"));
  return serve(new Inference({ pipeline: factory.build() }), { others: 1n, timeoutMs: LONG_TIMEOUT_MS });
}

/** Steps run one by one, on a thread of the engine or on the one that submits them. */
export const plainServer = (execution) =>
  serve(gruInference({ ...lane, lanes: execution === "lanes" ? 1 : undefined, execution, batching: { maxSize: 1 } }));

/** Lets the steps of a function cell go on one by one. */
class Gate {
  #waiting = [];
  isOpen = false;
  /** Steps that have come to it so far. */
  arrivals = 0;
  /** Elements of the cell's second output, for an answer that takes long to write. */
  size = 1;

  /** Lets the step that came first go on. */
  release() {
    this.#waiting.shift()?.();
  }

  /** Resolves at `release`; also where the step is given up, and so leaves the queue. @param {AbortSignal} signal */
  async pass(signal) {
    if (this.isOpen) return;
    this.arrivals += 1;
    await new Promise((resolve) => {
      this.#waiting.push(resolve);
      signal.addEventListener("abort", () => {
        this.#waiting = this.#waiting.filter((other) => other !== resolve);
        resolve();
      });
    });
  }
}

/** Two cells with a state each, of which the second one waits for the gate: both states change, or none does. */
export async function gatedServer() {
  const gate = new Gate();
  const Wait = defineCell({
    name: "wait",
    inputs: { row: Tensor("FP32", [-1, OUTPUTS]) },
    outputs: { output: Tensor("FP32", [-1, OUTPUTS]), more: Tensor("FP32", [-1, 1]) },
    state: { steps: Integer({ default: 0 }) },
    async call({ inputs, state, signal }) {
      state.steps += 1;
      await gate.pass(signal);
      return { output: inputs.row, more: new Float32Array(gate.size) };
    },
  });
  const factory = new PipelineFactory({ name: "gated" });
  const gru = factory.addCell("gru", onnxCell({ name: "gru", model: GRU, ...lane, batching: { maxSize: 1 } }));
  const wait = factory.addCell("wait", Wait);
  factory.connect(gru.output("output"), wait.inputs.row);
  factory
    .declareInput("input", gru.input("input"))
    .declareOutput("output", wait.outputs.output)
    .declareOutput("more", wait.outputs.more);
  return serve(new Inference({ pipeline: factory.build(), stateTtlSeconds: 3600 }), {
    gate,
    timeoutMs: GATE_TIMEOUT_MS,
  });
}
