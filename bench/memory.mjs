/**
 * Does resident memory stay flat? Opens and ends many state ids, then sends traffic for a while, and watches the server's
 * resident memory and what the engine has allocated for states.
 *
 *   node bench/memory.mjs [--states 100000] [--minutes 10] [--json]
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { HeadraceClient } from "headrace/client";
import { needGenerator } from "./lib/build.mjs";
import { headraceServer, residentMib, stepStates } from "./lib/headrace.mjs";
import { GRU_MODEL, LOADGEN } from "./lib/paths.mjs";
import { start, stopAllProcesses } from "./lib/processes.mjs";
import { withServer } from "./lib/server.mjs";

const SAMPLE_SECONDS = 10;
/** Growth over the traffic that counts as flat: what the allocator and the JavaScript heap sway by. */
const FLAT_MIB = 8;

const HELP = `Usage: node bench/memory.mjs [options]

Opens --states state ids, ends them, does both once more, then sends raw WebSocket traffic for --minutes.

  --states N    state ids opened and ended (default 100000)
  --minutes M   traffic afterwards (default 10)
  --json        print the samples as JSON

Exit status: 0 memory was flat and slots were used again, 1 not.
`;

function mib(bytes) {
  return bytes / (1 << 20);
}

async function engineStats(url) {
  const text = await (await fetch(`${url}/metrics`)).text();
  const of = (name) => Number(new RegExp(`^${name}\\{.*cell="[^"].*\\} (\\S+)$`, "m").exec(text)?.[1]);
  return { liveStates: of("headrace_states"), stateBytes: of("headrace_state_bytes") };
}

function report(samples, line) {
  samples.push(line);
  const { what, rss, live, stateMib } = line;
  process.stderr.write(
    `${what.padEnd(34)} resident ${rss.toFixed(1).padStart(7)} MiB   live states ${String(live).padStart(6)}   allocated for states ${stateMib.toFixed(1).padStart(6)} MiB\n`,
  );
}

async function sample(samples, what, pid, url) {
  const stats = await engineStats(url);
  report(samples, { what, rss: residentMib(pid), live: stats.liveStates, stateMib: mib(stats.stateBytes) });
}

async function traffic(samples, port, pid, url, minutes) {
  const seconds = minutes * 60;
  const path = "/v2/models/gru512/stream?raw=input";
  const command = [LOADGEN, "--mode", "ws-raw", "--path", path, "--floats", "512", "--reply-size", "32"];
  command.push("--connections", "16", "--in-flight", "16", "--port", String(port), "--warmup", "1");
  const load = await start([...command, "--seconds", String(seconds)]);
  for (let at = SAMPLE_SECONDS; at < seconds; at += SAMPLE_SECONDS) {
    await sleep(SAMPLE_SECONDS * 1000);
    await sample(samples, `${at} s of traffic`, pid, url);
  }
  await load.ended;
  return JSON.parse(load.output().stdout);
}

const { values } = parseArgs({
  options: {
    states: { type: "string", default: "100000" },
    minutes: { type: "string", default: "10" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const states = Number(values.states);
needGenerator();
const server = headraceServer(GRU_MODEL, {
  options: ["--max-states", String(states + 1000), "--state-ttl", "3600"],
});
const inputs = { input: { datatype: "FP32", shape: [1, 512], data: new Float32Array(512).fill(0.25) } };

const samples = [];
let load = {};
try {
  await withServer(server, 0, async ({ port, pid }) => {
    const url = `http://127.0.0.1:${port}`;
    const client = new HeadraceClient({ url, model: "gru512" });
    await sample(samples, "started", pid, url);
    for (const round of ["first", "second"]) {
      await stepStates(client, inputs, states, { start: true });
      await sample(samples, `${round} round: ${states} opened`, pid, url);
      await stepStates(client, inputs, states, { end: true });
      await sample(samples, `${round} round: ended`, pid, url);
    }
    load = await traffic(samples, port, pid, url, Number(values.minutes));
    await sample(samples, "after the traffic", pid, url);
  });
} finally {
  stopAllProcesses();
}

const opened = samples.filter(({ what }) => what.endsWith("opened"));
const busy = samples.filter(({ what }) => what.endsWith("of traffic"));
// The first minute warms the JavaScript heap up.
const settled = busy.slice(Math.min(6, busy.length - 1));
const growth = Math.max(...settled.map(({ rss }) => rss)) - (settled[0]?.rss ?? 0);
const reused = opened[0]?.stateMib === opened[1]?.stateMib && samples.at(-1)?.live === 0;
const flat = growth <= FLAT_MIB;
const verdict = { steps: load.requests, errors: load.errors, growthMib: growth, flat, slotsReused: reused };
if (values.json) process.stdout.write(`${JSON.stringify({ samples, ...verdict }, null, 2)}\n`);
else process.stdout.write(`${JSON.stringify(verdict)}\n`);
process.exitCode = flat && reused && load.errors === 0 ? 0 : 1;
