/** Five times what a model can do: it goes on doing what it can, and tells the others at once. */
import { join } from "node:path";
import { headraceServer } from "../../bench/lib/headrace.mjs";
import { REPOSITORY } from "../../bench/lib/paths.mjs";
import { withServer } from "../../bench/lib/server.mjs";
import { trustCheck } from "./lib/check.mjs";
import { HttpWire, post } from "./lib/http-wire.mjs";
import { Clients } from "./lib/offered-load.mjs";
import { ownTime, percentile, pinClient, SERVER_CORE } from "./lib/server.mjs";

const ABOUT = `A closed loop finds what a slow model can do at most; then five times as much is offered, over HTTP and over
WebSockets, whether or not it is answered. Then requests come whose timeout is shorter than what waits already.`;

const FACTOR = 5;
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

const GOAL_GOODPUT = 0.8;
const GOAL_P99_RATIO = 3;
const GOAL_REFUSED_MILLIS = 50;
const GOAL_RECOVERY_SECONDS = 5;
const RECOVERED_RATIO = 1.5;
const PROBES = 10;

const WAITING = 300;
const TIMEOUT_MILLIS = 200;
const GOAL_TIMEOUT_SHARE = 0.25;

const inputs = [{ name: "trips", datatype: "INT64", shape: [1], data: [TRIPS] }];
const median = (values) => percentile(values, 0.5);
const p99 = (values) => percentile(values, 0.99);
const percent = (value) => `${(100 * value).toFixed(1)} %`;
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
async function recovery(client, alone) {
  const began = performance.now();
  const last = [];
  for (;;) {
    const sent = performance.now();
    const { kind } = await client.send();
    last.push(kind === "accepted" ? performance.now() - sent : Number.POSITIVE_INFINITY);
    const seconds = (performance.now() - began) / 1000;
    const isBack = last.length >= PROBES && median(last.slice(-PROBES)) <= RECOVERED_RATIO * alone;
    if (isBack || seconds > 2 * GOAL_RECOVERY_SECONDS) return seconds;
  }
}

/** @param {import("./lib/check.mjs").Check} check */
async function overload(check, { port, pid }) {
  const { isLong, progress } = check;
  const clients = await Clients.connect(port, { model: "slow", request: { inputs }, ...CLIENTS });
  const prober = await Clients.connect(port, { model: "slow", request: { inputs }, http: 1 });
  const before = await peakOf(pid, clients, check);
  const rate = FACTOR * before.rate;
  progress(`open loop of ${Math.round(rate)} requests a second`);
  const duration = isLong ? LONG_SECONDS : SHORT_SECONDS;
  let recovered;
  const ended = () => {
    recovered = recovery(prober.all[0], before.alone);
  };
  const tally = await measured(pid, () => clients.openLoop(rate, duration, ended));
  const seconds = await recovered;
  // A machine that is slower now than it was before is so for both.
  const after = await measured(pid, () => clients.closedLoop(QUEUE, LOOP_SECONDS));
  clients.close();
  prober.close();
  const peak = { goodput: (before.goodput + after.goodput) / 2, p99: (before.p99 + p99(after.accepted)) / 2 };
  judgeAnswers(check, tally, rate);
  judge(check, tally, peak, seconds);
}

/** @param {import("./lib/check.mjs").Check} check */
function judgeAnswers({ figure, holds }, tally, rate) {
  const offered = tally.sent / tally.seconds;
  figure("offered_per_s", offered);
  figure("refused_per_s", tally.refused.length / tally.seconds);
  figure("refused_p50_ms", median(tally.refused));
  holds("the load", `>= 95 % of ${FACTOR} times the peak is offered`, percent(offered / rate), offered >= 0.95 * rate);
  const others = `${tally.failed} others${tally.problem === undefined ? "" : `, the first: ${tally.problem}`}`;
  holds("every answer", "200, 429 with Retry-After, or RESOURCE_EXHAUSTED on a stream", others, tally.failed === 0);
}

/** @param {import("./lib/check.mjs").Check} check */
function judge({ figure, holds }, tally, peak, recoverySeconds) {
  figure("peak_per_s", peak.goodput);
  figure("peak_p99_ms", peak.p99);
  const share = tally.goodput / peak.goodput;
  const ratio = p99(tally.accepted) / peak.p99;
  const refused = p99(tally.refused);
  const goal = `>= ${percent(GOAL_GOODPUT)} of the peak, in the time that others leave the core`;
  holds("goodput", goal, percent(share), share >= GOAL_GOODPUT);
  const times = `${ratio.toFixed(2)}, ${p99(tally.accepted).toFixed(0)} ms`;
  holds("p99 of the accepted, by that at the peak", `<= ${GOAL_P99_RATIO}`, times, ratio <= GOAL_P99_RATIO);
  const all = `${refused.toFixed(1)} ms, ${tally.refused.length} refused`;
  holds("p99 of the refused", `<= ${GOAL_REFUSED_MILLIS} ms`, all, refused <= GOAL_REFUSED_MILLIS);
  const back = `${recoverySeconds.toFixed(2)} s`;
  holds(
    "normal latency afterwards",
    `within ${GOAL_RECOVERY_SECONDS} s`,
    back,
    recoverySeconds <= GOAL_RECOVERY_SECONDS,
  );
}

/** Requests that come behind others, with so little time that nothing can come of them, or with enough. */
async function deadlines({ holds, figure, progress }, { port }) {
  progress("timeouts that cannot be met");
  const clients = await Clients.connect(port, { model: "slow", request: { inputs }, http: WAITING });
  const hurried = await connectAll(port, PROBES);
  const patient = await connectAll(port, 1);
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
