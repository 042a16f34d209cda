/** Requests that lie, overflow, nest and inflate: refused at once, and no other stream notices. */
import { headraceServer, residentMib } from "../../bench/lib/headrace.mjs";
import { GRU_MODEL } from "../../bench/lib/paths.mjs";
import { withServer } from "../../bench/lib/server.mjs";
import { percentile } from "../../bench/lib/statistics.mjs";
import { GRU_SONG, holdsCanary, keepSinging, sing } from "./lib/canary.mjs";
import { trustCheck } from "./lib/check.mjs";
import { HttpWire } from "./lib/http-wire.mjs";
import { httpCases } from "./lib/poison-http.mjs";
import { wsCases } from "./lib/poison-ws.mjs";
import { poisonedStreams } from "./lib/poisoned-streams.mjs";
import { peakMib, pinClient, SERVER_CORE, within } from "./lib/server.mjs";
import { frame, OPCODE, WsWire } from "./lib/ws-wire.mjs";

const ABOUT = `Sends what a server must refuse, one after the other, beside a stream that has to stay as it is: values, shapes,
datatypes and lengths that do not fit, heads and JSON without measure, bombs of gzip and of frames.`;

const SHORT_ROUNDS = 3;
const LONG_ROUNDS = 200;
const STREAMS_MILLIS = 2000;
const GOAL_MILLIS = 100;
const PATIENCE_MILLIS = 5000;
/** Two bodies may be held at their limit of 64 MiB, once as they came and once put together, and an inflated one is copied. */
const GOAL_GROWTH_MIB = 4 * 64;

/** @param {number} port @param {import("./lib/poison-http.mjs").HttpCase} one */
async function tryHttp(port, { name, bytes, isValid = false }) {
  const wire = await HttpWire.open(port);
  try {
    const sent = performance.now();
    wire.write(bytes);
    const { status, body, at } = await within(PATIENCE_MILLIS, wire.answer(), name);
    const isRight = isValid ? status === 200 : status >= 400 && status < 500;
    return { name, millis: at - sent, problem: isRight ? undefined : `${status} ${String(body).slice(0, 100)}` };
  } catch (error) {
    return { name, millis: PATIENCE_MILLIS, problem: error.message };
  } finally {
    wire.close();
  }
}

/** @param {number} port @param {import("./lib/poison-ws.mjs").WsCase} one */
async function tryWs(port, { name, path, writes, ends }) {
  const wire = await WsWire.open(port, path);
  try {
    let sent = performance.now();
    for (const bytes of writes()) {
      if (wire.code !== undefined) break;
      sent = performance.now();
      // What fails to be written was refused before, which is what is waited for.
      await new Promise((resolve) => wire.socket.write(bytes, resolve));
    }
    const outcome =
      ends === undefined ? errorAnswer(wire) : wire.ended.then((code) => (code === ends ? "" : `${code}`));
    const problem = await within(PATIENCE_MILLIS, outcome, name);
    return { name, millis: performance.now() - sent, problem: problem === "" ? undefined : problem };
  } catch (error) {
    return { name, millis: PATIENCE_MILLIS, problem: error.message };
  } finally {
    wire.close();
  }
}

/** "": the answer is an error, and the stream goes on. */
async function errorAnswer(wire) {
  const { opcode, payload } = await wire.next();
  const answer = opcode === OPCODE.text ? JSON.parse(payload.toString()) : {};
  if (typeof answer.error !== "string" || typeof answer.code !== "string") return `answered: ${payload}`.slice(0, 200);
  wire.write(frame(OPCODE.ping, "still there"));
  const pong = await wire.next();
  return pong.opcode === OPCODE.pong ? "" : `a frame with opcode ${pong.opcode} for a ping`;
}

/** All cases once. @returns {Promise<{ name: string, millis: number, problem: string | undefined }[]>} */
async function round(port, cases) {
  const outcomes = [];
  for (const one of cases.http) outcomes.push(await tryHttp(port, one));
  for (const one of cases.ws) outcomes.push(await tryWs(port, one));
  return outcomes;
}

