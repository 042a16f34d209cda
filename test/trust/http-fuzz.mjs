/** Requests and frames that a seed has changed: the server stays, answers or closes, and remembers nothing of them. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { headraceServer, residentMib } from "../../bench/lib/headrace.mjs";
import { GRU_MODEL } from "../../bench/lib/paths.mjs";
import { withServer } from "../../bench/lib/server.mjs";
import { GRU_SONG, holdsCanary, keepSinging, sing } from "./lib/canary.mjs";
import { trustCheck } from "./lib/check.mjs";
import { AnswerReader, openSocket } from "./lib/http-wire.mjs";
import { mutation } from "./lib/mutations.mjs";
import { peakMib, pinClient, SERVER_CORE } from "./lib/server.mjs";
import { FrameReader } from "./lib/ws-wire.mjs";

const ABOUT = `Random changes of valid requests and frames, several on a connection and in pieces, from outside. What a number of a
seed makes is always the same; what went wrong is told with both.`;

const SHORT_SECONDS = 10;
const LONG_SECONDS = 1800;
const WARM_UP_SHARE = 0.2;
const AT_A_TIME = 16;
const GOAL_MILLIS = 1000;
const GIVE_UP_MILLIS = 5000;
/** Until the client sends nothing more: who waits for the rest of a request hears then that there is none. */
const PATIENCE_MILLIS = 30;
/** The heap of V8 between two collections; states and tasks have their own limits, and time out. */
const GOAL_GROWTH_MIB = 128;
const MOST_PROBLEMS = 20;

/** What came back, if it is HTTP, and frames behind an upgrade. Throws where it is neither. */
class Hearing {
  #answers = new AnswerReader();
  #frames;
  /** @type {number[]} */
  statuses = [];

  /** @param {Buffer} bytes */
  take(bytes) {
    if (this.#frames !== undefined) return void this.#frames.push(bytes);
    for (const { status } of this.#answers.push(bytes)) {
      this.statuses.push(status);
      if (status === 101) this.#frames = new FrameReader();
    }
    if (this.#frames !== undefined) this.#frames.push(this.#answers.rest);
  }
}

/**
 * Sends one case, and nothing more once something came back or patience has ended.
 * @param {number} port
 * @param {import("./lib/mutations.mjs").Case} one
 * @returns {Promise<{ millis: number, statuses: number[], problem: string | undefined }>} the time from then to the end
 */
async function tryCase(port, { pieces }) {
  const socket = await openSocket(port);
  const hearing = new Hearing();
  // An answer to HEAD has the length of a body that does not come.
  const isReadable = !pieces.some((bytes) => bytes.includes("HEAD"));
  let problem;
  const heard = new Promise((resolve) => {
    socket.on("data", (bytes) => {
      resolve();
      try {
        if (isReadable) hearing.take(bytes);
      } catch (error) {
        problem ??= error.message;
      }
    });
    socket.on("error", resolve).once("close", resolve);
    setTimeout(resolve, PATIENCE_MILLIS);
  });
  const closed = once(socket, "close");
  for (const bytes of pieces) {
    socket.write(bytes);
    await turn();
  }
  await heard;
  const began = performance.now();
  if (socket.writable) socket.end();
  const timer = setTimeout(() => socket.destroy(), GIVE_UP_MILLIS);
  await closed;
  clearTimeout(timer);
  return { millis: performance.now() - began, statuses: hearing.statuses, problem };
}

/** @param {import("./lib/check.mjs").Check} check */
async function fuzz({ seed, isLong, progress }, { port, pid }) {
  const seconds = isLong ? LONG_SECONDS : SHORT_SECONDS;
  const outcome = {
    cases: 0,
    slowest: { millis: 0, number: 0 },
    statuses: new Map(),
    problems: [],
    warmMib: undefined,
  };
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  const noted = (number, { millis, statuses, problem }) => {
    outcome.cases += 1;
    if (millis > outcome.slowest.millis) outcome.slowest = { millis, number };
    for (const status of statuses) outcome.statuses.set(status, (outcome.statuses.get(status) ?? 0) + 1);
    if (problem !== undefined) outcome.problems.push(`number ${number}: ${problem}`);
    if (statuses.includes(500)) outcome.problems.push(`number ${number}: 500`);
    if (outcome.warmMib === undefined && elapsed() > WARM_UP_SHARE * seconds) outcome.warmMib = residentMib(pid);
    if (outcome.cases % 1000 === 0) progress(`${outcome.cases} cases`);
  };
  let next = 0;
  const worker = async () => {
    while (elapsed() < seconds && outcome.problems.length < MOST_PROBLEMS && existsSync(`/proc/${pid}`)) {
      const number = next++;
      const tried = await tryCase(port, mutation(seed, number)).catch((error) => ({
        millis: 0,
        statuses: [],
        problem: error.message,
      }));
      noted(number, tried);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  return outcome;
}

/** @param {import("./lib/check.mjs").Check} check */
function judge({ figure, holds }, { cases, slowest, statuses, problems, warmMib }, pid) {
  figure("cases", cases);
  const all = [...statuses].toSorted(([a], [b]) => a - b);
  figure("statuses", all.map(([status, count]) => `${count} of ${status}`).join(", "));
  for (const problem of problems) process.stderr.write(`       ${problem}\n`);
  const isAlive = existsSync(`/proc/${pid}`);
  holds("the server", "never ends", isAlive ? `runs after ${cases} connections` : "it ended", isAlive);
  holds("what it answers", "HTTP and frames, never 500", problems[0] ?? "nothing else", problems.length === 0);
  const time = `${slowest.millis.toFixed(0)} ms, number ${slowest.number}`;
  holds("every connection", `ends <= ${GOAL_MILLIS} ms after its client's end`, time, slowest.millis <= GOAL_MILLIS);
  const growth = isAlive && warmMib !== undefined ? peakMib(pid) - warmMib : Number.NaN;
  const goal = `<= ${GOAL_GROWTH_MIB} MiB more than after a warm-up`;
  holds("the server's memory at its peak", goal, `${growth.toFixed(0)} MiB`, growth <= GOAL_GROWTH_MIB);
}

async function work(check) {
  pinClient();
  // States of which nobody knows the names any more go soon, so that there is room for the canary's; not so soon that a machine
  // which has something else to do for a moment costs the canary its own.
  const server = headraceServer(GRU_MODEL, { options: ["--state-ttl", "5"] });
  await withServer(server, SERVER_CORE, async ({ port, pid, output }) => {
    const { digest } = await sing(port, GRU_SONG);
    const canary = keepSinging(port, GRU_SONG, digest);
    const outcome = await fuzz(check, { port, pid });
    judge(check, outcome, pid);
    holdsCanary(check, await canary.stop());
    if (!existsSync(`/proc/${pid}`)) process.stderr.write(`${output().stderr.slice(-4000)}\n`);
  });
}

await trustCheck({ name: "http-fuzz", about: ABOUT, work });
