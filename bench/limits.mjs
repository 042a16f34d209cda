/**
 * What one server holds: live states, real-time streams, two cores, and whether JavaScript collects garbage under load.
 *
 *   node bench/limits.mjs [--only states,streams,realtime,cores,garbage] [--seconds 5] [--json]
 */
import { HeadraceClient } from "headrace/client";
import { buildBareLoop, needGenerator } from "./lib/build.mjs";
import { headraceServer, residentMib, stepStates } from "./lib/headrace.mjs";
import { outcomeOf } from "./lib/measure.mjs";
import { number, parse, UsageError } from "./lib/options.mjs";
import { BARE_LOOP, CLI, GRU_MODEL, LOADGEN, ONNXRUNTIME_LIBRARY, SILERO_MODEL, VAD_EXAMPLE } from "./lib/paths.mjs";
import { pinned, run } from "./lib/processes.mjs";
import { runProgram } from "./lib/program.mjs";
import { withServer } from "./lib/server.mjs";
import { summarise } from "./lib/statistics.mjs";

const STATES = 100_000;
const FRAME_SECONDS = 0.032;
const CAPACITY_SHARE = 0.85;
// All streams begin at once, and what that delays is caught up with slowly at such a load.
const WARMUP_SECONDS = 5;
const REPETITIONS = 5;
const GARBAGE_SECONDS = 60;
const SERVER_CORE = 0;
const CLIENT_CORE = 1;
const SILERO_OPTIONS = ["--name", "silero-vad", "--constant", "sr=16000"];

const HELP = `Usage: node bench/limits.mjs [options]

  --only LIST     of states, streams, realtime, cores, garbage (default: all)
  --seconds S     of each measurement (default 5)
  --json          print JSON
`;

const note = (text) => process.stderr.write(`${text}\n`);

const SILERO = { model: "silero-vad", input: "input", replyBytes: "4" };
const VAD = { model: "silero-vad", input: "audio", replyBytes: "4" };
const GRU = { model: "gru512", input: "input", replyBytes: "32" };

/** Raw frames of 512 floats, of 256 streams on 16 connections, in a closed loop. `core`: the generator's own, if it has one. */
async function load({ port, pid }, { model, input, replyBytes }, seconds, core) {
  const path = `/v2/models/${model}/stream?raw=${input}&streams=16`;
  const program = [LOADGEN, "--mode", "ws-raw", "--path", path, "--floats", "512", "--reply-size", replyBytes];
  program.push("--connections", "16", "--in-flight", "16", "--streams", "many", "--warmup", "1");
  program.push("--port", String(port), "--server-pid", String(pid), "--seconds", String(seconds));
  // Without a core of its own a generator that polls takes the server's.
  if (core === undefined) program.push("--spin", "0");
  return outcomeOf(await run(core === undefined ? program : pinned(core, program)));
}

/** Silero's bare loop on one core, in inferences a second. */
async function bareSilero(seconds, core = SERVER_CORE) {
  const program = [BARE_LOOP, "--ort", ONNXRUNTIME_LIBRARY, "--model", SILERO_MODEL, "--kind", "silero"];
  return outcomeOf(await run(pinned(core, [...program, "--batch", "64", "--seconds", String(seconds)]))).rate;
}

/**
 * 100,000 live states of 1 KiB: what they take, and what they cost the steps of others. The state of Silero is that large; the samples
 * that it wants kept in front of the next ones, 256 bytes more, are left out.
 */
async function states({ seconds }) {
  const options = [...SILERO_OPTIONS, "--max-states", String(STATES + 1000), "--state-ttl", "3600"];
  return withServer(headraceServer(SILERO_MODEL, { options }), SERVER_CORE, async (server) => {
    const client = new HeadraceClient({ url: `http://127.0.0.1:${server.port}`, model: "silero-vad" });
    const input = { datatype: "FP32", shape: [1, 512], data: new Float32Array(512).fill(0.01) };
    // The same requests, whose states end: what these take is not for the states.
    await stepStates(client, { input }, STATES, { start: true, end: true });
    const few = await load(server, SILERO, seconds, CLIENT_CORE);
    const before = residentMib(server.pid);
    await stepStates(client, { input }, STATES, { start: true });
    const addedMib = residentMib(server.pid) - before;
    const many = await load(server, SILERO, seconds, CLIENT_CORE);
    const costGrowth = few.rate / many.rate - 1;
    return { addedMib, stepsPerSecondOfFew: few.rate, stepsPerSecondOfMany: many.rate, costGrowth };
  });
}

/**
 * Whether one core holds real-time streams, 31.25 frames a second each, for 85 % of what the bare loop could do just before: a
 * machine that is slower at one time than at another is so for both.
 */
