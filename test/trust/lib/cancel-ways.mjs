// The ways to cancel a step, each with what is said of the state afterwards: by the answer, or where the client is gone and
// nobody was answered, by the counters of the server.

import { once } from "node:events";
import { bytesOf } from "./burst.mjs";
import { until } from "./cancel-servers.mjs";
import { errorSays, saidOf } from "./cancel-stream.mjs";
import { HttpWire, openSocket, post, postBinary } from "./http-wire.mjs";
import { frame, OPCODE, openUpgraded } from "./ws-wire.mjs";

/**
 * Steps a stream, calls `arrive` when the step is on its way, and cancels it when that resolves.
 * @typedef {(server: object, stream: import("./cancel-stream.mjs").Stream, arrive: () => Promise<void> | void)
 *   => Promise<import("./cancel-stream.mjs").Verdict>} CancelWay
 */

/** @type {CancelWay} */
async function abortSignal(_server, stream, arrive) {
  const control = new AbortController();
  const said = saidOf(stream.step({ signal: control.signal }), stream);
  await arrive();
  control.abort();
  return said;
}

/** @type {CancelWay} */
async function timeout({ timeoutMs }, stream, arrive) {
  const said = saidOf(stream.step({ timeoutMs }), stream);
  await arrive();
  return said;
}

function inferRequest({ model }, { stateId, row }, timeoutMicros) {
  const parameters = { sequence_id: stateId, ...(timeoutMicros === undefined ? {} : { timeout: timeoutMicros }) };
  return postBinary({ path: `/v2/models/${model}/infer`, input: "input", values: row, parameters });
}

function predictRequest(_server, { stateId, row }) {
  return post("/predict", JSON.stringify({ inputs: { input: [[...row]] }, stateId }));
}

/** @type {CancelWay} */
async function httpTimeout(server, stream, arrive) {
  const wire = new HttpWire(await openSocket(server.port));
  try {
    wire.write(inferRequest(server, stream, server.timeoutMs * 1000));
    await arrive();
    const { status, body } = await wire.answer();
    if (status === 200) return "done";
    return errorSays(status === 504 ? "DEADLINE_EXCEEDED" : `HTTP ${status}`, JSON.parse(body).error);
  } finally {
    wire.close();
  }
}

/** Goes away, and waits until the server has counted what became of the step. */
async function leave({ proc, others }, socket, { before, arrive }) {
  await arrive();
  socket.destroy();
  const isCancelled = () => (proc.requests().outcomes.CANCELLED ?? 0n) > (before.CANCELLED ?? 0n);
  const isDone = () => proc.requests().outcomes.OK > before.OK + others;
  await until(() => isCancelled() || isDone(), "the server to notice that its client is gone");
  return isCancelled() ? "before" : "done";
}

/** A connection that is not read. @param {(server: object, stream: object) => Buffer} request @returns {CancelWay} */
function httpGone(request) {
  return async (server, stream, arrive) => {
    const before = server.proc.requests().outcomes;
    const socket = await openSocket(server.port);
    socket.on("error", () => {});
    socket.write(request(server, stream));
    return leave(server, socket, { before, arrive: () => arrive(once(socket, "readable")) });
  };
}

/** @type {CancelWay} */
async function socketGone(server, stream, arrive) {
  const before = server.proc.requests().outcomes;
  const path = `/v2/models/${server.model}/stream?raw=input&sequence_id=${encodeURIComponent(stream.stateId)}`;
  const { socket } = await openUpgraded(server.port, path);
  socket.on("error", () => {});
  socket.write(frame(OPCODE.binary, bytesOf(stream.row)));
  return leave(server, socket, { before, arrive: () => arrive(once(socket, "readable")) });
}

/** @type {Record<string, CancelWay>} */
export const WAYS = {
  "an AbortSignal": abortSignal,
  "a timeout": timeout,
  "a timeout over HTTP": httpTimeout,
  "the client gone, V2": httpGone(inferRequest),
  "the client gone, JSON": httpGone(predictRequest),
  "the client gone, WebSocket": socketGone,
};

/** Those whose client is gone when they are done; no answer says anything. */
export const LEAVING = Object.keys(WAYS).filter((name) => name.startsWith("the client gone"));
