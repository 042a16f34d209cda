/** Five times what a model can do: it goes on doing what it can, and tells the others at once. */
import { join } from "node:path";
import { headraceServer } from "../../bench/lib/headrace.mjs";
import { REPOSITORY } from "../../bench/lib/paths.mjs";
import { withServer } from "../../bench/lib/server.mjs";
import { median } from "../../bench/lib/statistics.mjs";
import { trustCheck } from "./lib/check.mjs";
import { HttpWire, post } from "./lib/http-wire.mjs";
import { Clients } from "./lib/offered-load.mjs";
import { FACTOR, overloadFigures, overloadLines, p99 } from "./lib/overload-lines.mjs";
import { ownTime, pinClient, SERVER_CORE } from "./lib/server.mjs";

const ABOUT = `A closed loop finds what a slow model can do at most; then five times as much is offered, over HTTP and over
WebSockets, whether or not it is answered. Then requests come whose timeout is shorter than what waits already.`;

const SHORT_SECONDS = 5;
const LONG_SECONDS = 120;
const LOOP_SECONDS = 1;
/** So many may wait, and whoever is let in waits for all of them: what bounds the latency under overload. */
const QUEUE = 32;
/** The queue and its request under way: as many clients as can wait without a refusal. */
const LEVELS = [1, 4, QUEUE];
/** Products of matrices in a request: some milliseconds, so that a core that refuses four requests for each has time left. */
const TRIPS = 2500;
const CLIENTS = { http: 240, ws: 80 };

const ATTEMPTS = 3;
const RECOVERED_RATIO = 1.5;
const GIVE_UP_SECONDS = 10;
const PROBES = 10;

const WAITING = 300;
const TIMEOUT_MILLIS = 200;
const GOAL_TIMEOUT_SHARE = 0.25;

const inputs = [{ name: "trips", datatype: "INT64", shape: [1], data: [TRIPS] }];
const rateOf = ({ accepted, seconds }) => accepted.length / seconds;

/** A load, and how much was accepted in each second that others left the server's core. */
async function measured(pid, load) {
  const seconds = ownTime(pid);
  const tally = await load();
  return { ...tally, goodput: tally.accepted.length / seconds() };
}

function slowServer(queue) {
  const server = headraceServer(join(REPOSITORY, "test", "trust", "models", "slow.mjs"));
  return { ...server, environment: { HEADRACE_TRUST_QUEUE: String(queue) } };
}

/** Closed loops of more and more clients. @returns what one alone has, and the most that is had */
async function peakOf(pid, clients, { progress }) {
  const loops = [];
  for (const level of LEVELS) {
    progress(`closed loop of ${level}`);
    loops.push(await measured(pid, () => clients.closedLoop(level, LOOP_SECONDS)));
  }
  return {
    alone: median(loops[0].accepted),
    rate: Math.max(...loops.map(rateOf)),
    goodput: Math.max(...loops.map(({ goodput }) => goodput)),
    p99: p99(loops.at(-1).accepted),
  };
}

/** How long it takes, from now on, until one client alone is answered as fast as it was. */
async function recovery(port, alone) {
  const began = performance.now();
  const prober = await Clients.connect(port, { model: "slow", request: { inputs }, http: 1 });
  const last = [];
  for (;;) {
    const sent = performance.now();
    const { kind } = await prober.all[0].send();
    last.push(kind === "accepted" ? performance.now() - sent : Number.POSITIVE_INFINITY);
    const seconds = (performance.now() - began) / 1000;
    const isBack = last.length >= PROBES && median(last.slice(-PROBES)) <= RECOVERED_RATIO * alone;
    if (!isBack && seconds < GIVE_UP_SECONDS) continue;
    prober.close();
    return seconds;
  }
}