async function streams({ seconds }, serverOptions = []) {
  const runs = [];
  for (let repetition = 0; repetition < REPETITIONS; repetition += 1) {
    const capacity = (await bareSilero(seconds)) * FRAME_SECONDS;
    runs.push({ capacity, ...(await realTime(Math.floor(capacity * CAPACITY_SHARE), seconds, serverOptions)) });
    note(JSON.stringify(runs.at(-1)));
  }
  const p99Micros = summarise(runs.map((one) => one.p99Micros)).median;
  return { share: CAPACITY_SHARE, p99Micros, held: runs.filter(({ isHeld }) => isHeld).length, runs };
}

/** The same where the threads that run the model go before JavaScript, which shares their core. */
const realtime = (options) => streams(options, ["--realtime"]);

async function realTime(count, seconds, serverOptions) {
  const args = [CLI, "bench", VAD_EXAMPLE, "--protocol", "ws-raw", "--streams", String(count), "--json=-"];
  args.push(
    "--warmup",
    String(WARMUP_SECONDS),
    "--repetitions",
    "1",
    "--duration",
    String(seconds),
    "--max-duration",
    String(seconds),
  );
  args.push("--server-cores", String(SERVER_CORE), "--generator-core", String(CLIENT_CORE), ...serverOptions);
  const { stdout, stderr } = await run([process.execPath, ...args]);
  if (stdout === "") throw new Error(stderr);
  const [{ repetitions }] = JSON.parse(stdout).cases;
  const [{ latency, errors, unfinished }] = repetitions;
  const isHeld = errors === 0 && unfinished === 0 && latency.p99 <= FRAME_SECONDS * 1e6;
  return { streams: count, p50Micros: latency.p50, p99Micros: latency.p99, errors, unfinished, isHeld };
}

/**
 * Two threads on two cores, the client on the same: what is left after the client's own time, of what two bare loops make of them
 * side by side.
 */
async function cores({ seconds }) {
  const runs = [];
  for (let repetition = 0; repetition < REPETITIONS; repetition += 1) {
    const cores = [SERVER_CORE, CLIENT_CORE];
    const bare = await Promise.all(cores.map((core) => bareSilero(seconds, core)));
    const bareOfBoth = bare[0] + bare[1];
    const server = headraceServer(VAD_EXAMPLE, { options: ["--threads", "2"] });
    const { rate, client_busy_fraction: client } = await withServer(server, cores.join(","), (running) =>
      load(running, VAD, seconds),
    );
    const share = rate / (bareOfBoth * (1 - client / 2));
    runs.push({ stepsPerSecond: rate, bareOfBoth, clientBusyFraction: client, share });
    note(JSON.stringify(runs.at(-1)));
  }
  return { share: summarise(runs.map(({ share }) => share)).median, runs };
}

/** Whether JavaScript's memory is collected while raw frames are stepped for a minute. */
async function garbage() {
  return withServer(headraceServer(GRU_MODEL, { node: ["--trace-gc"] }), SERVER_CORE, async (server) => {
    const before = server.output().stdout.length;
    const { requests: steps } = await load(server, GRU, GARBAGE_SECONDS, CLIENT_CORE);
    const lines = server.output().stdout.slice(before).split("\n");
    const collections = lines.filter((line) => / ms: /.test(line));
    // What V8 does because nothing happens (its memory reducer) says nothing of the steps.
    const ofLoad = collections.filter((line) => !line.includes("(reduce)"));
    return { steps, idleCollections: collections.length - ofLoad.length, collections: ofLoad.length };
  });
}

const LIMITS = { states, streams, realtime, cores, garbage };

function readOptions(argv) {
  const { help, json, only, seconds } = parse(argv, {
    help: { type: "boolean", short: "h", default: false },
    json: { type: "boolean", default: false },
    only: { type: "string", default: Object.keys(LIMITS).join(",") },
    seconds: { type: "string", default: "5" },
  });
  const names = only.split(",");
  for (const name of names) {
    if (!Object.hasOwn(LIMITS, name))
      throw new UsageError(`--only knows ${Object.keys(LIMITS).join(", ")}, not "${name}"`);
  }
  return { help, json, names, seconds: number("seconds", seconds, 0.5) };
}

async function measure(options) {
  needGenerator();
  await buildBareLoop();
  const results = {};
  for (const name of options.names) {
    note(`measuring ${name}`);
    results[name] = await LIMITS[name](options);
    note(JSON.stringify(results[name]));
  }
  if (options.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  return true;
}

await runProgram({ name: "limits", help: HELP, readOptions, work: measure });