/** The slowest of these cases, by this share of what each took in its rounds. */
function slowest(outcomes, names, share) {
  const byName = new Map(names.map((name) => [name, []]));
  for (const { name, millis } of outcomes) byName.get(name)?.push(millis);
  const all = [...byName].map(([name, millis]) => ({ name, millis: percentile(millis, share) }));
  return all.toSorted((a, b) => b.millis - a.millis)[0];
}

/**
 * How long refusing took. A machine that is busy with something else for a moment is not the fault of the case that met it; bombs,
 * which keep the server's core busy for longest, are judged by the best of their rounds.
 */
function judgeTimes({ holds }, outcomes, cases) {
  const named = (isBomb) => cases.filter((one) => (one.isBomb ?? false) === isBomb).map(({ name }) => name);
  for (const [what, isBomb, share] of [
    ["the slowest of them, median of its rounds", false, 0.5],
    ["the slowest bomb, best of its rounds", true, 0],
  ]) {
    const { name, millis } = slowest(outcomes, named(isBomb), share);
    holds(what, `<= ${GOAL_MILLIS} ms`, `${millis.toFixed(1)} ms, ${name}`, millis <= GOAL_MILLIS);
  }
}

/** @param {import("./lib/check.mjs").Check} check */
function judge(check, outcomes, cases) {
  const { figure, holds } = check;
  const wrong = outcomes.filter(({ problem }) => problem !== undefined);
  const example = wrong.length === 0 ? "" : `; ${wrong[0].name}: ${wrong[0].problem}`;
  for (const { name, problem } of wrong) process.stderr.write(`       ${name}: ${problem}\n`);
  holds(
    "every invalid request is refused",
    "a status 4xx, a V2 error or a close code of its own; NaN and the infinities 200",
    `${outcomes.length - wrong.length} of ${outcomes.length}${example}`,
    wrong.length === 0,
  );
  judgeTimes(check, outcomes, cases);
  figure("cases", cases.length);
  figure("slowest_ms", Math.max(...outcomes.map(({ millis }) => millis)));
  figure(
    "p50_ms",
    percentile(
      outcomes.map(({ millis }) => millis),
      0.5,
    ),
  );
}

async function work(check) {
  pinClient();
  const cases = { http: httpCases(), ws: wsCases() };
  await withServer(headraceServer(GRU_MODEL), SERVER_CORE, async ({ port, pid }) => {
    const quiet = await sing(port, GRU_SONG);
    const before = residentMib(pid);
    const canary = keepSinging(port, GRU_SONG, quiet.digest);
    const outcomes = [];
    const rounds = check.isLong ? LONG_ROUNDS : SHORT_ROUNDS;
    for (let i = 1; i <= rounds; i++) {
      check.progress(`round ${i} of ${rounds}`);
      outcomes.push(...(await round(port, cases)));
    }
    check.progress("poisoned streams");
    const began = performance.now();
    const poisoned = await poisonedStreams(port, () => performance.now() - began > STREAMS_MILLIS);
    judge(check, outcomes, [...cases.http, ...cases.ws]);
    const { steps, stepsOfRun, problem } = poisoned;
    const shared = problem ?? `${steps} steps, ${stepsOfRun.toFixed(1)} in a run`;
    check.holds(
      "NaN and infinities in the same runs",
      ">= 2 steps in a run",
      shared,
      stepsOfRun >= 2 && problem === undefined,
    );
    holdsCanary(check, await canary.stop());
    const growth = peakMib(pid) - before;
    check.holds(
      "the server's memory at its peak",
      `<= ${GOAL_GROWTH_MIB} MiB more`,
      `${growth.toFixed(0)} MiB`,
      growth <= GOAL_GROWTH_MIB,
    );
  });
}

await trustCheck({ name: "poison", about: ABOUT, work });
