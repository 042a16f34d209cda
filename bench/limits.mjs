/**
 * What one server holds: live states, real-time streams, two cores, and whether JavaScript collects garbage under load.
 *
 *   node bench/limits.mjs [--only states,streams,cores,garbage] [--seconds 5] [--json]
 */
import { readFileSync, rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { HeadraceClient } from "headrace/client";
import { buildNative } from "./lib/build.mjs";
import { BARE_LOOP, CLI, GRU_MODEL, LOADGEN, ONNXRUNTIME_LIBRARY, SILERO_MODEL, VAD_EXAMPLE } from "./lib/paths.mjs";
import { pinned, run, stopAllProcesses } from "./lib/processes.mjs";
import { withServer } from "./lib/server.mjs";

const STATES = 100_000;
const CONCURRENCY = 256;
const FRAME_SECONDS = 0.032;
const VAD_OPTIONS = ["--name", "silero-vad", "--constant", "sr=16000", "--context", "input=64"];

const HELP = `Usage: node bench/limits.mjs [options]

  --only LIST     of states, streams, cores, garbage (default: all)
  --seconds S     of each measurement (default 5)
  --json          print JSON
`;

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "states,streams,cores,garbage" },
    seconds: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const { seconds } = values;

const note = (text) => process.stderr.write(`${text}\n`);
const serverOf = (target, options = [], node = []) => ({
  command: (port) => [process.execPath, ...node, CLI, "serve", target, "--port", String(port), ...options],
  readyPath: "/v2/health/ready",
  needs: [{ file: CLI, remedy: "npm run build" }],
});
const vad = (options = []) => serverOf(SILERO_MODEL, [...VAD_OPTIONS, ...options]);
const gru = (options = [], node = []) => serverOf(GRU_MODEL, options, node);

const residentMib = (pid) => (Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096) / (1 << 20);

/** Raw frames of 256 streams on 16 connections, in a closed loop. */
async function load({ port, pid }, model, { floats, reply, core, time = seconds }) {
  const path = `/v2/models/${model}/stream?raw=input&streams=16`;
  const shape = [
    "--connections",
    "16",
    "--in-flight",
    "16",
    "--streams",
    "many",
    "--floats",
    floats,
    "--reply-size",
    reply,
  ];
  const program = [LOADGEN, "--mode", "ws-raw", "--path", path, ...shape];
  program.push("--port", String(port), "--server-pid", String(pid), "--seconds", String(time), "--warmup", "1");
  // Without a core of its own a generator that polls takes the server's.
  if (core === undefined) program.push("--spin", "0");
  const { status, stdout, stderr } = await run(core === undefined ? program : pinned(core, program));
  if (status !== 0) throw new Error(stderr || stdout);
  return JSON.parse(stdout);
}

const SILERO = { floats: "512", reply: "4" };
const GRU = { floats: "512", reply: "32" };

async function bare(kind, model, core) {
  const program = [BARE_LOOP, "--ort", ONNXRUNTIME_LIBRARY, "--model", model, "--kind", kind, "--batch", "64"];
  const { stdout, stderr } = await run(pinned(core, [...program, "--seconds", seconds]));
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout).rate;
}

/** 100,000 live states of 1 KiB and their context: what they take, and what they cost the steps of others. */
async function states() {
  const result = {};
  await withServer(vad(["--max-states", String(STATES + 1000), "--state-ttl", "3600"]), 0, async (server) => {
    const few = await load(server, "silero-vad", { ...SILERO, core: 1 });
    const before = residentMib(server.pid);
    const client = new HeadraceClient({ url: `http://127.0.0.1:${server.port}`, model: "silero-vad" });
    const input = { datatype: "FP32", shape: [1, 512], data: new Float32Array(512).fill(0.01) };
    let next = 0;
    const worker = async () => {
      for (let i = next++; i < STATES; i = next++)
        await client.infer({ input }, { stateId: `state-${i}`, start: true });
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    result.addedMib = residentMib(server.pid) - before;
    const many = await load(server, "silero-vad", { ...SILERO, core: 1 });
    Object.assign(result, { stepsPerSecondOfFew: few.rate, stepsPerSecondOfMany: many.rate });
    result.costGrowth = few.rate / many.rate - 1;
  });
  return result;
}

/** How many streams of 31.25 frames a second one core holds with a p99 within a frame, beside what the bare loop could. */
async function streams() {
  const capacity = (await bare("silero", SILERO_MODEL, 0)) * FRAME_SECONDS;
  const tried = [];
  for (const share of [0.8, 0.85, 0.9, 0.95]) {
    const count = Math.floor(capacity * share);
    const file = `${process.env.TMPDIR ?? "/tmp"}/headrace-streams-${process.pid}.json`;
    const args = [CLI, "bench", VAD_EXAMPLE, "--protocol", "ws-raw", "--streams", String(count)];
    args.push("--repetitions", "1", "--duration", seconds, "--max-duration", seconds, "--server-cores", "0");
    const { status, stderr } = await run([process.execPath, ...args, "--generator-core", "1", "--json", file]);
    if (status === 1 || status === 2) throw new Error(stderr);
    const [{ repetitions }] = JSON.parse(readFileSync(file, "utf8")).cases;
    rmSync(file);
    const [{ latency, errors, unfinished }] = repetitions;
    const isHeld = errors === 0 && unfinished === 0 && latency.p99 <= FRAME_SECONDS * 1e6;
    tried.push({ share, streams: count, p50Micros: latency.p50, p99Micros: latency.p99, errors, unfinished, isHeld });
    note(JSON.stringify(tried.at(-1)));
  }
  return { capacityOfBareLoop: capacity, tried };
}

/** Two threads on two cores, the client on the same: what is left after the client's own time, of two bare loops. */
async function cores() {
  const one = await bare("silero", SILERO_MODEL, 0);
  let result = {};
  await withServer(vad(["--threads", "2"]), "0,1", async (server) => {
    const { rate, client_busy_fraction: client } = await load(server, "silero-vad", SILERO);
    result = {
      stepsPerSecond: rate,
      bareOfOneCore: one,
      clientBusyFraction: client,
      share: rate / (one * (2 - client)),
    };
  });
  return result;
}

/** Whether JavaScript's memory is collected while raw frames are stepped for a minute. */
async function garbage() {
  let lines = [];
  let steps = 0;
  await withServer(gru([], ["--trace-gc"]), 0, async (server) => {
    const before = server.output().stdout.length;
    steps = (await load(server, "gru512", { ...GRU, core: 1, time: 60 })).requests;
    lines = server
      .output()
      .stdout.slice(before)
      .split("\n")
      .filter((line) => / ms: /.test(line));
  });
  // What V8 does because nothing happens (its memory reducer) says nothing of the steps.
  const ofLoad = lines.filter((line) => !line.includes("(reduce)"));
  return { steps, idleCollections: lines.length - ofLoad.length, collections: ofLoad.length };
}

const all = { states, streams, cores, garbage };
await buildNative();
const results = {};
try {
  for (const name of values.only.split(",")) {
    note(`measuring ${name}`);
    results[name] = await all[name]();
    note(JSON.stringify(results[name]));
  }
} finally {
  stopAllProcesses();
}
if (values.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
