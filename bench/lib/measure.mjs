// Runs the subjects, interleaved: A B C, A B C, … so that a machine that slows down or warms up hits all alike.

import { run } from "./processes.mjs";
import { withServer } from "./server.mjs";
import { summarise } from "./statistics.mjs";
import { measuringCommand } from "./subjects.mjs";

/**
 * @typedef {object} Figure
 * @property {string} id
 * @property {string} title
 * @property {string} unit
 * @property {import("./statistics.mjs").Summary} [value]  in `unit`; missing when the subject failed
 * @property {import("./statistics.mjs").Summary} [latencyP50Us]
 * @property {number} [serverCpuFraction]  of the server or the bare loop, median; 1 is one core
 * @property {number} [clientBusyFraction]
 * @property {boolean} [saturated]  the generator was the limit at least once: the figure is a lower bound
 * @property {string} [error]
 * @property {object[]} runs  what the measuring programs printed
 */

/**
 * @param {import("./subjects.mjs").Subject[]} subjects
 * @param {import("./options.mjs").Options} options
 * @param {(text: string) => void} progress
 * @returns {Promise<Figure[]>}
 */
export async function measureAll(subjects, options, progress) {
  const attempts = subjects.map((subject) => ({ subject, runs: [], error: undefined }));
  for (let repetition = 1; repetition <= options.repetitions; repetition += 1) {
    // A subject that failed once has failed; the others still deserve their figures.
    for (const attempt of attempts.filter(({ error }) => error === undefined)) {
      progress(`repetition ${repetition} of ${options.repetitions}: ${attempt.subject.id}`);
      try {
        attempt.runs.push(await measureOnce(attempt.subject, options));
      } catch (error) {
        attempt.error = error.message;
      }
    }
  }
  return attempts.map(figureOf);
}

async function measureOnce(subject, options) {
  if (!subject.server) return measured(measuringCommand(subject, options));
  return withServer(subject.server, options.serverCore, (address) =>
    measured(measuringCommand(subject, options, address)),
  );
}

async function measured(command) {
  return outcomeOf(await run(command));
}

/**
 * What a measuring program printed. Throws what went wrong, a failed request included.
 * @param {{ status: number | string, stdout: string, stderr: string }} ended
 */
export function outcomeOf({ status, stdout, stderr }) {
  // The buckets are for drawing, and ten times as long as all the rest.
  const result =
    stdout === "" ? undefined : JSON.parse(stdout, (key, value) => (key === "buckets" ? undefined : value));
  if (result?.errors > 0) throw new Error(`${result.errors} errors, the first: ${result.first_error}`);
  if (status !== 0 || result === undefined)
    throw new Error(stderr.trim() || `the measuring program ended with ${status}`);
  return result;
}

/** @returns {Figure} */
function figureOf({ subject: { id, title, unit }, runs, error }) {
  if (error !== undefined) return { id, title, unit, error, runs };
  const latencies = runs.map((result) => result.latency_us.p50);
  const figure = {
    id,
    title,
    unit,
    value: summarise(unit === "us" ? latencies : runs.map(({ rate }) => rate)),
    latencyP50Us: summarise(latencies),
    serverCpuFraction: summarise(runs.map((result) => result.server_cpu_fraction ?? result.cpu_fraction)).median,
    runs,
  };
  if (runs[0].client_busy_fraction === undefined) return figure;
  return {
    ...figure,
    clientBusyFraction: summarise(runs.map((result) => result.client_busy_fraction)).median,
    saturated: runs.some(({ saturated }) => saturated),
  };
}
