// Streams whose every number is NaN or infinite, in the same runs of the model as those of others.

import { HttpWire } from "./http-wire.mjs";
import { frame, OPCODE, WsWire } from "./ws-wire.mjs";

const STREAMS = 16;
const VALUES = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3.4e38];

/** @returns {Promise<{ steps: number, runs: number }>} of the GRU, so far */
async function countsOf(port) {
  const wire = await HttpWire.open(port);
  wire.write("GET /v2/models/gru512/stats HTTP/1.1\r\nHost: trust\r\n\r\n");
  const { body } = await wire.answer();
  wire.close();
  const [{ inference_count: steps, execution_count: runs }] = JSON.parse(body.toString()).model_stats;
  return { steps, runs };
}

/**
 * Steps such streams, all of them at a time, until `isOver`.
 * @param {number} port
 * @param {() => boolean} isOver
 * @returns {Promise<{ steps: number, stepsOfRun: number, problem: string | undefined }>} stepsOfRun: how many shared a run, in the mean
 */
export async function poisonedStreams(port, isOver) {
  const before = await countsOf(port);
  const wire = await WsWire.open(port, `/v2/models/gru512/stream?raw=input&streams=${STREAMS}`);
  const frames = Array.from({ length: STREAMS }, (_, stream) => {
    const number = Uint32Array.of(stream);
    const row = new Float32Array(512).fill(VALUES[stream % VALUES.length]);
    return frame(OPCODE.binary, Buffer.concat([Buffer.from(number.buffer), Buffer.from(row.buffer)]));
  });
  const burst = Buffer.concat(frames);
  let problem;
  while (problem === undefined && !isOver()) {
    wire.write(burst);
    for (let left = STREAMS; left > 0; left--) {
      const { opcode, payload } = await wire.next();
      if (opcode !== OPCODE.binary) problem = payload.toString();
    }
  }
  wire.close();
  const after = await countsOf(port);
  const steps = after.steps - before.steps;
  return { steps, stepsOfRun: steps / (after.runs - before.runs), problem };
}
