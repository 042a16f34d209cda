// Streams of others at the pace of the real world, measured by a process of its own: a busy client must not be taken for a slow
// server.

import { LOADGEN } from "../../../bench/lib/paths.mjs";
import { pinned, start } from "../../../bench/lib/processes.mjs";
import { CLIENT_CORE, first } from "./server.mjs";

const STREAMS = 32;
const FRAMES_PER_SECOND = 31.25;

/**
 * Steps of the GRU over raw WebSockets, from now on for so many seconds.
 * @param {{ port: number }} server
 * @param {number} seconds
 * @returns {Promise<{ p50Micros: number, p99Micros: number, errors: number, problem: string }>}
 */
export async function bystanders({ port }, seconds) {
  const path = "/v2/models/gru512/stream?raw=input";
  const command = [LOADGEN, "--mode", "ws-raw", "--path", path, "--floats", "512", "--reply-size", "32"];
  command.push("--load", "streams", "--frame-rate", String(FRAMES_PER_SECOND), "--connections", String(STREAMS));
  command.push("--port", String(port), "--seconds", String(seconds), "--warmup", "0.5", "--spin", "0");
  const program = await start(pinned(CLIENT_CORE, first(command)));
  await program.ended;
  const { stdout, stderr } = program.output();
  if (stdout === "") throw new Error(`the generator printed nothing: ${stderr}`);
  const { latency_us: latency, errors, unfinished, first_error: problem } = JSON.parse(stdout);
  return { p50Micros: latency.p50, p99Micros: latency.p99, errors: errors + unfinished, problem };
}
