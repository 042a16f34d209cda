#!/usr/bin/env node
/**
 * Streams a recording in real time through a Headrace server and draws the probability of speech as it arrives.
 * `--help` lists the options.
 */
import { basename } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { HeadraceClient } from "headrace/client";
import { speechSegments } from "./segments.mjs";
import { useServer } from "./server.mjs";
import { createView } from "./view.mjs";
import { readWav, SAMPLE_RATE } from "./wav.mjs";

const DEFAULT_URL = "http://127.0.0.1:8000";
const DEFAULT_FILE = fileURLToPath(new URL("sense_and_sensibility_01_austen_64kb-0870.wav", import.meta.url));
const STEP_SAMPLES = 512;
const STEP_MS = (STEP_SAMPLES / SAMPLE_RATE) * 1000;

const HELP = `Streams a recording in real time through a Headrace server and finds the speech in it.

  npm run demo -- [options]

  --file WAV       16 kHz, mono, 16 bits (default: a sentence of "Sense and Sensibility")
  --url URL        the server (default: ${DEFAULT_URL} if one answers there, else one of its own)
  --speed N        times real time (default: 1)
  --threshold P    probability that counts as speech (default: 0.5)
  --json           print segments and probabilities as JSON, and nothing else
  --help           this

Examples:
  npm run demo
  npm run demo -- --file meeting.wav --speed 10
  npm run --silent demo -- --json | node -e 'process.stdin.toArray().then((t) => console.log(JSON.parse(t.join("")).segments))'
`;

function options() {
  const { values } = parseArgs({
    options: {
      file: { type: "string", default: DEFAULT_FILE },
      url: { type: "string" },
      speed: { type: "string", default: "1" },
      threshold: { type: "string", default: "0.5" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const speed = Number(values.speed);
  const threshold = Number(values.threshold);
  if (!(speed > 0 && Number.isFinite(speed)))
    throw new Error(`--speed: expected a number above 0, got ${values.speed}`);
  if (!(threshold > 0 && threshold < 1)) throw new Error(`--threshold: expected 0 to 1, got ${values.threshold}`);
  return { ...values, speed, threshold };
}

/** Sends each step when its last sample would have been heard, against one clock, so that no delay adds up. */
async function sendInTime(stream, samples, speed, sentAt) {
  const started = performance.now();
  for (let index = 0; index * STEP_SAMPLES < samples.length; index++) {
    const step = new Float32Array(STEP_SAMPLES);
    step.set(samples.subarray(index * STEP_SAMPLES, (index + 1) * STEP_SAMPLES));
    const due = started + ((index + 1) * STEP_MS) / speed;
    const early = due - performance.now();
    if (early > 0) await sleep(early);
    sentAt[index] = performance.now();
    await stream.send(step);
  }
  await stream.close();
}

/** Streams all samples; `onStep` sees each probability as it arrives. */
async function analyse(url, samples, speed, onStep) {
  const stream = new HeadraceClient({ url }).stream(undefined, { model: "silero-vad", raw: "audio" });
  // Connecting must not count as the first answer's latency.
  await stream.opened();
  const sentAt = [];
  const sending = sendInTime(stream, samples, speed, sentAt);
  // When the stream breaks, the loop below says so first.
  sending.catch(() => {});
  let index = 0;
  for await (const answer of stream) {
    const probability = new DataView(answer.buffer, answer.byteOffset).getFloat32(0, true);
    const latencyMs = performance.now() - sentAt[index];
    index += 1;
    onStep({ probability, latencyMs, seconds: (index * STEP_MS) / 1000 });
  }
  await sending;
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function printSummary(segments, latencies) {
  console.log(`\n${segments.length} speech ${segments.length === 1 ? "segment" : "segments"}`);
  for (const { start, end } of segments)
    console.log(`  ${start.toFixed(2).padStart(7)} s  to ${end.toFixed(2).padStart(7)} s`);
  const worst = Math.max(0, ...latencies);
  console.log(`answers took ${median(latencies).toFixed(1)} ms (median), ${worst.toFixed(1)} ms (worst)`);
}

async function main() {
  const { file, url, speed, threshold, json, help } = options();
  if (help) return console.log(HELP);
  const samples = await readWav(file);
  const totalSeconds = samples.length / SAMPLE_RATE;
  const server = await useServer(url, DEFAULT_URL);
  const probabilities = [];
  const latencies = [];
  try {
    const title = `${basename(file)}, ${totalSeconds.toFixed(1)} s, through ${server.url}`;
    const view = json ? undefined : createView(process.stdout, { title, totalSeconds, stepMs: STEP_MS, threshold });
    await analyse(server.url, samples, speed, (step) => {
      probabilities.push(step.probability);
      latencies.push(step.latencyMs);
      view?.step(step);
    });
    view?.end();
  } finally {
    await server.stop();
  }
  const segments = speechSegments(probabilities, STEP_MS, { threshold });
  if (!json) return printSummary(segments, latencies);
  const latencyMs = { median: median(latencies), worst: Math.max(0, ...latencies) };
  console.log(JSON.stringify({ file, seconds: totalSeconds, stepMs: STEP_MS, segments, probabilities, latencyMs }));
}

// An interrupt ends through "exit", whose handlers stop the server and give the cursor back.
process.once("SIGINT", () => process.exit(130));

try {
  await main();
} catch (error) {
  console.error(`demo: ${error.message}`);
  process.exitCode = 1;
}