/** One overload and what was before and after it. @returns {Promise<import("./lib/overload-lines.mjs").Overload>} */
async function overloaded({ isLong, progress }, { port, pid }, clients) {
  const before = await peakOf(pid, clients, { progress });
  const rate = FACTOR * before.rate;
  progress(`open loop of ${Math.round(rate)} requests a second`);
  let recovered;
  const ended = () => {
    recovered = recovery(port, before.alone);
  };
  const duration = isLong ? LONG_SECONDS : SHORT_SECONDS;
  const tally = await measured(pid, () => clients.openLoop(rate, duration, ended));
  const recoverySeconds = await recovered;
  // A machine that is slower now than it was before is so for both.
  const after = await measured(pid, () => clients.closedLoop(QUEUE, LOOP_SECONDS));
  const peak = { goodput: (before.goodput + after.goodput) / 2, p99: (before.p99 + p99(after.accepted)) / 2 };
  return { tally, rate, peak, recoverySeconds };
}

/**
 * What is missed is tried anew: a server misses it every time, and a machine that has something else to do for a moment does not.
 * @param {import("./lib/check.mjs").Check} check
 */
async function overload(check, server) {
  const clients = await Clients.connect(server.port, { model: "slow", request: { inputs }, ...CLIENTS });
  let failed = 0;
  for (let attempt = 1; ; attempt++) {
    const outcome = await overloaded(check, server, clients);
    failed += outcome.tally.failed;
    const lines = overloadLines({ ...outcome, tally: { ...outcome.tally, failed } });
    if (attempt < ATTEMPTS && failed === 0 && lines.some(({ passed }) => !passed)) continue;
    clients.close();
    for (const { what, goal, measured: value, passed } of lines) check.holds(what, goal, value, passed);
    for (const [name, value] of Object.entries(overloadFigures(outcome))) check.figure(name, value);
    return;
  }
}

/** Requests that come behind others, with so little time that nothing can come of them, or with enough. */
async function deadlines({ holds, figure, progress }, { port }) {
  progress("timeouts that cannot be met");
  const clients = await Clients.connect(port, { model: "slow", request: { inputs }, http: WAITING });
  const hurried = await connectAll(port, PROBES);
  const patient = await connectAll(port, 1);
  // What a request costs is known from those before.
  await clients.closedLoop(LEVELS[1], LOOP_SECONDS / 4);
  const filling = clients.all.map((client) => client.send());
  // The first answer says that all of them have been sent.
  await Promise.any(filling);
  const [late, enough] = await Promise.all([
    Promise.all(hurried.map((wire) => timed(wire, TIMEOUT_MILLIS))),
    Promise.all(patient.map((wire) => timed(wire, 60_000))),
  ]);
  await Promise.all(filling);
  for (const { wire } of clients.all) wire.close();
  const worst = Math.max(...late.map(({ millis }) => millis));
  const statuses = [...new Set(late.map(({ status }) => status))];
  const goal = GOAL_TIMEOUT_SHARE * TIMEOUT_MILLIS;
  figure("hurried_status", statuses.join(" "));
  holds(
    `a timeout of ${TIMEOUT_MILLIS} ms behind ${WAITING} requests`,
    `429 or 504 within ${goal} ms`,
    `${statuses.join(" and ")} within ${worst.toFixed(0)} ms`,
    worst <= goal && statuses.every((status) => status === 429 || status === 504),
  );
  holds("a timeout that can be met", "200", enough[0].status, enough[0].status === 200);
}

function connectAll(port, count) {
  return Promise.all(Array.from({ length: count }, () => HttpWire.open(port)));
}

async function timed(wire, millis) {
  const sent = performance.now();
  wire.write(post("/v2/models/slow/infer", JSON.stringify({ parameters: { timeout: 1000 * millis }, inputs })));
  const { status, at } = await wire.answer();
  wire.close();
  return { status, millis: at - sent };
}

async function work(check) {
  pinClient();
  await withServer(slowServer(QUEUE), SERVER_CORE, (server) => overload(check, server));
  await withServer(slowServer(4096), SERVER_CORE, (server) => deadlines(check, server));
}

await trustCheck({ name: "overload", about: ABOUT, work });
